"""Odd and hostile HTTP/1 beside HAProxy: the same bytes to both, what each does compared.

`grammar.py` makes cases out of numbers, `arena.py` plays them with both balancers, `verdict.py`
compares and knows what differs on purpose. `python -m tests.engine.odd --help` runs as many as one
likes; `tests/engine/test_http_random.py` is the share that every test run has.
"""
