"""Signed calls to a provisioner: every answer is checked before it is believed, and what may pass is tried again."""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

import httpx
from pydantic import ValidationError

from contracts.facts import Shape
from provisioning.environments import Refused, Superseded, Trouble
from provisioning.environments import http_wire as wire
from provisioning.environments.http_signing import (
    Keys,
    NotAuthentic,
    answer_components,
    content_digest,
    request_components,
    sign,
    signature_of,
    verify,
)

JSON: Final = "application/json"
ROWS: Final = "text/tab-separated-values"
LARGEST_ANSWER: Final = 8 * 1024 * 1024
PASSING: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""What is tried again at once, with back-off, before the step as a whole is put off."""
LONGEST_PAUSE: Final = 5.0

S = TypeVar("S", bound=Shape)


@dataclass(frozen=True, slots=True)
class Host:
    """Where a provisioner is and how it is spoken to.

    url               without a slash at its end; https, but for a provisioner on this machine
    request_seconds   how long one answer may take
    tries             attempts at one request before the step is put off
    ca_file           certificates to trust in place of the system's
    """

    url: str
    keys: Keys
    request_seconds: float = 10.0
    tries: int = 3
    ca_file: Path | None = None


def trusting(host: Host) -> ssl.SSLContext | bool:
    """What certifies the other side: nothing for a provisioner on this machine without TLS."""
    return ssl.create_default_context(cafile=host.ca_file) if host.url.startswith("https:") else False


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, kind: type[S]) -> S:
        """The body as what it should be; raises Trouble, which never names a value."""
        try:
            return kind.model_validate_json(self.body)
        except ValidationError:
            raise Trouble("ANSWER_NOT_UNDERSTOOD") from None


class Client:
    """Use as an async context manager, one for a step."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._http = httpx.AsyncClient(
            verify=trusting(host),
            trust_env=False,
            follow_redirects=False,
            timeout=host.request_seconds,
            # A digest is of what travels: it travels as it is.
            headers={"accept-encoding": "identity"},
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        body: Shape | bytes = b"",
        *,
        query: str = "",
        order: Mapping[str, str] | None = None,
        absent_is_fine: bool = False,
    ) -> Answer | None:
        """The answer to a call, tried again while that may help; None when nothing is there and that is fine.

        Raises Refused, Superseded or Trouble. A call that was carried out without our hearing of it is sent again:
        every order can be repeated.
        """
        for attempt in range(1, self._host.tries + 1):
            try:
                answer = await self._once(method, path, body, query, order or {})
            except Trouble:
                if attempt == self._host.tries:
                    raise
                await asyncio.sleep(_pause(attempt, None))
                continue
            if answer.status in PASSING and attempt < self._host.tries:
                await asyncio.sleep(_pause(attempt, answer.headers.get("retry-after")))
                continue
            if answer.status == HTTPStatus.NOT_FOUND and absent_is_fine:
                return None
            _raise_for(answer)
            return answer
        raise Trouble("ENVIRONMENT_UNAVAILABLE")

    async def must(
        self,
        method: str,
        path: str,
        body: Shape | bytes = b"",
        *,
        query: str = "",
        order: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a call about something that must be there; Refused("NOT_THERE") when it is not."""
        answer = await self.send(method, path, body, query=query, order=order)
        if answer is None:
            raise Refused("NOT_THERE")
        return answer

    async def knock(self, path: str, *, login: str, password: str) -> Answer:
        """Come to the door as a person does: with a password over TLS and no signature of ours."""
        basic = base64.b64encode(f"{login}:{password}".encode()).decode()
        return await self._exchange(self._as_person("POST", path, f"Basic {basic}"))

    async def look(self, path: str, token: str) -> Answer:
        """See what a session sees, as a person does."""
        return await self._exchange(self._as_person("GET", path, f"Bearer {token}"))

    def _as_person(self, method: str, path: str, authorization: str) -> httpx.Request:
        return self._http.build_request(method, self._host.url + path, headers={"authorization": authorization})

    async def _once(self, method: str, path: str, body: Shape | bytes, query: str, order: Mapping[str, str]) -> Answer:
        content = body if isinstance(body, bytes) else body.model_dump_json(by_alias=True).encode()
        url = httpx.URL(self._host.url + path, query=query.encode() or None)
        headers = {"content-digest": content_digest(content), **order}
        headers["content-type"] = ROWS if isinstance(body, bytes) and body else JSON
        components = request_components(method, url.raw_path.decode().partition("?")[0], query, headers)
        signed = sign(self._host.keys, components, tag="guichet-order", created=int(time.time()), nonce=str(uuid4()))
        answer = await self._exchange(self._http.build_request(method, url, content=content, headers=headers | signed))
        if answer.status in PASSING:
            # A proxy in between has no key: what it says is only that it did not work.
            return answer
        try:
            covered = answer_components(answer.status, answer.headers, signature_of(signed))
            verify(self._host.keys, covered, answer.headers, answer.body, tag="guichet-answer", now=time.time())
        except NotAuthentic:
            raise Trouble("ANSWER_NOT_AUTHENTIC") from None
        return answer

    async def _exchange(self, request: httpx.Request) -> Answer:
        try:
            async with asyncio.timeout(self._host.request_seconds):
                response = await self._http.send(request, stream=True)
                try:
                    body = bytearray()
                    async for part in response.aiter_bytes():
                        body += part
                        if len(body) > LARGEST_ANSWER:
                            raise Trouble("ANSWER_TOO_LARGE")
                finally:
                    await response.aclose()
        except TimeoutError:
            raise Trouble("PROVISIONER_SILENT") from None
        except httpx.HTTPError:
            raise Trouble("ENVIRONMENT_UNAVAILABLE") from None
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))


def _pause(attempt: int, asked: str | None) -> float:
    if asked is not None:
        with suppress(ValueError):
            return min(LONGEST_PAUSE, max(0.0, float(asked)))
    return float(min(LONGEST_PAUSE, 0.2 * 2.0**attempt) * random.uniform(0.5, 1))


def _raise_for(answer: Answer) -> None:
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if answer.status in PASSING:
        raise Trouble(f"PROVISIONER_ANSWERED_{answer.status}")
    if answer.status == HTTPStatus.NOT_FOUND:
        raise Refused("NOT_THERE")
    problem = answer.read(wire.Trouble)
    if answer.status == HTTPStatus.CONFLICT and problem.code == wire.SUPERSEDED:
        raise Superseded
    if answer.status == HTTPStatus.CONFLICT and problem.code == wire.LOGIN_NOT_OPEN:
        raise Refused("LOGIN_NOT_OPEN")
    if problem.code in wire.REFUSALS:
        raise Refused("PROVISIONER_" + problem.code.upper().replace("-", "_"))
    raise Trouble(f"PROVISIONER_ANSWERED_{answer.status}")
