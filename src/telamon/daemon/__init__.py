"""The processes: a supervisor and its roles. Each is a loop that feeds cores and carries out effects."""
