"""The rules, by topic: each a small function or a row of data with its code and its citation beside it."""
