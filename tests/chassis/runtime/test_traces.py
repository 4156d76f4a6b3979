"""Traces: the parent of a consumer's span is the transaction that caused it; attributes are ids."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import traces

Spans = InMemorySpanExporter


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Where every span goes, all being sampled."""
    exporter = InMemorySpanExporter()
    provider = traces.configure_traces("tiny", "r1", otlp_endpoint=None, ratio=1.0, exporter=exporter)
    exporter.provider = provider  # type: ignore[attr-defined]
    yield exporter
    provider.shutdown()


def finished(spans: Spans) -> dict[str, ReadableSpan]:
    provider: TracerProvider = spans.provider  # type: ignore[attr-defined]
    provider.force_flush()
    return {span.name: span for span in spans.get_finished_spans()}


def test_a_consumer_s_span_is_the_child_of_the_transaction_that_spoke(spans: Spans) -> None:
    with traces.span("request"):
        said = traces.current_traceparent()
    with traces.batch_span("batch", [("event-1", said)]):
        said_next = traces.current_traceparent("event-1")
    found = finished(spans)
    event, request = found["batch event"], found["request"]
    assert event.parent is not None and request.context is not None and event.context is not None
    assert event.parent.span_id == request.context.span_id
    assert event.context.trace_id == request.context.trace_id
    assert said_next == traces.write_traceparent(event.context)
    assert dict(event.attributes or {}) == {"event.id": "event-1"}
    assert [link.context.span_id for link in found["batch"].links] == [request.context.span_id]


def test_an_event_whose_parent_was_not_sampled_has_no_span_and_keeps_its_trace(spans: Spans) -> None:
    unsampled = f"00-{uuid4().hex}-{uuid4().hex[:16]}-00"
    with traces.batch_span("batch", [("event-1", unsampled), ("event-2", None)]):
        assert traces.current_traceparent("event-1") == unsampled
        assert traces.current_traceparent("event-2") == traces.current_traceparent()
    assert finished(spans).keys() == {"batch"}


def test_a_batch_links_to_its_first_128_events(spans: Spans) -> None:
    events = [(f"event-{number}", f"00-{uuid4().hex}-{number + 1:016x}-00") for number in range(500)]
    with traces.batch_span("batch", events):
        pass
    links = finished(spans)["batch"].links
    assert [link.context.span_id for link in links] == list(range(1, 129))


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", f"ff-{'1' * 32}-{'1' * 16}-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"],
)
def test_a_malformed_traceparent_is_passed_over(spans: Spans, text: str) -> None:
    assert traces.read_traceparent(text) is None
    with traces.batch_span("batch", [("event-1", text)]):
        assert traces.current_traceparent("event-1") == traces.current_traceparent()


def test_an_error_leaves_its_span_without_its_text(spans: Spans) -> None:
    marker = "zq7MARKERzq7"
    with pytest.raises(ValueError, match=marker), traces.span("request"):
        raise ValueError(marker)
    assert marker not in finished(spans)["request"].to_json()


def test_without_a_collector_contexts_travel_and_nothing_is_recorded() -> None:
    traces.configure_traces("tiny", "r1", otlp_endpoint=None, ratio=1.0)
    parent = f"00-{uuid4().hex}-{uuid4().hex[:16]}-00"
    with traces.span("request", parent=parent) as span:
        said = traces.current_traceparent()
        assert not span.is_recording()
    assert said is not None and said.split("-")[1] == parent.split("-")[1]
    assert said.endswith("-00")
    assert traces.current_traceparent() is None
