"""Spans that follow a request through the outbox: the parent of a consumer's span is the transaction that spoke.

Attributes are names and ids, never values. Without a collector nothing is recorded, but trace contexts still travel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer

from chassis.errors import code_of

MOST_LINKS = 128

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values, version 00; later ones begin in the same way.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)")

_tracer: Tracer = trace.NoOpTracer()
_parents: ContextVar[dict[str, str]] = ContextVar("parents", default={})  # noqa: B039 - never changed in place


def configure_traces(
    service: str, release: str, *, otlp_endpoint: str | None, ratio: float, exporter: SpanExporter | None = None
) -> TracerProvider:
    """The provider of this process, which the caller shuts down at the end. `exporter` replaces the one for OTLP."""
    global _tracer
    if exporter is None and otlp_endpoint is not None:
        # Takes a third of a second and ten megabytes to import.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.version": release}),
        sampler=ParentBased(TraceIdRatioBased(ratio) if exporter else ALWAYS_OFF),
        span_limits=SpanLimits(max_links=MOST_LINKS, max_events=0),
        shutdown_on_exit=False,
    )
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("chassis")
    return provider


@contextmanager
def span(name: str, *, parent: str | None = None, **attributes: str | int) -> Iterator[Span]:
    """A span around a transaction that nothing consumed caused: a request, a timer, a loop.

    `parent` is a traceparent; a malformed one is passed over.
    """
    context = read_traceparent(parent) if parent else None
    above = trace.set_span_in_context(NonRecordingSpan(context)) if context else None
    started = _tracer.start_span(name, above, attributes=attributes)
    with _current(started):
        yield started


@contextmanager
def batch_span(name: str, events: Iterable[tuple[str, str | None]], **attributes: str | int) -> Iterator[Span]:
    """A span around the transaction of a batch, linked to the first 128 of its events, given as (id, traceparent).

    An event whose parent was sampled gets a span of its own, a child of whoever said it; what is said because of the
    event (see `traceparent_for`) continues from there.
    """
    contexts = {event_id: context for event_id, parent in events if parent and (context := read_traceparent(parent))}
    links = [Link(context) for context in list(contexts.values())[:MOST_LINKS]]
    own = {
        event_id: _tracer.start_span(
            f"{name} event",
            context=trace.set_span_in_context(NonRecordingSpan(context)),
            kind=SpanKind.CONSUMER,
            attributes={"event.id": event_id},
        )
        for event_id, context in contexts.items()
        if context.trace_flags.sampled
    }
    parents = {event_id: write_traceparent(context) for event_id, context in contexts.items()}
    parents |= {event_id: write_traceparent(each.get_span_context()) for event_id, each in own.items()}
    token = _parents.set(parents)
    try:
        started = _tracer.start_span(name, kind=SpanKind.CONSUMER, links=links, attributes=attributes)
        with _current(started):
            yield started
    finally:
        _parents.reset(token)
        for each in own.values():
            each.end()


@contextmanager
def _current(started: Span) -> Iterator[None]:
    """The SDK's own way would keep the text of an exception, in an event and in the status."""
    with trace.use_span(started, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            started.set_status(StatusCode.ERROR, code_of(error))
            raise


def current_traceparent(cause: str | None = None) -> str | None:
    """The `traceparent` for something said now, because of the event with the id `cause` when that is in the batch."""
    if cause is not None and (parent := _parents.get().get(cause)):
        return parent
    context = trace.get_current_span().get_span_context()
    return write_traceparent(context) if context.is_valid else None


def read_traceparent(text: str) -> SpanContext | None:
    """The remote context a header speaks of; None when it is malformed, as W3C Trace Context 4.3 asks."""
    if (match := _TRACEPARENT.match(text)) is None:
        return None
    context = SpanContext(
        int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16))
    )
    return context if context.is_valid else None


def write_traceparent(context: SpanContext) -> str:
    """A context as a header."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"
