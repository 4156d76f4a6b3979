"""Many permits live to their end by the clock, while workers are killed and environments fail: none is forgotten."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from contracts.holders import DatasetDescribed
from dossiers import id_of, say, workspace_id
from guichet.demo.researcher import count_rows, login
from guichet.demo.scenario import load_scenario
from guichet.publishing import clock_now, publish, stated
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import wait_quiet
from guichet.stack.services import desk_of
from guichet.stack.state import StackState
from guichet.stack.watchers import certificate_key
from programs import run_guichet
from provisioning.certificate import SIGNER
from provisioning.certificate_keys import check_in_period, periods
from provisioning.environments import Refused
from reference_provisioner import Provisioner, serving
from stacks import Json, StartStack, insist, query, submission, until
from trouble import Trouble

PERMITS = int(os.environ.get("GUICHET_TEST_PERMITS", "6"))
"""How many; 200 for the proof."""
LIMIT = 300 + 12 * PERMITS
SHORT, LONG = 6, 36
AFTER_THEIR_END = datetime(2027, 1, 11, 8, tzinfo=UTC)
"""Permits of six months have expired; what was kept after them has not been kept long enough."""
AFTER_THE_DELETION = AFTER_THEIR_END + timedelta(days=31)
POSTGRES, HTTP = "env-clinique", "env-pmsi"
KEY_ID, SECRET = "key-1", bytes(range(32))
NOWHERE = "eds-nowhere"


@dataclass
class Permits:
    """The requests by what becomes of them."""

    dossiers: list[Json] = field(default_factory=list)

    @classmethod
    def of(cls, number: int) -> Permits:
        """Half in each of two environments; three in ten amended, two suspended and resumed, two revoked."""
        made = cls()
        asthma = load_scenario().dossiers["asthma"]
        for each in range(number):
            dossier = copy.deepcopy(asthma) | {"portal_reference": f"MANY-{each}", "requested_months": SHORT}
            dossier["environment_id"] = (POSTGRES, HTTP)[each % 2]
            for paper in dossier["documents"]:
                if paper["code"] == "DPIA":
                    paper["covers_environments"] = [dossier["environment_id"]]
            made.dossiers.append(dossier)
        for dossier in (*made.dossiers[: number * 3 // 10], *made.dossiers[number * 3 // 10 : number // 2 : 2]):
            dossier["requested_months"] = LONG
        return made

    @property
    def requests(self) -> list[str]:
        return [id_of(dossier) for dossier in self.dossiers]

    @property
    def amended(self) -> list[str]:
        return self.requests[: PERMITS * 3 // 10]

    @property
    def suspended(self) -> list[str]:
        return self.requests[PERMITS * 3 // 10 : PERMITS // 2]

    @property
    def revoked(self) -> list[str]:
        return self.requests[PERMITS // 2 : PERMITS * 7 // 10]

    @property
    def expired(self) -> list[str]:
        """Those that only the clock ends."""
        short = {id_of(dossier) for dossier in self.dossiers if dossier["requested_months"] == SHORT}
        return [request for request in self.requests if request in short and request not in self.revoked]

    @property
    def widened(self) -> list[str]:
        """Those that get a dataset more."""
        return self.amended[1::2]

    @property
    def narrowed(self) -> list[str]:
        """Those that have one person less."""
        return self.amended[2::2]

    @property
    def places(self) -> dict[str, str]:
        """{request id: environment id}"""
        return {id_of(dossier): dossier["environment_id"] for dossier in self.dossiers}

    @property
    def absent(self) -> str:
        """The one that is given a dataset which its holder does not have: that takes a person."""
        return self.amended[0]


async def with_provisioner(home: Path, provisioner: Provisioner) -> None:
    """The stack drives one of its environments through a provisioner of ours, from its next start on."""
    (home / "provisioner.key").write_text(SECRET.hex(), "ascii")
    entry = {"kind": "http", "url": provisioner.url, "key_id": KEY_ID, "keys": {KEY_ID: "provisioner.key"}}
    (home / "environments.json").write_text(json.dumps({HTTP: entry}), "utf-8")


async def told_of_nowhere(state: StackState) -> None:
    """The catalogue has a dataset that is not at its holder."""
    about = {"dataset_id": NOWHERE, "title": "Described, and not there", "version": "1.0", "holder": "chu-nord"}
    kind = {"country": "FR", "source": "EDS", "categories": ["a"], "class": "health", "publicly_funded": True}
    described = DatasetDescribed.read(json.dumps(about | kind | {"trusted_holder": False, "holder_exempt": False}))
    now = await clock_now(state)
    await publish(state, [stated(described, source="/holders/chu-nord", subject=NOWHERE, time=now, key=NOWHERE)])


@pytest.mark.timeout(4 * LIMIT)
async def test_every_workspace_is_open_gone_or_with_a_person_after_its_permit_has_ended_by_the_clock(
    start_stack: StartStack,
) -> None:
    provisioner = Provisioner(KEY_ID, SECRET)
    async with serving(provisioner):
        home, state = await start_stack()
        await with_provisioner(home, provisioner)
        trouble = Trouble(home, state, provisioner, min(4 * PERMITS, 200), "DATASET_NOT_AT_HOLDER", LIMIT)
        await trouble.kill()  # It comes back with the adapters that its operator has written down.
        await told_of_nowhere(state)
        permits = Permits.of(PERMITS)
        async with trouble.going_wrong():
            logins = await lived(permits, trouble)
        await wait_quiet(state, LIMIT)
        await trouble.answer()
        await wait_quiet(state, LIMIT)
        await as_wanted(permits, trouble, logins)


async def tell(state: StackState, kind: str, data: Json, requests: Collection[str], seconds: int) -> None:
    now = await clock_now(state) + timedelta(seconds=seconds)
    await publish(state, [say(kind, data, request, now) for request in requests])


async def lived(permits: Permits, trouble: Trouble) -> dict[str, str]:
    """From the portal to the last deletion; the logins that were once given out, by request."""
    state = trouble.state
    now = await clock_now(state)
    async with httpx.AsyncClient(timeout=60) as portal:
        for dossier in permits.dossiers:
            assert (await insist(portal, state, submission(dossier, now))).status_code == 202
    await trouble.until_all(permits.requests, "open")
    person = permits.dossiers[0]["persons"][0]["ref"]
    here = [id_of(dossier) for dossier in permits.dossiers if dossier["environment_id"] == POSTGRES]
    logins = {request: await entering(state, request, person) for request in here}

    await tell(state, "suspension.ordered.v1", {}, permits.suspended, 1)
    await tell(state, "revocation.ordered.v1", {"by": ["o-1"]}, permits.revoked, 1)
    amendment = {"verdict": "granted", "remove_datasets": [], "by": ["o-1"]}
    await tell(state, "amendment.decided.v1", amendment | {"add_datasets": [NOWHERE]}, [permits.absent], 1)
    await tell(state, "amendment.decided.v1", amendment | {"add_datasets": ["eds-chu-sud"]}, permits.widened, 1)
    fewer = {"persons": permits.dossiers[0]["persons"][:1]}
    await tell(state, "permit.persons-updated.v1", fewer, permits.narrowed, 1)
    await tell(state, "resumption.ordered.v1", {}, permits.suspended, 2)
    await trouble.until_all(permits.revoked, "closed", "destroyed")
    await trouble.until_all([permits.absent], "person-needed")

    # Nobody says that a permit has expired, and nobody that it is time to delete, but the clock.
    await set_clock(state, AFTER_THEIR_END, LIMIT)
    await trouble.until_all(permits.expired, "closed")
    await trouble.until_all(permits.revoked, "destroyed")
    # What is destroyed from now on is certified with another key.
    rotated = await run_guichet("workspaces", "keys", "rotate", GUICHET_HOME=str(trouble.home))
    assert rotated.code == 0, rotated.err
    await set_clock(state, AFTER_THE_DELETION, LIMIT)
    await trouble.until_all([*permits.expired, *permits.revoked], "destroyed")
    return logins


async def entering(state: StackState, request: str, person: str) -> str:
    """A login to an open workspace; asked for again while its environment is losing its sessions."""
    given: list[str] = []

    async def is_given() -> bool:
        try:
            given.append(await login(state, request, person))
            return await count_rows(given[-1]) > 0
        except (Refused, asyncpg.PostgresError, OSError):
            return False

    await until(is_given, "a login")
    return given[-1]


async def as_wanted(permits: Permits, trouble: Trouble, logins: dict[str, str]) -> None:
    state, home = trouble.state, trouble.home
    gone = [*permits.expired, *permits.revoked]
    wanted = dict.fromkeys(permits.requests, "open") | dict.fromkeys(gone, "destroyed")
    wanted[permits.absent] = "person-needed"
    async with desk_of(state) as desk:
        lines = {line["request_id"]: line for line in await desk.list_workspaces()}
        certificates = {request: await desk.certificates(request) for request in gone}
    assert {request: line["state"] for request, line in lines.items()} == wanted
    assert (lines[permits.absent]["step"], lines[permits.absent]["code"]) == ("fill", "DATASET_NOT_AT_HOLDER")
    assert all("eds-chu-sud" in lines[request]["datasets"] for request in permits.widened)
    assert all(len(lines[request]["persons"]) == 1 for request in permits.narrowed)
    assert all(len(found) == 1 for found in certificates.values())
    keys = periods(certificate_key(home))
    for those, period in zip((permits.revoked, permits.expired), keys, strict=True):
        for ((text, note),) in (certificates[request] for request in those):
            assert check_in_period(text, note or "", [period]) == SIGNER

    one = permits.revoked[0]
    for words in (("workspaces", "drift"), ("audit", "verify"), ("workspaces", "certificate", one, "--verify")):
        ran = await run_guichet(*words, GUICHET_HOME=str(home))
        assert ran.code == 0, ran.out + ran.err
    assert await in_the_trail(state) == {
        "permit.expired.v1": len(permits.expired),
        "permit.revoked.v1": len(permits.revoked),
        "workspace.destroyed.v1": len(gone),
        "deletion.certified.v1": len(gone),
        "certificate-key.rotated.v1": 1,
    }
    held = {name for name, has in trouble.provisioner.workspaces.items() if has.state != "destroyed"}
    there = {workspace_id(dossier_id): where for dossier_id, where in permits.places.items() if dossier_id not in gone}
    assert held == {name for name, where in there.items() if where == HTTP}
    assert len(await databases(state)) == len(there) - len(held)
    for request, url in logins.items():
        if wanted[request] == "destroyed":
            with pytest.raises((Refused, asyncpg.PostgresError)):
                await count_rows(url)
    assert all(trouble.done[each] for each in ("killed", "sessions lost", "misbehaved")), trouble.done
    print(f"{PERMITS} permits: {dict(Counter(wanted.values()))}, {dict(trouble.done)}, {trouble.events} events")


async def in_the_trail(state: StackState) -> dict[str, int]:
    """How often the end of a permit and of a workspace was said, and that another key certifies it."""
    rows = await query(
        state,
        "audit",
        "SELECT event_type, count(DISTINCT event_id) AS n FROM audit.entry "
        "WHERE event_type IN ('guichet.permit.expired.v1', 'guichet.permit.revoked.v1', "
        "'guichet.workspace.destroyed.v1', 'guichet.deletion.certified.v1', 'guichet.certificate-key.rotated.v1') "
        "GROUP BY 1",
    )
    return {row["event_type"].split(".", 1)[1]: row["n"] for row in rows}


async def databases(state: StackState) -> list[str]:
    """Those of workspaces, whatever environment they belong to."""
    connection = await asyncpg.connect(state.postgres.url("postgres"))
    try:
        return [row[0] for row in await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'ws\\_%'")]
    finally:
        await connection.close()
