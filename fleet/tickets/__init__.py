"""Complaints of users, from the NOC's systems or by hand, joined to gateways, slots and releases. docs/tickets.md.

Pure: `mapping`, `match`. With the database: `journal` writes, `services` is what people and programs may ask, `join`
looks for gateways, `rate` counts, `pages` reads, `views` and `api` are the doors.
"""
