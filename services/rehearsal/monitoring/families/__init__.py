"""Metric families, one module an exporter."""
