"""Probe hosts: machines outside of the gateways that sign in at them as users do. docs/probes.md."""
