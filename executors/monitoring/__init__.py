"""Metrics, readiness, logs and traces of a process of the Flow."""
