"""Free text that might name someone: sealed under a key of its request before it is said, erased with that key."""
