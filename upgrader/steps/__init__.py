"""One file a step: ask, act, ask again. A step gets values and a gateway, and returns what became of it.

It writes no row and may run twice: the second time it finds nothing to do. RetryLater and GiveUp are its two failures.
"""
