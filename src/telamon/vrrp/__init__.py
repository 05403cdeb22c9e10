"""VRRP (RFC 3768, RFC 5798, RFC 9568) as a sans-IO core: packets, states, timers, effects."""
