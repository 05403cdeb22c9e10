"""The keywords of haproxy.cfg: one module a family, each keyword a row of a table."""
