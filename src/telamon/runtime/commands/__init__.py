"""The commands of the stats socket, one module a family; `index.py` lists them."""
