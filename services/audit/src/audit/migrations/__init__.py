"""The tables of the trail, as numbered SQL files."""
