"""Health checks, one file a protocol; rise and fall."""
