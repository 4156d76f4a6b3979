"""A witness answers as C2SP tlog-witness says, and holds the newest checkpoint that extends the one before."""

import json
from pathlib import Path

import pytest

from guichet_verify.keyfiles import make_key_file, read_key_file
from guichet_verify.notes import NotAKey, read_vkey
from guichet_witness.protocol import Refused
from guichet_witness.state import State
from guichet_witness.witness import Witness

VECTORS = json.loads((Path(__file__).parents[1] / "verifier" / "vectors" / "witness.json").read_text("utf-8"))


@pytest.mark.threat(15)
async def test_twenty_requests_in_order_are_answered_as_the_text_says(tmp_path):
    log = read_vkey(VECTORS["log_vkey"], allow_published=True)
    state = State(tmp_path / "state.db")
    key = make_key_file(tmp_path / "key", "witness.example")
    witness = Witness(key, [log], state, None)
    for step in VECTORS["steps"]:
        try:
            line = await witness.add_checkpoint(step["body"].encode())
            status, size = 200, None
        except Refused as refused:
            status, size = refused.status, refused.size
        assert (step["id"], status) == (step["id"], step["status"])
        if status == 200:
            assert line.startswith("— witness.example ")
        assert state.held("w.example/log").size == step["size_after"], step["id"]
        assert (size == step["size_after"]) == (status == 409)
    state.close()
    assert State(tmp_path / "state.db").held("w.example/log").size == VECTORS["steps"][-1]["size_after"]


def test_a_key_file_is_its_owners_alone(tmp_path):
    made = make_key_file(tmp_path / "key", "witness.example")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_key_file(tmp_path / "key").log_key == made.log_key
    with pytest.raises(FileExistsError):
        make_key_file(tmp_path / "key", "witness.example")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(NotAKey, match="others"):
        read_key_file(tmp_path / "key")
