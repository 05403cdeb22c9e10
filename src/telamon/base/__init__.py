"""What every other package stands on: spans, diagnostics, units, addresses."""
