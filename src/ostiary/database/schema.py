"""Which tables a file has: made where there is none, refused where they are another's.

The version is SQLite's own number for it, `user_version`. There is one version of each schema so far; the first that
needs a second brings the way from one to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Engine, MetaData


class SchemaFault(Exception):  # noqa: N818 - the file's fault
    """The file belongs to another program or to another version of this one."""


def prepare(engine: Engine, metadata: MetaData, version: int) -> None:
    """Make the tables in an empty file; look at the version of another. In one transaction.

    Raises:
        SchemaFault: the file is not empty and has not this version.
        sqlalchemy.exc.SQLAlchemyError: the file cannot be read or written.
    """
    with engine.begin() as connection:
        found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if found == version:
            return
        if found != 0 or inspect(connection).get_table_names():
            raise SchemaFault(f"the database has schema {found}, this program writes {version}")
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version={version:d}")
