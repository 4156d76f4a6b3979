"""A permit is shown with the checkpoint that covers it, and with none before it is covered."""

import httpx

from guichet.printed import printed_on
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.keyfiles import make_key_file
from guichet_verify.notes import sign_note

ORIGIN = "guichet.example/audit/trail/guichet.decisions/2/1"


def event(index, kind="guichet.permit.issued.v1"):
    return {"type": kind, "recorded": [{"origin": ORIGIN, "index": index}]}


def test_the_checkpoint_printed_on_a_permit_covers_it(tmp_path):
    key = make_key_file(tmp_path / "key", "guichet.example/audit")
    checkpoint = Checkpoint(ORIGIN, 8, bytes(32))
    note = sign_note(checkpoint.text(), [key.sign(checkpoint.text())])

    def answer(request):
        return httpx.Response(200, content=note) if request.url.path == f"/{ORIGIN}/checkpoint" else httpx.Response(404)

    with httpx.Client(base_url="http://audit", transport=httpx.MockTransport(answer)) as client:
        assert printed_on(client, event(7)) == f"{ORIGIN} 8 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        assert printed_on(client, event(8)) is None
        assert printed_on(client, event(7, "guichet.request.accepted.v1")) is None
