"""Runs the signer: `python -m audit.signing [--initialise --by A --by B]`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from pydantic import ValidationError

from audit.signing.app import routes
from audit.signing.cosigning import Witness
from audit.signing.settings import SignerSettings
from audit.signing.signer import NO_POLICY, Signer, sign_for_ever
from audit.signing.stamping import Authority, stamp_for_ever
from audit.signing.start import MayNotStart, check_start, initialise
from audit.signing.state import SignerState
from chassis.logs import configure_logs, logger
from chassis.server import Server, build_app
from guichet_verify.keyfiles import read_or_make
from guichet_verify.notes import NotAKey, SigningKey
from guichet_verify.policy import NotAPolicy, Policy, read_policy
from guichet_verify.timestamps import NoAuthority, TokenCheck

BAD_SETTINGS = 78
REFUSES = 65
"""Exit code of a signer that will not sign (EX_DATAERR of sysexits.h)."""
AWAY = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError)

log = logger(component="signer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Until SIGTERM; 0 after an ordered stop, 65 when it may not start, 78 when the settings are wrong."""
    parser = argparse.ArgumentParser("python -m audit.signing")
    parser.add_argument("--initialise", action="store_true", help="begin from the newest checkpoints in the table")
    parser.add_argument("--by", action="append", default=[], help="a person who says so; two are needed")
    options = parser.parse_args(arguments)
    try:
        settings = SignerSettings()
        keys = [read_or_make(path, settings.audit_name) for path in settings.signer_keys]
        policy, witnesses = _witnesses(settings.signer_policy)
        authority = _authority(settings)
    except (ValidationError, NotAKey, NotAPolicy, NoAuthority, OSError) as error:
        lines = error.errors(include_input=False, include_url=False) if isinstance(error, ValidationError) else []
        sys.stderr.write(f"settings refused: {[each['loc'] for each in lines] or error}\n")
        return BAD_SETTINGS
    configure_logs("signer", settings.log_level)
    state = SignerState(settings.signer_state)
    try:
        signer = Signer(keys, state, witnesses, policy)
        by = options.by if options.initialise else None
        return asyncio.run(_run(settings, signer, keys, witnesses, state, by, authority))
    except MayNotStart as error:
        log.error("signer_refuses", reason=str(error))
        return REFUSES
    finally:
        state.close()


async def _run(
    settings: SignerSettings,
    signer: Signer,
    keys: Sequence[SigningKey],
    witnesses: Sequence[Witness],
    state: SignerState,
    by: Sequence[str] | None,
    authority: Authority | None,
) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    public = [key.log_key for key in keys]
    if by is not None:
        begun = await initialise(state, settings.signer_database_url, public, by, [each.url for each in witnesses])
        log.warning("state_initialised", logs=begun, by=" ".join(by))
    started = False
    server = Server(
        build_app(routes(signer, state, lambda: started), lambda: True), settings.http_host, settings.http_port
    )
    server.start()
    try:
        while not stopping.is_set():
            try:
                await check_start(state, settings.signer_database_url, public, [each.url for each in witnesses])
                break
            except AWAY as error:
                log.warning("database_awaited", error=error)
                await asyncio.sleep(1)
        started = True
        log.info("signer_started", logs=len(state.all()), keys=[key.vkey() for key in public])
        async with asyncio.TaskGroup() as loops:
            loops.create_task(sign_for_ever(signer, settings.signer_database_url, stopping))
            if authority is not None:
                loops.create_task(stamp_for_ever(authority, state, stopping, settings.signer_tsa_seconds))
    finally:
        await server.stop()
    return 0


def _authority(settings: SignerSettings) -> Authority | None:
    if settings.signer_tsa_url is None:
        return None
    if settings.signer_tsa_certificates is None:
        raise NoAuthority("signer_tsa_url without signer_tsa_certificates: no token could be checked")
    return Authority(settings.signer_tsa_url, TokenCheck(settings.signer_tsa_certificates.read_bytes()))


def _witnesses(path: Path | None) -> tuple[Policy, list[Witness]]:
    """The policy, and those of its witnesses that have an address."""
    if path is None:
        return NO_POLICY, []
    data = path.read_bytes()
    policy = read_policy(data)
    words = [line.split() for line in data.decode("utf-8", "replace").splitlines()]
    urls = {line[1]: line[3] for line in words if len(line) == 4 and line[0] == "witness"}
    return policy, [Witness(key, urls[name]) for name, key in policy.witnesses.items() if name in urls]


if __name__ == "__main__":
    sys.exit(main())
