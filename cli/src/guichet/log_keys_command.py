"""`guichet audit keys policy`, `signing`, `rotate`, `retire`: the keys that the trail's logs are signed with."""

import asyncio

from audit.anchors import Silent, ask_signer
from audit.signing import keys
from contracts.system import LogKeyRotated
from guichet import console
from guichet.publishing import clock_now, publish, stated
from guichet.stack import watchers
from guichet.stack.errors import StackError
from guichet.stack.stack import Stack
from guichet.stack.state import StackState, home_folder, load
from guichet_verify.keyfiles import read_key_file
from guichet_verify.notes import NotANote


def policy() -> None:
    """Print whom a verifier of this trail trusts: log keys, witness, quorum (C2SP tlog-policy).

    Example: guichet audit keys policy > policy
    """
    console.say(watchers.policy_text(home_folder()).decode().rstrip())


def signing() -> None:
    """List the keys that sign checkpoints, the oldest first; never their secret halves.

    Example: guichet audit keys signing
    """
    for path in keys.log_keys(watchers.keys_folder(home_folder())):
        console.say(f"{path.stem}  {read_key_file(path).log_key.vkey()}")


def rotate() -> None:
    """Make a further log key: from now on both sign, and the policy lists both. Retire the old one a policy later.

    Recorded as guichet.log-key.rotated.v1 before the new key signs anything.

    Example: guichet audit keys rotate
    """
    home = home_folder()
    state, folder = load(home), watchers.keys_folder(home)
    old = read_key_file(keys.log_keys(folder)[-1]).log_key
    path = keys.next_key(folder)
    new = read_key_file(path).log_key
    asyncio.run(_say(state, LogKeyRotated(old_key=old.vkey(), new_key=new.vkey())))
    asyncio.run(_restart(state))
    console.say(f"{path.stem} signs too: {new.vkey()}")


def retire() -> None:
    """Destroy the oldest log key, once every verifier has the policy with the newer one.

    Refused as long as a log's newest checkpoint bears no newer key: nobody could verify it any more.

    Example: guichet audit keys retire
    """
    home = home_folder()
    state, found = load(home), keys.log_keys(watchers.keys_folder(home))
    if len(found) < 2:
        raise StackError("there is one log key only", "guichet audit keys rotate")
    staying = [read_key_file(path).log_key for path in found[1:]]
    try:
        asyncio.run(ask_signer(state.watchers["signer"].url, staying))
    except (NotANote, Silent) as error:
        raise StackError(
            f"not every newest checkpoint is signed by another key yet: {error}", "in a minute; guichet status"
        ) from None
    found[0].unlink()
    asyncio.run(_restart(state))
    console.say(f"{found[0].stem} is gone; {found[1].stem} signs")


async def _say(state: StackState, fact: LogKeyRotated) -> None:
    now = await clock_now(state)
    await publish(state, [stated(fact, source="/guichet/operator", subject=keys.NAME, time=now, key=keys.NAME)])


async def _restart(state: StackState) -> None:
    """Signer and witness with the keys as they now are."""
    watchers.ensure_keys(home_folder(), state)
    await asyncio.to_thread(watchers.stop, state)
    await Stack(home_folder()).repair(list(state.watchers))
