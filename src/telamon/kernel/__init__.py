"""The edge: the only Python that opens raw or netlink sockets, writes sysctls, starts scripts."""
