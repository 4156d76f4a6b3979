"""Whether the numbers that producers gave their events are all there: 1 to n for each source and subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import stories
from audit.dropped import DroppedEpochs
from audit.reading import Entry
from audit.report import Report
from audit.stories import record_of
from guichet_verify.attributes import attributes_of, data_sha256
from guichet_verify.leaves import NotALeaf

if TYPE_CHECKING:
    from chassis.database import Connection


async def check_sequences(connection: Connection, report: Report, dropped: DroppedEpochs) -> None:
    """Adds what is missing, and what bears a number that was given to something else, to the report.

    Once epochs were dropped, the numbers of a subject are there from the lowest that is left of it.
    """
    async for row in connection.cursor(_TOTALS, stories.OWN_TOPICS, prefetch=1000):
        report.sequences += 1
        source, subject, first = row["source"], row["subject"], dropped.first(row["lowest"], row["topic"])
        if row["highest"] - first + 1 == row["given"]:
            continue
        for hole in await connection.fetch(_HOLES, stories.OWN_TOPICS, source, subject, first - 1):
            for since, until in dropped.missing(source, subject, hole["first"], hole["last"]):
                report.fail("L6", None, None, f"sequence-missing: {source} {subject} {since} to {until}")
    last: tuple[object, ...] | None = None
    said: tuple[str | None, str | None] | None = None
    async for row in connection.cursor(_REPEATS, stories.OWN_TOPICS, prefetch=100):
        number = row["source"], row["subject"], row["sequence"]
        try:
            record = record_of(Entry(row["origin"], row["leaf_index"], row["leaf"], b"", row["data"]))
        except (NotALeaf, TypeError):
            continue  # Already a failure of its leaf.
        found = attributes_of(record).id, data_sha256(record)
        if number == last:
            report.repeats += 1
            if found != said:
                report.fail("L6", row["origin"], row["leaf_index"], "sequence-given-twice")
        else:
            last, said = number, found


_TOTALS = """
SELECT source, subject, min(topic) AS topic,
       min(sequence) AS lowest, max(sequence) AS highest, count(DISTINCT sequence) AS given
FROM audit.entry JOIN audit.log USING (log_id)
WHERE sequence IS NOT NULL AND source IS NOT NULL AND subject IS NOT NULL AND topic = ANY($1::text[])
GROUP BY source, subject ORDER BY subject, source
"""

_HOLES = """
SELECT previous + 1 AS first, sequence - 1 AS last FROM (
    SELECT sequence, lag(sequence, 1, $4::bigint) OVER (ORDER BY sequence) AS previous
    FROM audit.entry JOIN audit.log USING (log_id)
    WHERE source = $2 AND subject = $3 AND sequence IS NOT NULL AND topic = ANY($1::text[])
) AS numbered WHERE sequence > previous + 1 ORDER BY 1 LIMIT 100
"""

_REPEATS = r"""
SELECT source, subject, sequence, origin, leaf_index, leaf,
       CASE WHEN substr(leaf, 5, 1) = '\x02'
            THEN (SELECT data FROM audit.blob WHERE digest = substr(leaf, length(leaf) - 31)) END AS data
FROM (
    SELECT source, subject, sequence FROM audit.entry
    WHERE sequence IS NOT NULL AND source IS NOT NULL AND subject IS NOT NULL
    GROUP BY source, subject, sequence HAVING count(*) > 1
) AS repeated
JOIN audit.entry USING (source, subject, sequence) JOIN audit.log USING (log_id)
WHERE topic = ANY($1::text[])
ORDER BY source, subject, sequence, log_id, leaf_index
"""
