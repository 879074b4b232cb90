"""What goes into the results database comes out again, on SQLite and on PostgreSQL alike."""

from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from cxpath.batch.cohort import COLUMNS, Row
from cxpath.batch.results_database.database import ResultsDatabase, migrate
from cxpath.batch.results_database.schema import METADATA
from cxpath.errors import ConfigurationError, DatabaseError

_VALUES = {"text": "Gebärmutterhals µm", "number": 12.34, "whole": 48_213, "yes/no": True}


def rows(*ids: str) -> list[Row]:
    return [{column.name: _VALUES[column.kind] for column in COLUMNS} | {"id": one} for one in ids]


def test_rows_come_back_as_they_went_in(url: str) -> None:
    key, went_in = uuid4().hex, rows("a", "b")
    went_in[1] |= {column.name: None for column in COLUMNS if column.name not in {"id", "status"}}
    went_in[0]["note seen by"] = "the second reader"
    with ResultsDatabase(url) as database:
        database.replace_cohort(key, "night", went_in)
        assert database.rows(key) == went_in


def test_a_cohort_is_replaced_whole_and_others_stay(url: str) -> None:
    one, other = uuid4().hex, uuid4().hex
    with ResultsDatabase(url) as database:
        database.replace_cohort(one, "night", rows("a", "b"))
        database.replace_cohort(other, "night", rows("a"))
        database.replace_cohort(one, "night", rows("c"))
        assert [row["id"] for row in database.rows(one)] == ["c"]
        assert [row["id"] for row in database.rows(other)] == ["a"]


def test_what_cannot_be_written_leaves_the_earlier_rows(url: str) -> None:
    key = uuid4().hex
    with ResultsDatabase(url) as database:
        database.replace_cohort(key, "night", rows("a"))
        with pytest.raises(DatabaseError, match="rebuild"):
            database.replace_cohort(key, "night", rows("b", "b"))
        assert [row["id"] for row in database.rows(key)] == ["a"]


def test_an_older_database_is_brought_up_to_date_and_keeps_its_rows(url: str) -> None:
    key = uuid4().hex
    with ResultsDatabase(url) as database:
        database.replace_cohort(key, "night", rows("a"))
    with ResultsDatabase(url) as database:
        assert len(database.rows(key)) == 1


def test_migrations_lead_to_the_schema(url: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+pg8000:"))
    with engine.begin() as connection:
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
    engine.dispose()


def test_a_database_out_of_reach_is_one_line_without_its_password() -> None:
    url = "postgresql://lab:secret@127.0.0.1:1/results"
    with pytest.raises(DatabaseError, match=r"lab:\*\*\*@127.0.0.1:1/results: .*rebuild") as caught:
        ResultsDatabase(url).__enter__()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://host/name", "night"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--database"):
        ResultsDatabase(url)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "results.db").write_text("no database " * 100)
    with (
        pytest.raises(DatabaseError, match="not a database"),
        ResultsDatabase(f"sqlite:///{tmp_path}/results.db"),
    ):
        pass
