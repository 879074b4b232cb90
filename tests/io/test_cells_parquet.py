from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from cxpath.data.cells import COLUMNS, CellTable, CellTableFacts
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.io import cells as cells_parquet
from cxpath.io.cells import CellsWriter, read_cells, write_cells
from tests.cell_tables import cell_tables


def _rewritten(path: Path, change: Any) -> Path:
    """Write the file again after `change(table)`, keeping the schema's metadata."""
    table = pq.read_table(path)
    changed = change(table).replace_schema_metadata(table.schema.metadata)
    pq.write_table(changed, path)
    return path


def _facts_changed(path: Path, **facts: Any) -> Path:
    table = pq.read_table(path)
    stated = {**json.loads(table.schema.metadata[b"cxpath"]), **facts}
    kept = {name: value for name, value in stated.items() if value is not None}
    pq.write_table(table.replace_schema_metadata({b"cxpath": json.dumps(kept).encode()}), path)
    return path


def _append_and_fail(writer: CellsWriter, cells: CellTable) -> None:
    writer.append(cells)
    raise RuntimeError


@pytest.fixture
def path(tmp_path: Path, cells: CellTable) -> Path:
    write_cells(cells, tmp_path / "cells.parquet")
    return tmp_path / "cells.parquet"


def test_there_and_back(path: Path, cells: CellTable) -> None:
    back = read_cells(path)
    assert back == cells
    assert back.facts == cells.facts
    assert {name: array.dtype for name, array in back.columns().items()} == {
        name: np.dtype(element) for name, element in COLUMNS.items()
    }


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6), st.sampled_from([0, 1, 2]), st.integers(0, 9), st.integers(0, 4),
            st.floats(0, 1, width=32) | st.just(float("nan")),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_any_table_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    x, kind, subkind, region, stained = (
        (list(column) for column in zip(*rows, strict=True)) if rows else [[]] * 5
    )
    cells = CellTable.from_columns(
        CellTableFacts(0.25, 10, 10),
        x_px=x,
        y_px=x,
        kind=kind,
        subkind=subkind,
        region=region,
        stained=stained,
    )
    target = tmp_path_factory.mktemp("any") / "cells.parquet"
    write_cells(cells, target)
    assert read_cells(target) == cells


def test_other_programs_read_names_and_nulls(path: Path) -> None:
    table = pq.read_table(path)
    assert table["kind"].to_pylist() == ["tumour", "tumour", "immune", "other"]
    assert table["subkind"].to_pylist() == ["unknown", "unknown", "lymphocyte", "fibroblast"]
    assert table["region"].to_pylist() == ["nest", "nest", "stroma", "unknown"]
    assert table["stained"].to_pylist()[3] is None
    assert pa.types.is_dictionary(table.schema.field("kind").type)
    assert json.loads(table.schema.metadata[b"cxpath"])["frame"] == "level0"


def test_appended_tables_equal_one_table(
    tmp_path: Path, cells: CellTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells_parquet, "ROW_GROUP", 6)
    path = tmp_path / "cells.parquet"
    with CellsWriter(path, cells.facts) as writer:
        for _ in range(5):
            writer.append(cells)
        assert writer.number == 20
        assert not path.exists()
    assert read_cells(path) == CellTable.concatenate([cells] * 5)
    assert pq.ParquetFile(path).num_row_groups > 1


def test_no_cells_is_a_file_too(tmp_path: Path, facts: CellTableFacts) -> None:
    with CellsWriter(tmp_path / "none.parquet", facts):
        pass
    assert len(read_cells(tmp_path / "none.parquet")) == 0


def test_an_error_leaves_nothing(tmp_path: Path, cells: CellTable) -> None:
    with pytest.raises(RuntimeError), CellsWriter(tmp_path / "cells.parquet", cells.facts) as writer:
        _append_and_fail(writer, cells)
    assert not list(tmp_path.iterdir())


def test_cells_of_another_slide_are_refused(tmp_path: Path, cells: CellTable) -> None:
    with (
        pytest.raises(ValueError, match="other facts"),
        CellsWriter(tmp_path / "cells.parquet", CellTableFacts(1.0, 5, 5)) as writer,
    ):
        writer.append(cells)


