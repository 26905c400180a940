"""The command line of Handover: nouns, then verbs, over /api/v1. Standard library only, Python 3.9 or newer.

It imports nothing of the server, so this folder may be copied to any machine. docs/command-line.md says how it is used.
"""
