"""Quiet loss: what a release does to a gateway over hours and days, after its window has closed. docs/quiet.md.

Pure: `bins`, `measures`, `least`, `usual`, `shapes`, `detect`, `words`. With the database: `watch` looks, `journal`
writes, `selectors` reads. Nothing here acts on a gateway: a person is called.
"""
