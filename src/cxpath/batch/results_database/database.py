"""Writing and reading the results database; brought to the newest schema whenever it is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from types import TracebackType
from typing import Any, Self

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, delete, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from cxpath.batch.cohort import COLUMNS, Row
from cxpath.batch.results_database.schema import COHORTS, SLIDES
from cxpath.errors import ConfigurationError, DatabaseError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+pg8000", "postgres": "postgresql+pg8000"}
_HINT = "the files hold all results: cxpath batch rebuild DIR --database URL fills it later"
_LOCK_KEY = 0x63787061  # "cxpa": two labs' first connections must not migrate at once


class ResultsDatabase:
    """A database by its URL; use it as a context manager.

    Parameters
    ----------
    url : str
        `sqlite:///file.db` or `postgresql://user:password@host/name`.

    Raises
    ------
    ConfigurationError
        When the URL is none, or of another kind of database.
    DatabaseError
        When the database cannot be reached or brought to the newest schema.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            driver = _DRIVERS.get(parsed.drivername.partition("+")[0])
            if driver is None:
                raise ConfigurationError(
                    f"--database {parsed.drivername}: is not supported", "use postgresql://"
                )
            self.shown = parsed.render_as_string(hide_password=True)
            self._engine = create_engine(parsed.set(drivername=driver))
        except ArgumentError as error:
            hint = "such as postgresql://user@host/name"
            raise ConfigurationError("--database: is no database URL", hint) from error
        except (NoSuchModuleError, ImportError) as error:
            hint = "pip install 'cxpath[postgresql]'"
            raise DatabaseError("--database needs pg8000, which is not installed", hint) from error
        if driver == "sqlite":
            event.listen(self._engine, "connect", _enforce_foreign_keys)

    def __enter__(self) -> Self:
        with self._transaction() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
            migrate(connection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def replace_cohort(self, key: str, name: str, rows: Sequence[Row]) -> None:
        """Make the cohort's rows those of its table, all at once or not at all.

        Parameters
        ----------
        key : str
            Stays the same for a batch's folder.
        name : str
            For people.
        rows : sequence of Row
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction() as connection:
            connection.execute(delete(SLIDES).where(SLIDES.c.cohort == key))
            connection.execute(delete(COHORTS).where(COHORTS.c.key == key))
            connection.execute(insert(COHORTS).values(key=key, name=name, written=now))
            if rows:
                connection.execute(insert(SLIDES), [_entry(key, row) for row in rows])

    def rows(self, key: str) -> list[Row]:
        """Return the rows of a cohort, by id, notes among them."""
        with self._transaction() as connection:
            query = select(SLIDES).where(SLIDES.c.cohort == key).order_by(SLIDES.c.id)
            return [_row(dict(found)) for found in connection.execute(query).mappings()]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(f"{self.shown}: {_reason(error)}", _HINT) from error


def migrate(connection: Connection) -> None:
    """Bring a database to the newest schema; an empty one is filled with tables."""
    config = Config()
    config.set_main_option("script_location", str(files("cxpath.batch.results_database") / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _enforce_foreign_keys(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


def _entry(key: str, row: Row) -> Row:
    notes = {name: row[name] for name in row if name.startswith("note") and name not in _NAMES}
    known = {column.name: row.get(column.name) for column in COLUMNS}
    return {"cohort": key, **known, "notes": json.dumps(notes, ensure_ascii=False) if notes else None}


_NAMES = frozenset(column.name for column in COLUMNS)


def _row(found: Row) -> Row:
    notes = json.loads(found.pop("notes") or "{}")
    del found["cohort"]
    return {**found, **notes}


def _reason(error: Exception) -> str:
    inner = error.orig if isinstance(error, DBAPIError) and error.orig else error
    detail = inner.args[0] if inner.args else inner
    text = str(detail.get("M", detail) if isinstance(detail, dict) else detail)
    return " ".join(text.split())[:200] or type(inner).__name__
