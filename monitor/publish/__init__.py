"""Prometheus metrics from the store, alert rules and dashboards rendered from the checks."""
