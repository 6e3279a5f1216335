"""SQLite as this product uses it: write-ahead log, bounded waits, files that only their owner reads.

With a write-ahead log readers never wait for the writer, and a killed writer leaves what it committed (a power failure
may take the last transactions, never the file: `synchronous=NORMAL`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection

_BUSY_MILLISECONDS: Final = 5000
_WRITING: Final = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "PRAGMA journal_size_limit=16777216")
_READING: Final = ("PRAGMA query_only=ON",)


def sqlite_path(url: str) -> Path:
    """The file behind `sqlite:///PATH`.

    Raises:
        ValueError: it is the URL of something else.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ValueError("not the URL of an SQLite file")
    return Path(parsed.database)


def open_to_write(url: str) -> Engine:
    """An engine whose every transaction holds the write lock from its beginning; the file is made, 0600.

    Raises:
        OSError: the file cannot be made.
        ValueError: not the URL of an SQLite file.
    """
    path = sqlite_path(url)
    # SQLite would make it by the umask; its `-wal` and `-shm` take the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return _engine(URL.create("sqlite", database=str(path)), _WRITING, "BEGIN IMMEDIATE")


def open_to_read(url: str) -> Engine:
    """An engine that changes nothing and makes no file.

    Raises:
        ValueError: not the URL of an SQLite file.
    """
    name = "file:" + quote(str(sqlite_path(url).absolute()))
    return _engine(URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"}), _READING, "BEGIN")


def _engine(url: URL, pragmas: tuple[str, ...], begin: str) -> Engine:
    # Parameters are rows; they do not belong into the text of an error.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_MILLISECONDS / 1000})

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transactions begin too late (before the first INSERT, after a SELECT): they are ours.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_at_once(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
