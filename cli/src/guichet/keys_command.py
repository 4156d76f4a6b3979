"""`guichet audit keys`: the keys of requests under which free texts are sealed; destroying one erases them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from guichet import console
from guichet.stack.errors import StackError
from guichet.stack.state import StackState, home_folder, load
from guichet.trail import at_one_moment, record_check

if TYPE_CHECKING:
    from guichet.publishing import Event
    from guichet.sealing.inspection import KeysAgainstTrail
    from guichet.sealing.keystore import Destruction, KeyStore, StoredKey

app = typer.Typer(no_args_is_help=True)

SOURCE = "/guichet/keys"
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys of requests, those that were destroyed too; never their bytes.

    Example: guichet audit keys list
    """
    store = _store()
    ended = {each.key_id: each for each in store.destructions()}
    if as_json:
        console.show_json([_shown(key, ended.get(key.key_id)) for key in store.listed()])
        return
    for key in store.listed():
        end = ended.get(key.key_id)
        state = "kept" if end is None else f"destroyed {end.at.isoformat()} by {', '.join(end.by)}"
        console.say(f"{key.key_id}  made {key.created_at.isoformat()}  {state}")


def _shown(key: StoredKey, end: Destruction | None) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "request_id": key.request_id,
        "created_at": key.created_at.isoformat(),
        "destroyed_at": None if end is None else end.at.isoformat(),
        "destroyed_by": [] if end is None else list(end.by),
    }


@app.command()
def destroy(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="A key, as `list` names it.")],
    by: Annotated[list[str], typer.Option("--by", help="A person who asks for it; two different ones are needed.")],
) -> None:
    """Destroy the key of a request: what was sealed under it is erased from topics, trail, bundles and backups.

    This cannot be undone. It is recorded as guichet.key.destroyed.v1; every proof of the trail still holds.

    Example: guichet audit keys destroy cf8e0752-8f1e-5123-bd3c-1b40b5dec40c.1 --by dpo-1 --by archivist-2
    """
    asyncio.run(_destroy(key_id, tuple(dict.fromkeys(by))))


async def _destroy(key_id: str, by: tuple[str, ...]) -> None:
    from chassis.ids import new_event_id
    from guichet.publishing import clock_now
    from guichet.sealing.keystore import NoSuchKey

    if len(by) < 2:
        raise StackError("two different persons are needed to destroy a key", "--by PERSON --by OTHER-PERSON")
    state, store = load(home_folder()), _store()
    now = await clock_now(state)
    try:
        ended = store.destroy(key_id, by, new_event_id(), now)
    except NoSuchKey:
        raise StackError(f"no key {key_id}", "guichet audit keys list") from None
    await _say(state, store)
    console.say(f"{key_id} destroyed {ended.at.isoformat()} by {', '.join(ended.by)}, recorded as {ended.event_id}")


async def _say(state: StackState, store: KeyStore) -> None:
    """Say every destruction that is not acknowledged yet, each always under the same event id."""
    from guichet.publishing import publish

    for ended in store.destructions():
        if not ended.said:
            await publish(state, [_event(ended)])
            store.mark_said(ended.key_id)


def _event(ended: Destruction) -> Event:
    from contracts.system import KeyDestroyed
    from guichet.publishing import stated

    fact = KeyDestroyed(key_id=ended.key_id, by=ended.by)
    return stated(
        fact, source=SOURCE, subject=ended.request_id, time=ended.at, key=ended.request_id, event_id=ended.event_id
    )


@app.command()
def check(as_json: Json = False) -> None:
    """Compare keys with the trail: keys that are gone without an event, and events whose key still exists.

    Exit code 0 when there are none. Run it every night.

    Example: guichet audit keys check
    """
    found = asyncio.run(_check())
    if as_json:
        console.show_json(found.as_json())
    else:
        for key_id in sorted(found.gone_without_event):
            console.say(f"{key_id}: texts are sealed under it, it is gone, and no event says why")
        for key_id in sorted(found.event_but_kept):
            console.say(f"{key_id}: said to be destroyed, and still there")
        console.say(f"{len(found.sealed_under)} keys in the trail, {len(found.destroyed)} destroyed by two persons")
    if found.gone_without_event or found.event_but_kept:
        raise typer.Exit(1)


async def _check() -> KeysAgainstTrail:
    from audit.checks import KEYS_COMPARED
    from guichet.sealing.inspection import compare

    store = _store()
    await _say(load(home_folder()), store)
    async with at_one_moment(None) as connection:
        found = await compare(connection, store)
    await record_check(KEYS_COMPARED, len(found.gone_without_event) + len(found.event_but_kept))
    return found


def _store() -> KeyStore:
    from guichet.sealing.keystore import KeyStore, key_folder

    return KeyStore(key_folder())
