"""A whole cluster of network namespaces on one machine."""
