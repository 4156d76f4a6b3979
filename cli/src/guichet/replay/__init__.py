"""What was known then, and what would have been decided: the trail read again, by the services' own pure functions."""
