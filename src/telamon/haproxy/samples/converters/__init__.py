"""Converters, one module a family (manual 7.3.1)."""
