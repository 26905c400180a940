"""Prometheus as a source: what its exporters say of gateways, asked every half minute. docs/metrics.md."""
