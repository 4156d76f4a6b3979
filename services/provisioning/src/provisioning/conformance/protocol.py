"""What a provisioner behind HTTP must do besides: believe only who holds the key, once, and sign what it answers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from uuid import uuid4

import httpx

from provisioning.conformance.suite import Check, Trial, expect
from provisioning.environments import http_wire as wire
from provisioning.environments import names
from provisioning.environments.http_client import JSON, Host, trusting
from provisioning.environments.http_signing import (
    WINDOW_SECONDS,
    NotAuthentic,
    answer_components,
    content_digest,
    request_components,
    sign,
    signature_of,
    verify,
)


@dataclass(slots=True)
class Caller:
    """Calls a provisioner by hand, so that every part of a call can be wrong."""

    host: Host
    trial: Trial

    async def prepare(self, **changes: object) -> httpx.Response:
        """`PUT /workspaces/{id}`, right but for what is changed: before signing host, age, nonce; after it the rest."""
        body = wire.Place(probe=names.probe(self.trial.workspace_id)).model_dump_json().encode()
        order = self.trial.order()
        url = httpx.URL(f"{self.host.url}/workspaces/{order.workspace_id}")
        headers = {
            "content-type": JSON,
            "content-digest": content_digest(body),
            "idempotency-key": f"{order.workspace_id}:prepare:{order.occasion}",
            "guichet-fence": str(order.fence),
        }
        host = changes.get("host", self.host)
        assert isinstance(host, Host)
        if changes.get("signed", True):
            headers |= sign(
                host.keys,
                request_components("PUT", url.raw_path.decode(), "", headers),
                tag="guichet-order",
                created=int(time.time()) - int(str(changes.get("age", 0))),
                nonce=str(changes.get("nonce", uuid4())),
            )
        for name, value in dict(changes.get("headers", {})).items():  # type: ignore[call-overload]
            headers[name] = value
        async with httpx.AsyncClient(
            verify=trusting(self.host), trust_env=False, timeout=self.host.request_seconds
        ) as client:
            return await client.put(url, content=changes.get("body", body), headers=headers)  # type: ignore[arg-type]

    async def refused(self, **changes: object) -> None:
        """The call is refused with 401, and nothing was made."""
        answer = await self.prepare(**changes)
        expect(answer.status_code == HTTPStatus.UNAUTHORIZED, f"it was answered with {answer.status_code}, not 401")
        actual = await self.trial.environment.inspect(self.trial.workspace_id)
        expect(not actual.there, "something was made")


async def an_unsigned_call_is_refused(call: Caller) -> None:
    """A call without a signature makes nothing."""
    await call.refused(signed=False)


async def a_call_with_another_key_is_refused(call: Caller) -> None:
    """A call signed with a key that is not shared makes nothing."""
    keys = call.host.keys
    other = replace(keys, secrets={keys.current: b"?" * 32})
    await call.refused(host=replace(call.host, keys=other))
    unknown = replace(keys, current="key-of-nobody", secrets={"key-of-nobody": keys.secrets[keys.current]})
    await call.refused(host=replace(call.host, keys=unknown))


async def a_changed_call_is_refused(call: Caller) -> None:
    """A call whose body, fence or key of repetition is not what was signed makes nothing."""
    await call.refused(body=b'{"probe":"ws_0000000000000000_other"}')
    await call.refused(headers={"guichet-fence": "9999999999"})
    await call.refused(headers={"idempotency-key": "another:prepare:1"})


async def an_old_call_is_refused(call: Caller) -> None:
    """A call from before the window of five minutes, or from after it, makes nothing."""
    await call.refused(age=WINDOW_SECONDS + 60)
    await call.refused(age=-WINDOW_SECONDS - 60)


async def a_replayed_call_is_refused(call: Caller) -> None:
    """A call that somebody overheard and sends again, signature and all, is refused."""
    nonce = str(uuid4())
    first = await call.prepare(nonce=nonce)
    expect(first.is_success, "the call itself was refused")
    await call.trial.environment.destroy(call.trial.order())
    await call.refused(nonce=nonce)


async def every_answer_is_signed(call: Caller) -> None:
    """An answer, be it a refusal, carries a signature over its body and the call that it answers."""
    keys = call.host.keys
    for path, status in ((f"/workspaces/{uuid4()}", HTTPStatus.NOT_FOUND),):
        url = httpx.URL(call.host.url + path)
        headers = {"content-digest": content_digest(b"")}
        headers |= sign(
            keys,
            request_components("GET", url.raw_path.decode(), "", headers),
            tag="guichet-order",
            created=int(time.time()),
            nonce=str(uuid4()),
        )
        async with httpx.AsyncClient(verify=trusting(call.host), trust_env=False) as client:
            answer = await client.get(url, headers=headers)
        expect(answer.status_code == status, f"it was answered with {answer.status_code}, not {status}")
        components = answer_components(answer.status_code, answer.headers, signature_of(headers))
        try:
            verify(keys, components, answer.headers, answer.content, tag="guichet-answer", now=time.time())
        except NotAuthentic as reason:
            expect(False, f"the answer is not authentic: {reason.code}")


_ALL: tuple[Callable[[Caller], Awaitable[None]], ...] = (
    an_unsigned_call_is_refused,
    a_call_with_another_key_is_refused,
    a_changed_call_is_refused,
    an_old_call_is_refused,
    a_replayed_call_is_refused,
    every_answer_is_signed,
)


def protocol_checks(host: Host) -> tuple[Check, ...]:
    """The checks of the protocol against one provisioner."""
    return tuple(_check(act, host) for act in _ALL)


def _check(act: Callable[[Caller], Awaitable[None]], host: Host) -> Check:
    async def run(trial: Trial) -> None:
        try:
            await act(Caller(host, trial))
        except httpx.HTTPError:
            expect(False, "the provisioner does not answer")

    return Check(getattr(act, "__name__", "").replace("_", "-"), (act.__doc__ or "").strip().rstrip("."), run)
