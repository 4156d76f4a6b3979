"""What somebody may ask for by name: PostgreSQL knows no text with U+0000 in it, and no name is that long."""

LONGEST_NAME = 1_024


def askable(name: str, longest: int = LONGEST_NAME) -> bool:
    """Whether anything could bear this name."""
    return "\x00" not in name and len(name) <= longest
