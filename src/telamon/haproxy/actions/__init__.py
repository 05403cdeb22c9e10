"""Actions of rules, one module a family; `row.py` says what a row is, `index.py` lists them."""
