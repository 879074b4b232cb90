"""A batch's cohort table in a database: SQLite or PostgreSQL, one row a slide, replaced by the slide's id.

The table has the columns of `cohort.csv`, each with its type, and `notes`: the worklist's `note…` columns as
JSON. It is made when it is missing. There are no migrations: a table of another form is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxpath.batch.cohort import cohort_rows
from cxpath.batch.worklist import read_batch
from cxpath.documents import CohortRow, ColumnEntry, ColumnKind
from cxpath.errors import ConfigurationError, DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Table
    from sqlalchemy.types import TypeEngine

_INSTALL = "pip install 'cxpath[sql]'"
_HINT = "the files contain all results: run cxpath batch export again"
_FORMS = "such as postgresql://user@host/name, or the path of a file for SQLite"
_LOCK_KEY = 0x63787061  # "cxpa": two exports must not make the table at once
_SQLITE = "sqlite:///"
_DRIVER = {"postgresql": "postgresql+pg8000", "postgres": "postgresql+pg8000"}


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Parameters
    ----------
    slides : int
    table, database : str
        For people; without the password.
    """

    slides: int
    table: str
    database: str


def export_cohort(folder: Path, sql: str, table: str) -> Exported:
    """Write the cohort table of a batch into a database, all rows or none.

    Parameters
    ----------
    folder : Path
        The batch's folder; its files are read, not `cohort.csv`.
    sql : str
        `postgresql://user:password@host/name`, `sqlite:///file.db`, or the path of a file for SQLite.
    table : str

    Raises
    ------
    MissingFileError
        When the folder contains no batch.
    ConfigurationError
        When the URL is none, or of another kind of database.
    DatabaseError
        When the database cannot be reached or written, or its table has other columns.
    """
    if find_spec("sqlalchemy") is None:
        raise DatabaseError("--sql needs sqlalchemy, which is not installed", _INSTALL)
    url = database_url(sql)
    rows = cohort_rows(*read_batch(folder))
    shown = url.database or "" if url.drivername == "sqlite" else url.render_as_string(hide_password=True)
    with _transaction(url, shown) as connection:
        replace_rows(connection, _table(table), rows, shown)
    return Exported(len(rows), table, shown)


def database_url(sql: str) -> URL:
    """Return the URL of a database; the path of a file is taken as it stands, `?` and `%` are its own."""
    from sqlalchemy import URL, make_url  # noqa: PLC0415  # an extra
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    if sql.startswith(_SQLITE) or "://" not in sql:
        path = sql.removeprefix(_SQLITE)
        if not path:
            raise ConfigurationError("--sql (or CXPATH_SQL) names no database", _FORMS)
        return URL.create("sqlite", database=str(Path(path).absolute()))
    try:
        url = make_url(sql)
    except (ArgumentError, ValueError):  # its text would show the password
        raise ConfigurationError("--sql is not a database URL", _FORMS) from None
    if url.drivername not in _DRIVER:
        raise ConfigurationError(f"--sql {url.drivername}: is not supported", _FORMS)
    return url.set(drivername=_DRIVER[url.drivername])


def replace_rows(connection: Connection, table: Table, rows: Sequence[CohortRow], shown: str) -> None:
    """Write rows, each in the place of an earlier one of its slide; the table is made when it is missing.

    Raises
    ------
    DatabaseError
        When there is a table of that name with other columns.
    """
    from sqlalchemy import bindparam, delete, insert, inspect  # noqa: PLC0415  # an extra

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
    if inspect(connection).has_table(table.name):
        _require_columns(connection, table, shown)
    else:
        table.create(connection)
    if rows:
        connection.execute(
            delete(table).where(table.c.id == bindparam("slide")), [{"slide": row.id} for row in rows]
        )
        connection.execute(insert(table), [_entry(row) for row in rows])


def _table(name: str) -> Table:
    from sqlalchemy import BigInteger, Boolean, Column, Float, MetaData, Table, Text  # noqa: PLC0415  # an extra

    types: dict[ColumnKind, type[Any]] = {
        "text": Text,
        "number": Float,
        "whole": BigInteger,
        "yes/no": Boolean,
    }
    columns = [Column(one.name, types[one.kind], primary_key=one.name == "id") for one in CohortRow.columns()]
    return Table(name, MetaData(), *columns, Column("notes", Text))


def _require_columns(connection: Connection, table: Table, shown: str) -> None:
    from sqlalchemy import inspect  # noqa: PLC0415  # an extra

    found = {one["name"]: one["type"] for one in inspect(connection).get_columns(table.name)}
    wanted = {one.name: one.type for one in table.columns}
    wrong = [f"no column {name}" for name in wanted if name not in found]
    wrong += [f"column {name}" for name in found if name not in wanted]
    wrong += [
        f"column {name} of type {found[name]}"
        for name, kind in wanted.items()
        if name in found and _python_type(found[name]) is not kind.python_type
    ]
    if wrong:
        raise DatabaseError(
            f"{shown}: table {table.name} is of another form: it has {wrong[0]}"
            f"{f' and {len(wrong) - 1} more differences' if len(wrong) > 1 else ''}",
            "give another --table, or rename or drop that table: cxpath batch export creates it again",
        )


def _python_type(kind: TypeEngine[Any]) -> type[Any] | None:
    try:
        return kind.python_type
    except NotImplementedError:  # a type that the library does not know
        return None


def _entry(row: CohortRow) -> dict[str, ColumnEntry]:
    notes = json.dumps(dict(row.notes), ensure_ascii=False) if row.notes else None
    return {**row.entries(), "notes": notes}


@contextmanager
def _transaction(url: URL, shown: str) -> Iterator[Connection]:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  # an extra

    engine = _engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseError(f"{shown}: {_reason(error)}", _HINT) from error
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415  # an extra

    try:
        return create_engine(url)
    except ImportError as error:
        raise DatabaseError("--sql needs pg8000, which is not installed", _INSTALL) from error


def _reason(error: Exception) -> str:
    """Return what the database says, on one line, without the statement and its values."""
    inner = getattr(error, "orig", None) or error
    detail = inner.args[0] if inner.args else inner
    text = str(detail.get("M", detail) if isinstance(detail, dict) else detail)
    return " ".join(text.split())[:200] or type(inner).__name__
