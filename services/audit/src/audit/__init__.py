"""Records everything, proves it, replays it."""
