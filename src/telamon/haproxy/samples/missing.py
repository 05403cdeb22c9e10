"""Rows that the engine (`crates/telamon-expr`) does not carry out yet: refused by name.

A test compares these lists with what the engine says it knows; when it learns a word, the word
leaves its list, and nothing else is to be done.
"""

from __future__ import annotations

FETCHES = frozenset(
    """
cpu_calls fc_err_name fc_saved_syn last_entity req.bytes_out res.bytes_in waiting_entity
""".split()
)

CONVERTERS = frozenset({"debug"})

ACTIONS = frozenset(
    """
do-log switch-mode
""".split()
)
