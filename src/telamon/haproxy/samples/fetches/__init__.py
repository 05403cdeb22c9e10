"""Sample fetches, one module a family (manual 7.3.2 to 7.3.6)."""
