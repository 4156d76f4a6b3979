"""Turns what portals send into requests we are willing to consider."""
