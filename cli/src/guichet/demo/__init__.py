"""The story that `guichet demo` tells, from a scenario kept as data."""
