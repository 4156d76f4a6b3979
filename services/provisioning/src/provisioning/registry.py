"""The registry: hosting environments with dated evidence, dataset classes, and the list of those who opted out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from asyncpg import Connection

from safeguards.hosting import Environment, Evidence, days_of_change

PARIS = ZoneInfo("Europe/Paris")


def local_day(instant: datetime) -> date:
    """The date of an instant in Europe/Paris."""
    return instant.astimezone(PARIS).date()


def day_begins(day: date) -> datetime:
    """0:00 Europe/Paris."""
    return datetime(day.year, day.month, day.day, tzinfo=PARIS)


def day_is_over(day: date) -> datetime:
    """24:00 Europe/Paris."""
    return day_begins(day + timedelta(days=1))


async def register(connection: Connection, environment: Environment, at: datetime) -> None:
    """The newest registration of an environment, with the evidence it shows; an older one changes nothing.

    What it no longer shows is no longer counted on. A lost proof stays lost, shown again or not.
    """
    status = await connection.execute(
        "INSERT INTO environments VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (environment_id) DO UPDATE "
        "SET operator = excluded.operator, storage_country = excluded.storage_country, "
        "controlling_jurisdiction = excluded.controlling_jurisdiction, adequacy = excluded.adequacy, "
        "registered_at = excluded.registered_at WHERE environments.registered_at <= excluded.registered_at",
        environment.environment_id,
        environment.operator,
        environment.storage_country,
        environment.controlling_jurisdiction,
        environment.adequacy,
        at,
    )
    if status == "INSERT 0 0":
        return
    await connection.execute(
        "DELETE FROM evidence WHERE environment_id = $1 AND stated_at <= $2 AND lost_at IS NULL",
        environment.environment_id,
        at,
    )
    await connection.executemany(
        "INSERT INTO evidence VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        [_row(environment.environment_id, proof, at) for proof in environment.evidence],
    )


async def qualify(connection: Connection, environment_id: str, evidence: Sequence[Evidence], at: datetime) -> None:
    """An environment, known or not yet, obtained evidence; what it had lost before is valid again if this is it."""
    await connection.executemany(
        "INSERT INTO evidence VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (environment_id, type, issuer, reference, valid_from) DO UPDATE "
        "SET valid_to = excluded.valid_to, stated_at = excluded.stated_at, lost_at = NULL "
        "WHERE evidence.stated_at <= excluded.stated_at",
        [_row(environment_id, proof, at) for proof in evidence],
    )


def _row(environment_id: str, proof: Evidence, at: datetime) -> tuple[object, ...]:
    return environment_id, proof.type, proof.issuer, proof.reference, proof.valid_from, proof.valid_to, at


async def disqualify(connection: Connection, environment_id: str, evidence_type: str, at: datetime) -> None:
    """Every proof of this type that was stated before is lost from then on."""
    await connection.execute(
        "UPDATE evidence SET lost_at = $3 WHERE environment_id = $1 AND type = $2 AND stated_at <= $3 "
        "AND (lost_at IS NULL OR lost_at > $3)",
        environment_id,
        evidence_type,
        at,
    )


async def environments(connection: Connection, ids: Iterable[str] | None = None) -> dict[str, Environment]:
    """Environments by id with their evidence, all of them unless some are named."""
    wanted = None if ids is None else sorted(set(ids))
    rows = await connection.fetch(
        "SELECT * FROM environments WHERE $1::text[] IS NULL OR environment_id = ANY($1) ORDER BY environment_id",
        wanted,
    )
    evidence: dict[str, list[Evidence]] = {}
    for row in await connection.fetch(
        "SELECT * FROM evidence WHERE $1::text[] IS NULL OR environment_id = ANY($1) ORDER BY type, valid_from", wanted
    ):
        evidence.setdefault(row["environment_id"], []).append(
            Evidence(
                row["type"],
                row["issuer"],
                row["reference"],
                row["valid_from"],
                row["valid_to"],
                None if row["lost_at"] is None else local_day(row["lost_at"]),
            )
        )
    return {
        row["environment_id"]: Environment(
            row["environment_id"],
            row["operator"],
            row["storage_country"],
            row["controlling_jurisdiction"],
            row["adequacy"],
            tuple(evidence.get(row["environment_id"], ())),
        )
        for row in rows
    }


async def next_change(connection: Connection, environment_id: str, after: date) -> date | None:
    """The next day on which some evidence of an environment begins or is over."""
    found = (await environments(connection, [environment_id])).get(environment_id)
    days = days_of_change(found.evidence) if found else frozenset()
    return min((day for day in days if day > after), default=None)


async def describe_dataset(connection: Connection, dataset_id: str, dataset_class: str, at: datetime) -> bool:
    """The class of a dataset as its holder last described it; True when it is another than was known."""
    before = await dataset_classes(connection, [dataset_id])
    await connection.execute(
        "INSERT INTO datasets VALUES ($1, $2, $3) ON CONFLICT (dataset_id) DO UPDATE "
        "SET dataset_class = excluded.dataset_class, described_at = excluded.described_at "
        "WHERE datasets.described_at <= excluded.described_at",
        dataset_id,
        dataset_class,
        at,
    )
    return await dataset_classes(connection, [dataset_id]) != before


async def dataset_classes(connection: Connection, dataset_ids: Iterable[str]) -> frozenset[str]:
    """The classes these datasets have in the catalogue, as far as it knows them."""
    rows = await connection.fetch(
        "SELECT DISTINCT dataset_class FROM datasets WHERE dataset_id = ANY($1)", sorted(set(dataset_ids))
    )
    return frozenset(row["dataset_class"] for row in rows)


async def note_opt_out(connection: Connection, ref: str, opted_out: bool, list_version: int) -> None:
    """A person opted out or came back; an older version of the list changes nothing."""
    await connection.execute(
        "INSERT INTO opt_outs VALUES ($1, $2, $3) ON CONFLICT (ref) DO UPDATE "
        "SET opted_out = excluded.opted_out, list_version = excluded.list_version "
        "WHERE opt_outs.list_version <= excluded.list_version",
        ref,
        opted_out,
        list_version,
    )
    await connection.execute("UPDATE opt_out_list SET version = greatest(version, $1)", list_version)


async def opted_out(connection: Connection) -> tuple[frozenset[str], int]:
    """Everybody who has opted out, and the version of the list."""
    rows = await connection.fetch("SELECT ref FROM opt_outs WHERE opted_out")
    version = await connection.fetchval("SELECT version FROM opt_out_list")
    return frozenset(row["ref"] for row in rows), int(version)