def test_plain_strings_extra_columns_and_nulls_are_read(path: Path, cells: CellTable) -> None:
    def change(table: pa.Table) -> pa.Table:
        for name in ("kind", "subkind"):
            words = pa.array(table[name].to_pylist(), type=pa.string())
            table = table.set_column(table.column_names.index(name), name, words)
        nothing = pa.array([None] * len(table), type=pa.int32())
        table = table.set_column(table.column_names.index("tile"), "tile", nothing)
        return table.append_column("mine", pa.array([1] * len(table)))

    back = read_cells(_rewritten(path, change))
    assert list(back.kind) == list(cells.kind)
    assert list(back.subkind) == list(cells.subkind)
    assert list(back.tile) == [-1] * 4


def test_a_missing_column_is_named(path: Path) -> None:
    with pytest.raises(CellsFileError, match="columns missing: stained, tile"):
        read_cells(_rewritten(path, lambda table: table.drop_columns(["tile", "stained"])))


def test_an_unknown_kind_is_named_with_the_known_ones(path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(2, "kind", pa.array(["tumor", "tumour", "immune", "other"]))

    with pytest.raises(CellsFileError, match=r"column kind contains tumor .*known: tumour, immune, other"):
        read_cells(_rewritten(path, change))


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("kind", ["tumour", None, "immune", "other"], "empty entries in column kind: 1"),
        ("x_px", [1.0, None, 2.0, 3.0], "empty entries in column x_px: 1"),
        ("x_px", [1.0, float("inf"), 2.0, 3.0], "column x_px contains values that are not positions"),
        ("stained", ["a", "b", "c", "d"], "column stained contains string, not numbers"),
    ],
)
def test_a_wrong_column_is_named(path: Path, name: str, values: list[Any], problem: str) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, pa.array(values))

    with pytest.raises(CellsFileError, match=problem):
        read_cells(_rewritten(path, change))


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"schema": "cxpath/cells/9"}, "schema is 'cxpath/cells/9'"),
        ({"schema": None}, "schema is None"),
        ({"mpp": None}, "facts in the Parquet metadata are incomplete"),
        ({"mpp": -1.0}, r"mpp is -1\.0"),
        ({"white_point": [1.0]}, "incomplete"),
    ],
)
def test_wrong_facts_are_named(path: Path, stated: dict[str, Any], problem: str) -> None:
    with pytest.raises(CellsFileError, match=problem) as caught:
        read_cells(_facts_changed(path, **stated))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_cells_are_one_line(tmp_path: Path, path: Path) -> None:
    text = tmp_path / "text.parquet"
    text.write_text("x,y\n1,2\n")
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"x": [1]}), foreign)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(path.read_bytes()[:-20])
    for wrong in (text, foreign, cut):
        with pytest.raises(CellsFileError, match=wrong.name) as caught:
            read_cells(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(MissingFileError):
        read_cells(tmp_path / "none.parquet")


def _with_facts(cells: CellTable, path: Path, facts: bytes) -> None:
    write_cells(cells, path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"cxpath": facts}), path)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts | {"mpp": 10**400},
        lambda facts: facts | {"mpp": None},
        lambda facts: facts | {"mpp": float("nan")},
        lambda facts: facts | {"width_px": "wide"},
        lambda facts: facts | {"height_px": -1},
        lambda facts: facts | {"height_px": 1.5},
        lambda facts: facts | {"white_point": [1]},
        lambda facts: facts | {"stain_vectors": 3},
    ],
)
def test_facts_that_no_slide_has_are_one_line(
    change: Callable[[dict[str, Any]], dict[str, Any]], cells: CellTable, tmp_path: Path
) -> None:
    facts = json.dumps(change(asdict(cells.facts))).encode()
    _with_facts(cells, tmp_path / "a.parquet", facts)
    with pytest.raises(CellsFileError) as caught:
        read_cells(tmp_path / "a.parquet")
    assert "\n" not in str(caught.value)


