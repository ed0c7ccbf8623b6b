"""Metrics for Prometheus, and alerts where there is no Prometheus."""
