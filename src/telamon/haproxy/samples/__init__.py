"""The rule language's tables: fetches, converters, log aliases, ACL keywords (manual 7 and 8)."""
