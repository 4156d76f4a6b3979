"""Counters and gauges of one process in a registry of its own; label children are looked up once and kept."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BATCH_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_DELAY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300)


class CountedBy:
    """A counter with one label, whose children are kept: a `labels()` call costs more than an increment."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._children: dict[str, Counter] = {}

    def add(self, label: str, amount: int = 1) -> None:
        """Adds `amount`, zero or more, under the label."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = self._counter.labels(label)
        child.inc(amount)


class GaugedBy:
    """A gauge with one label, whose children are kept."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._children: dict[str, Gauge] = {}

    def set(self, label: str, value: float) -> None:
        """Sets the value under the label."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = self._gauge.labels(label)
        child.set(value)


class Metrics:
    """Everything this process counts. Labels are topics, codes and names of loops: never an id or a value."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.consumed = self._counted_by("consumed", "Records read from a topic.", "topic")
        self.processed = self._counted_by("processed", "Events handed to the service and committed.", "topic")
        self.skipped = self._counted_by(
            "skipped", "Records passed over: duplicate, fenced, not-ours, parked.", "reason"
        )
        self.dead_lettered = self._counted_by("dead_lettered", "Records set aside, by reason code.", "code")
        self.published = self._counted_by("published", "Records acknowledged by the broker.", "topic")
        self.retries = self._counted_by("retries", "Waits for something unavailable, by who waits.", "who")
        self.restarts = self._counted_by("restarts", "Loops and consumers started again.", "who")
        self.records_lost = self._counted_by(
            "records_lost", "Records that left the log before they were read.", "topic"
        )
        self.timers_fired = Counter("guichet_timers_fired", "Timers fired and committed.", registry=self.registry)
        self.timers_failed = Counter("guichet_timers_failed", "Timers that raised, each try.", registry=self.registry)
        self.batch_seconds = Histogram(
            "guichet_batch_seconds", "From records in hand to commit.", buckets=_BATCH_BUCKETS, registry=self.registry
        )
        self.batch_records = Histogram(
            "guichet_batch_records",
            "Records in a batch.",
            buckets=(1, 5, 20, 50, 100, 200, 500),
            registry=self.registry,
        )
        self.publish_seconds = Histogram(
            "guichet_publish_seconds", "One round of the relay.", buckets=_BATCH_BUCKETS, registry=self.registry
        )
        self.timer_delay_seconds = Histogram(
            "guichet_timer_delay_seconds", "From due to fired.", buckets=_DELAY_BUCKETS, registry=self.registry
        )
        self.lag = GaugedBy(Gauge("guichet_lag", "Records not yet processed.", ["topic"], registry=self.registry))
        self.stored = GaugedBy(
            Gauge(
                "guichet_stored", "Rows waiting: outbox, timers_due, dead_letters, …", ["what"], registry=self.registry
            )
        )
        self.ages = GaugedBy(
            Gauge("guichet_age_seconds", "Since something last went well, by what.", ["what"], registry=self.registry)
        )
        self.timers_failing = Gauge("guichet_timers_failing", "Timers waiting for another try.", registry=self.registry)
        self.outbox_age_seconds = Gauge(
            "guichet_outbox_age_seconds", "Age of the oldest unpublished pointer.", registry=self.registry
        )
        self.loop_lag_seconds = Gauge(
            "guichet_loop_lag_seconds", "Worst delay of the event loop lately.", registry=self.registry
        )

    def text(self) -> bytes:
        """The exposition format of Prometheus, text version."""
        return generate_latest(self.registry)

    def _counted_by(self, name: str, help_text: str, label: str) -> CountedBy:
        return CountedBy(Counter(f"guichet_{name}", help_text, [label], registry=self.registry))
