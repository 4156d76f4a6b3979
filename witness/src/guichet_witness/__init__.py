"""Reads what the broker said, and cosigns the checkpoints of a trail that says the same."""
