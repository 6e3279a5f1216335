"""SQLite as this product opens it: to write with the lock at once, to read without a trace."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from ostiary.database.engine import open_to_read, open_to_write, sqlite_path
from ostiary.database.schema import SchemaFault, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

METADATA = MetaData()
THINGS = Table("things", METADATA, Column("id", Integer, primary_key=True))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a #%20 b.sqlite'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_to_write(url)
    prepare(opened, METADATA, 1)
    yield opened
    opened.dispose()


def test_readers_and_the_writer_do_not_wait_for_each_other(engine: Engine, url: str) -> None:
    """Ours: `explain` reads while records are written."""
    reader = open_to_read(url)
    with engine.begin() as writing:
        writing.execute(insert(THINGS).values(id=1))
        with reader.begin() as reading:
            assert reading.execute(select(THINGS.c.id)).all() == []
    with reader.begin() as reading:
        assert reading.execute(select(THINGS.c.id)).scalars().all() == [1]
        assert reading.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    reader.dispose()


def test_who_reads_changes_nothing(engine: Engine, url: str) -> None:
    """Ours."""
    reader = open_to_read(url)
    with pytest.raises(OperationalError, match="readonly"), reader.begin() as connection:
        connection.execute(insert(THINGS).values(id=1))
    reader.dispose()
    with engine.begin() as connection:
        assert connection.execute(select(THINGS.c.id)).all() == []


def test_who_reads_makes_no_file(tmp_path: Path, url: str) -> None:
    """Ours."""
    reader = open_to_read(url)
    with pytest.raises(OperationalError, match="unable to open"), reader.begin():
        pass
    reader.dispose()

    assert list(tmp_path.iterdir()) == []


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    """Ours: the driver's own transactions would have kept the first row."""
    with pytest.raises(IntegrityError) as refused:
        _insert_twice(engine, 4711)
    with engine.begin() as connection:
        assert connection.execute(select(THINGS.c.id)).all() == []
    assert "4711" not in str(refused.value)


def test_the_file_and_its_log_are_their_owners_alone(engine: Engine, tmp_path: Path) -> None:
    """`architecture.md`: what lies in `data_dir` is ours."""
    with engine.begin() as connection:
        connection.execute(insert(THINGS).values(id=1))

    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {".sqlite": 0o600, ".sqlite-wal": 0o600, ".sqlite-shm": 0o600}


@pytest.mark.parametrize("url", ["postgresql://localhost/x", "sqlite://", "mysql:///x"])
def test_another_database_is_refused(url: str) -> None:
    """`configuration.md`: SQLite alone, in this version."""
    with pytest.raises(ValueError, match="SQLite"):
        sqlite_path(url)


def test_tables_are_made_once_and_looked_at_afterwards(engine: Engine) -> None:
    """Ours."""
    prepare(engine, METADATA, 1)

    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 1


@pytest.mark.parametrize("found", [0, 2])
def test_tables_of_another_program_or_version_are_left_alone(engine: Engine, found: int) -> None:
    """Ours: `url` may name any file."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA user_version={found}")

    with pytest.raises(SchemaFault, match=f"schema {found}, this program writes 1"):
        prepare(engine, METADATA, 1)


def _insert_twice(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(insert(THINGS).values(id=number))
        connection.execute(insert(THINGS).values(id=number))
