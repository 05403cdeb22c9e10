"""Readying a host: doctor, prepare, install."""
