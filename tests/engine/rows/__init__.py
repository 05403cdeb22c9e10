"""One example at least of each row of the rule language, carried out on both engines.

The tables are texts, `what is asked => what must come of it`; the right side is a regular
expression. `stage.py` plays them, `tests/engine/test_rows.py` also sees to it that no row of the
index is without an example. Whether the values are HAProxy's is asked elsewhere
(`test_samples_peer.py`, `test_expressions_differ.py`, `test_rules_peer.py`).
"""
