"""Fakes and contract checks that users' tests may use too."""
