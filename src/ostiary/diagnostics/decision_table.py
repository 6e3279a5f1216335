"""The table of decisions: one row a reference. What is searched has a column; the record is the JSON it came as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import REAL, Column, Integer, LargeBinary, MetaData, Table, Text, delete, select
from sqlalchemy.dialects.sqlite import insert

from ostiary.diagnostics.merging import merge
from ostiary.diagnostics.record_json import RecordFault, compose, from_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from ostiary.diagnostics.record import DecisionRecord

SCHEMA_VERSION: Final = 1
METADATA: Final = MetaData()
DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("sequence", Integer, primary_key=True),  # in the order of arrival
    Column("reference", Text, nullable=False, unique=True),
    Column("time", REAL, nullable=False, index=True),
    Column("door", Text, nullable=False),
    Column("route", Text),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("record", LargeBinary, nullable=False),
)
_REPLACED: Final = ("time", "door", "route", "verdict", "reason", "record")
_MAX_DELETED: Final = 5000


def store(connection: Connection, records: Iterable[DecisionRecord]) -> None:
    """Write records; each becomes one with what is there under its reference."""
    batch: dict[str, DecisionRecord] = {}
    for record in records:
        before = batch.get(record.reference)
        batch[record.reference] = record if before is None else merge(before, record)
    known = connection.execute(
        select(DECISIONS.c.reference, DECISIONS.c.record).where(DECISIONS.c.reference.in_(batch))
    )
    for reference, data in known:
        try:
            batch[reference] = merge(from_json(data), batch[reference])
        except RecordFault:  # a row that somebody else has changed: the new one stands alone
            continue
    if batch:
        statement = insert(DECISIONS)
        replaced = {name: statement.excluded[name] for name in _REPLACED}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["reference"], set_=replaced),
            [_row(record) for record in batch.values()],
        )


def find(connection: Connection, reference: str) -> DecisionRecord | None:
    """The record of a reference.

    Raises:
        RecordFault: the row is no record.
    """
    data = connection.execute(select(DECISIONS.c.record).where(DECISIONS.c.reference == reference)).scalar_one_or_none()
    return None if data is None else from_json(data)


def expire(connection: Connection, *, before: float, rows: int) -> bool:
    """Delete what is older than `before` and all but the newest `rows`; at most 5,000 of each at once.

    Returns:
        Whether there may be more.
    """
    newest_too_many = (
        select(DECISIONS.c.sequence).order_by(DECISIONS.c.sequence.desc()).limit(1).offset(rows).scalar_subquery()
    )
    deleted = [
        connection.execute(
            delete(DECISIONS).where(
                DECISIONS.c.sequence.in_(select(DECISIONS.c.sequence).where(too_many).limit(_MAX_DELETED))
            )
        ).rowcount
        for too_many in (DECISIONS.c.time < before, DECISIONS.c.sequence <= newest_too_many)
    ]
    return max(deleted) == _MAX_DELETED


def _row(record: DecisionRecord) -> dict[str, object]:
    """A row of what the JSON says: bounded, and free of what SQLite cannot store."""
    found, data = compose(record)
    return {
        "reference": found["reference"],
        "time": record.time,
        "door": record.door.value,
        "route": found.get("route"),
        "verdict": record.verdict.value,
        "reason": None if record.reason is None else record.reason.value,
        "record": data,
    }
