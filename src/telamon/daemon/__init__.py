"""The processes: a supervisor and its roles, loops that feed cores and carry out effects."""