def test_facts_nested_without_end_are_one_line(cells: CellTable, tmp_path: Path) -> None:
    _with_facts(cells, tmp_path / "a.parquet", b"[" * 100_000)
    with pytest.raises(CellsFileError, match="no readable `cxpath` entry"):
        read_cells(tmp_path / "a.parquet")


def test_a_column_that_is_there_twice_is_one_line(cells: CellTable, tmp_path: Path) -> None:
    write_cells(cells, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.append_column("y_px", table.column("y_px")), tmp_path / "a.parquet")
    with pytest.raises(CellsFileError, match="column 'y_px' is there twice"):
        read_cells(tmp_path / "a.parquet")


def test_a_column_name_that_is_no_text_is_one_line(cells: CellTable, tmp_path: Path) -> None:
    write_cells(cells, tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content.replace(b"dab_cytoplasm_od", b"d\x96b_cytoplasm_od"))
    with pytest.raises(CellsFileError):
        read_cells(tmp_path / "a.parquet")


@pytest.mark.parametrize("values", [[1.5, 2.0], [float("nan"), 1.0], [1e308, 1.0], [2**40, 1]], ids=str)
def test_numbers_that_are_no_tile_are_refused_and_not_cut_off(
    values: list[float], facts: CellTableFacts, tmp_path: Path
) -> None:
    path = tmp_path / "cells.parquet"
    write_cells(CellTable.from_columns(facts, x_px=[1, 2], y_px=[1, 2], kind=[0, 1]), path)
    at = pq.read_table(path).column_names.index("tile")
    _rewritten(path, lambda table: table.set_column(at, "tile", pa.array(values)))
    with pytest.raises(CellsFileError, match="column tile contains"):
        read_cells(path)


@pytest.mark.parametrize("value", [1e308, -1e300, float("inf"), 2.0**31], ids=str)
def test_positions_that_no_slide_has_are_refused(value: float, facts: CellTableFacts, tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    write_cells(CellTable.from_columns(facts, x_px=[1, value], y_px=[1, 2], kind=[0, 1]), path)
    with pytest.raises(CellsFileError, match="not positions"):
        read_cells(path)


@given(cells=cell_tables(embedding=True))
def test_an_embedding_comes_back_and_is_never_invented(
    tmp_path_factory: pytest.TempPathFactory, cells: CellTable
) -> None:
    path = tmp_path_factory.mktemp("any") / "cells.parquet"
    write_cells(cells, path)
    assert read_cells(path) == cells
    column = pq.read_table(path)
    assert ("embedding" in column.column_names) == (cells.embedding is not None)
    if cells.embedding is not None:
        assert [row is not None for row in column["embedding"].to_pylist()] == cells.embedded.tolist()


def test_cells_without_an_embedding_may_follow_those_with(tmp_path: Path, cells: CellTable) -> None:
    embedded = replace(cells, embedding=np.full((4, 16), 9, np.uint8))
    with CellsWriter(tmp_path / "a.parquet", cells.facts, embedding=True) as writer:
        writer.append(embedded)
        writer.append(cells)
    assert read_cells(tmp_path / "a.parquet") == CellTable.concatenate([embedded, cells])
    with CellsWriter(tmp_path / "b.parquet", cells.facts, embedding=True) as writer:
        writer.append(cells)
    assert not read_cells(tmp_path / "b.parquet").embedded.any()
    with (
        pytest.raises(ValueError, match="no column"),
        CellsWriter(tmp_path / "c.parquet", cells.facts) as writer,
    ):
        writer.append(embedded)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2]] * 4, pa.list_(pa.uint8())),
        pa.array([[300] * 16] * 4, pa.list_(pa.int32(), 16)),
        pa.array([[1] * 15 + [None]] * 4, pa.list_(pa.uint8(), 16)),
        pa.array(["a"] * 4),
    ],
    ids=["short", "too large", "a byte missing", "text"],
)
def test_an_embedding_of_another_form_is_one_line(path: Path, values: pa.Array) -> None:
    with pytest.raises(CellsFileError, match=r"column embedding contains .* not lists of 16 bytes") as caught:
        read_cells(_rewritten(path, lambda table: table.append_column("embedding", values)))
    assert "\n" not in str(caught.value)
