"""Words planted in every free-text field come out of no log, no metric, no trace and no error answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import SERVICES
from stacks import StartStack, post, submission, until

MARKER = "Zuzanna-Marqueur-4711"


def planted(reference: str) -> dict[str, object]:
    """A dossier whose every free text holds the marker."""
    made = dossier("F02a", reference, title=f"Study by {MARKER}")
    made["applicant"]["organisation"] = MARKER
    made["purpose"]["public_interest_statement"] = MARKER
    made["purpose"]["summary_fr"] = MARKER
    made["data"]["includes_opted_out"]["basis"] = MARKER
    return made


def written(home: Path) -> str:
    return "".join(
        file.read_text("utf-8", "replace") for file in (home / "logs").iterdir() if file.name.endswith(".log")
    )


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """All that the services of a stack export of their traces, as it comes: OTLP, in which texts stand as UTF-8."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("GUICHET_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        monkeypatch.setenv("GUICHET_TRACE_RATIO", "1")
        yield bodies
        collector.shutdown()


async def test_a_marker_in_every_free_text_field_comes_out_nowhere(
    start_stack: StartStack, exported: list[bytes]
) -> None:
    home, state = await start_stack()
    now = await clock_now(state)
    made = planted("MARKER-1")
    broken = planted("MARKER-2") | {
        "kind": MARKER,
        MARKER: MARKER,
        "requested_months": MARKER,
        "environment_id": MARKER,
    }
    answers = []
    async with httpx.AsyncClient(timeout=30) as client:
        answers.append(await post(client, state, submission(made, now)))
        answers.append(await post(client, state, submission(made | {"requested_months": 5}, now)))
        answers.append(await post(client, state, submission(broken, now)))
        answers.append(await post(client, state, {**submission(made, now), "source": f"/portals/{MARKER}"}))
        answers.append(await post(client, state, submission(made, now), token=MARKER))
        answers.append(await client.post(f"{state.services['intake'].url}/events", content=f'{{"{MARKER}"'))
        assert [answer.status_code for answer in answers] == [202, 409, 422, 403, 401, 401]
        await wait_quiet(state)
        metrics = [(await client.get(f"{url}/metrics")).text for url in state.service_urls()]
        statuses = [(await client.get(f"{url}/status")).text for url in state.service_urls()]
    assert id_of(made) in json.dumps(answers[0].json())

    async def every_service_exported() -> bool:
        told = b"".join(exported)
        return b" batch event" in told and all(name.encode() in told for name in SERVICES)

    await until(every_service_exported, "traces of every service")
    assert MARKER.encode() not in b"".join(exported)
    for text in (*(answer.text for answer in answers), *metrics, *statuses, written(home)):
        assert MARKER not in text
