"""What became of a reference, read from the decision log of another process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from ostiary.database.engine import open_to_read, sqlite_path
from ostiary.diagnostics.decision_table import DECISIONS, find
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.record_json import RecordFault

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The log could not be asked. `what` is one line for operators."""

    what: str


def read_decision(url: str, reference: str, *, wait_seconds: float = 3.0) -> DecisionRecord | Unreadable | None:
    """Read one decision; None: there is no such reference.

    Args:
        url: from `decision_log_url`.
        reference: the request id, as the client saw it; in any case.
        wait_seconds: how long an unknown reference is waited for: it may be under way.

    Raises:
        ValueError: not the URL of an SQLite file.
    """
    until = time.monotonic() + wait_seconds
    while True:
        found = _read(url, reference.strip().lower())
        if isinstance(found, DecisionRecord) or time.monotonic() >= until:
            return found
        time.sleep(_POLL_SECONDS)


def _read(url: str, reference: str) -> DecisionRecord | Unreadable | None:
    if not sqlite_path(url).exists():
        return None
    engine = open_to_read(url)
    try:
        with engine.begin() as connection:
            if not inspect(connection).has_table(DECISIONS.name):
                return None
            return find(connection, reference)
    except DBAPIError as error:
        return Unreadable(what=str(error.orig))
    except RecordFault as fault:
        return Unreadable(what=str(fault))
    finally:
        engine.dispose()
