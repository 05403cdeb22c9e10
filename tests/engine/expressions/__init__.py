"""Generated expressions, asked of HAProxy and of Telamon, for `test_expressions_differ.py`."""
