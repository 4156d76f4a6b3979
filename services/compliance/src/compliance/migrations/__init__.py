"""Numbered SQL files: the tables of the compliance service."""
