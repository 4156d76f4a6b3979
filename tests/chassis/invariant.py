"""The sentence that must hold whatever happens: effects == inputs, each once and in order for each key; dead letters
== poison; offsets == end; outbox empty."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

import asyncpg
from aiokafka import TopicPartition


async def check_invariant(
    connection: asyncpg.Connection,
    *,
    inputs: Sequence[tuple[str, str, int]],
    ends: Mapping[TopicPartition, int],
    poison: Collection[str] = (),
    published: Sequence[tuple[str, str, int]] | None = None,
) -> None:
    """Check a database after everything was consumed.

    `inputs` are the good events as (key, event id, number), in the order of their key, repetitions allowed; `poison`
    the ids that nobody can act upon; `ends` the ends of the logs; `published` what stands on the outgoing topic, as
    (key, event id, number) by partition and offset.
    """
    good = list(dict.fromkeys(inputs))
    facts = await connection.fetch(
        """
        SELECT event_id::text, key, causation_id, (convert_from(body, 'UTF8')::json->>'number')::int AS number
        FROM chassis.facts WHERE causation_id IS NOT NULL ORDER BY key, sequence
        """
    )
    caused = Counter(fact["causation_id"] for fact in facts)
    assert caused == Counter(event_id for _, event_id, _ in good), "each input once, nothing else"

    per_key: dict[str, list[int]] = defaultdict(list)
    for key, _, number in good:
        per_key[key].append(number)
    echoed: dict[str, list[int]] = defaultdict(list)
    for fact in facts:
        echoed[fact["key"]].append(fact["number"])
    assert echoed == per_key, "in order for each key"

    sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in await connection.fetch("SELECT source, subject, sequence FROM chassis.facts ORDER BY sequence"):
        sequences[row["source"], row["subject"]].append(row["sequence"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in sequences.values()), "sequences without gap"

    notes: dict[str, list[int]] = defaultdict(list)
    for row in await connection.fetch("SELECT key, number FROM public.notes ORDER BY id"):
        notes[row["key"]].append(row["number"])
    assert notes == per_key, "the handler's own effects are the same"

    letters = await connection.fetch("SELECT event_id FROM chassis.dead_letters WHERE state = 'open'")
    assert Counter(row["event_id"] for row in letters) == Counter(poison), "dead letters are the poison"

    rows = await connection.fetch("SELECT topic, part, next_offset FROM chassis.offsets")
    offsets = {TopicPartition(row["topic"], row["part"]): row["next_offset"] for row in rows}
    assert offsets == {place: end for place, end in ends.items() if end or place in offsets}, "offsets are at the end"

    if published is not None:
        assert await connection.fetchval("SELECT count(*) FROM chassis.outbox") == 0, "the outbox is empty"
        first = list(dict.fromkeys(published))
        assert {event_id for _, event_id, _ in first} == {fact["event_id"] for fact in facts}, "all is published"
        on_topic: dict[str, list[int]] = defaultdict(list)
        for key, _, number in first:
            on_topic[key].append(number)
        assert on_topic == per_key, "first occurrences are in order on the topic"
