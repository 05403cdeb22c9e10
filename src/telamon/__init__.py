"""Telamon: a highly available load balancer in one program."""

__version__ = "0.1.0"
