"""The bare loop that the trail is held against: consume and COPY the same bytes; no tree, no guard, no fence."""

import asyncio
import json
import os
import sys
import time
from datetime import datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.topics import PORTAL
from guichet.bench.ratio import PARTITIONS, steady_rate

TABLE = """
CREATE TABLE IF NOT EXISTS copied (
    part int NOT NULL, place bigint NOT NULL, event_id text COLLATE "C", event_type text COLLATE "C",
    source text COLLATE "C", subject text COLLATE "C", sequence bigint, event_time timestamptz, leaf bytea NOT NULL
);
ALTER TABLE copied ALTER COLUMN leaf SET STORAGE EXTERNAL;
"""
INDEXES = """
CREATE UNIQUE INDEX IF NOT EXISTS copied_place ON copied (part, place);
CREATE INDEX IF NOT EXISTS copied_subject ON copied (subject, source, sequence);
CREATE INDEX IF NOT EXISTS copied_event ON copied (event_id);
CREATE INDEX IF NOT EXISTS copied_time ON copied USING brin (event_time);
"""
"""Those of the trail's own table of leaves."""

Row = tuple[int, int, str, str, str, str, int | None, datetime, bytes]


def _row(record: ConsumerRecord) -> Row:
    said = {name: (value or b"").decode() for name, value in record.headers}
    return (
        record.partition,
        record.offset,
        said["ce_id"],
        said["ce_type"],
        said["ce_source"],
        said["ce_subject"],
        int(said["ce_sequence"]) if "ce_sequence" in said else None,
        datetime.fromisoformat(said["ce_time"]),
        b"".join([record.key or b"", *(value or b"" for _, value in record.headers), record.value or b""]),
    )


async def main(count: int, *, indexed: bool) -> None:
    """Copies `count` records that are not there yet, and prints records a second as JSON."""
    connection = await asyncpg.connect(os.environ["GUICHET_DATABASE_URL"])
    await connection.execute(TABLE + (INDEXES if indexed else ""))
    known = await connection.fetch("SELECT part, max(place) + 1 AS place FROM copied GROUP BY part")
    ends: dict[int, int] = {row["part"]: row["place"] for row in known}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=os.environ["GUICHET_KAFKA"],
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    places = [TopicPartition(PORTAL, part) for part in range(PARTITIONS)]
    consumer.assign(places)
    for place in places:
        consumer.seek(place, ends.get(place.partition, 0))
    done, marks = 0, [(time.monotonic(), 0)]
    while done < count:
        found = await consumer.getmany(timeout_ms=100, max_records=1_000)
        rows = [_row(record) for batch in found.values() for record in batch]
        if rows:
            await connection.copy_records_to_table("copied", records=rows)
            done += len(rows)
            marks.append((time.monotonic(), done))
    await consumer.stop()
    await connection.close()
    sys.stdout.write(json.dumps({"rate": steady_rate(marks, count)}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), indexed="indexed" in sys.argv))
