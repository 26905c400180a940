"""Outgoing webhooks (Standard Webhooks): the record is read from where an endpoint stands, so nothing is forgotten and
nothing waits for a receiver. docs/api.md has the events and how a receiver checks them."""
