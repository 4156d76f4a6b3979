"""The ids under which environments know workspaces: each move makes a new one, so that source and copy never meet."""

from __future__ import annotations

from uuid import UUID, uuid5


def place_of(workspace_id: str, number: int) -> str:
    """The id of a workspace where its move `number` brought it; 0 is where it was made, under its own id."""
    return workspace_id if number == 0 else str(uuid5(UUID(workspace_id), f"move-{number}"))
