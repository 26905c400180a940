"""Probe hosts and Prometheus as evidence: what they say of gateways, and what it means where they say nothing."""
