"""The cohort table in SQLite and PostgreSQL: typed, replaced by slide, refused where the table is another."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from cxpath.batch.cohort import write_cohort
from cxpath.batch.export import database_url, export_cohort
from cxpath.batch.task import StateFolder
from cxpath.batch.worklist import save_worklist
from cxpath.documents import CohortRow
from cxpath.errors import ConfigurationError, DatabaseError, MissingFileError
from tests.batch.fake_batches import run, tasks_of, write_slides


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database; the PostgreSQL server is shared, so each test names its own table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'cohorts.db'}"
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def table_name(request: pytest.FixtureRequest) -> str:
    """A table of this test alone."""
    return f"slides_{abs(hash(request.node.nodeid)) % 10**9}"


def exportable_batch(home: Path, **kinds: str) -> Path:
    slides, out = write_slides(home / "slides", **kinds), home / "out"
    result, tasks = run(slides, out), tasks_of(slides, out)
    save_worklist(StateFolder(out), tasks)
    write_cohort(out, tasks, result.outcomes)
    return out


def query(sql: str, statement: str) -> list[Any]:
    engine = create_engine(database_url(sql))
    try:
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


def test_rows_have_the_types_of_the_cohort_table(tmp_path: Path, sql: str, table_name: str) -> None:
    out = exportable_batch(tmp_path, a="fine", b="damaged", c="not-evaluable")
    assert export_cohort(out, sql, table_name).slides == 3
    names = "id, status, cps, viable_tumour_cells, borderline"
    rows = query(sql, f"SELECT {names} FROM {table_name} ORDER BY id")
    assert [row[:2] for row in rows] == [("a", "scored"), ("b", "failed"), ("c", "not evaluable")]
    assert isinstance(rows[0][2], float)
    assert rows[0][3] == 48_213
    assert rows[0][4] in (True, False, 0, 1)
    assert rows[1][2:] == (None, None, None)


def test_rows_of_the_same_slides_are_replaced_and_others_stay(
    tmp_path: Path, sql: str, table_name: str
) -> None:
    first = exportable_batch(tmp_path / "first", a="fine", b="damaged")
    export_cohort(first, sql, table_name)
    second = exportable_batch(tmp_path / "second", b="fine", c="fine")
    for _ in range(2):
        export_cohort(second, sql, table_name)
    found = query(sql, f"SELECT id, status FROM {table_name} ORDER BY id")
    assert found == [("a", "scored"), ("b", "scored"), ("c", "scored")]


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("CREATE TABLE {} (id TEXT PRIMARY KEY, surgeon TEXT)", "no column slide"),
        ("ALTER TABLE {} ADD COLUMN surgeon TEXT", "column surgeon"),
    ],
)
def test_a_table_of_another_form_is_refused_and_left_alone(
    tmp_path: Path, sql: str, table_name: str, statement: str, complaint: str
) -> None:
    out = exportable_batch(tmp_path, a="fine")
    table_name += str(len(statement))
    if statement.startswith("ALTER"):
        export_cohort(out, sql, table_name)
    query(sql, statement.format(table_name))
    before = query(sql, f"SELECT count(*) FROM {table_name}")
    with pytest.raises(DatabaseError, match=rf"is of another form: it has {complaint}.*--table"):
        export_cohort(out, sql, table_name)
    assert query(sql, f"SELECT count(*) FROM {table_name}") == before


def test_a_column_of_another_type_is_refused(tmp_path: Path, sql: str, table_name: str) -> None:
    out = exportable_batch(tmp_path, a="fine")
    columns = ", ".join(f'"{column.name}" TEXT' for column in CohortRow.columns())
    query(sql, f'CREATE TABLE {table_name} ({columns}, "notes" TEXT)')
    with pytest.raises(DatabaseError, match="column cps of type TEXT"):
        export_cohort(out, sql, table_name)


@pytest.mark.parametrize("name", ["night 1%20?x.db", "100%.db", "a#b&c=d.db", "Zürich ß.db"])
@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_path_is_taken_as_it_stands(tmp_path: Path, name: str, prefix: str) -> None:
    out = exportable_batch(tmp_path, a="fine")
    export_cohort(out, f"{prefix}{tmp_path / name}", "slides")
    assert (tmp_path / name).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out", "slides"])
    connection = sqlite3.connect(tmp_path / name)
    assert connection.execute("SELECT id FROM slides").fetchall() == [("a",)]
    connection.close()


def test_a_database_out_of_reach_is_one_line_without_its_password(tmp_path: Path) -> None:
    out = exportable_batch(tmp_path, a="fine")
    with pytest.raises(DatabaseError, match=r"lab:\*\*\*@127.0.0.1:1/results: ") as caught:
        export_cohort(out, "postgresql://lab:secret@127.0.0.1:1/results", "slides")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://lab:secret@host/name", "postgresql://lab:secret@host:port/x", "sqlite:///", ""]
)
def test_what_is_no_database_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    out = exportable_batch(tmp_path, a="fine")
    with pytest.raises(ConfigurationError, match="--sql") as caught:
        export_cohort(out, url, "slides")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    out = exportable_batch(tmp_path, a="fine")
    (tmp_path / "notes.db").write_text("no database " * 100)
    with pytest.raises(DatabaseError, match=r"notes\.db: .*not a database"):
        export_cohort(out, str(tmp_path / "notes.db"), "slides")


def test_a_folder_without_a_batch_exports_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="contains no batch"):
        export_cohort(tmp_path, str(tmp_path / "x.db"), "slides")


def test_without_the_extra_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = exportable_batch(tmp_path, a="fine")
    monkeypatch.setattr("cxpath.batch.export.find_spec", lambda _name: None)
    with pytest.raises(DatabaseError, match=r"pip install 'cxpath\[sql\]'"):
        export_cohort(out, str(tmp_path / "x.db"), "slides")
