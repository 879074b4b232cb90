from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxpath.exchange.tiles_parquet import TableFileError, read_table, write_table
from cxpath.values.errors import MissingFileError


def test_there_and_back(tmp_path: Path) -> None:
    columns = {
        "tile": np.arange(3, dtype=np.int32),
        "x_px": np.array([0.0, 512.5, 1024.0]),
        "tissue_share": np.array([0.5, 1.0, 0.0], dtype=np.float32),
        "cps": np.array([np.nan, 12.5, 0.0], dtype=np.float32),
        "excluded": np.array(["", "glass", "outside region"], dtype=object),
    }
    write_table(columns, tmp_path / "tiles.parquet", {"schema": "cxpath/tiles/1", "mpp": 0.25})
    read, metadata = read_table(tmp_path / "tiles.parquet")
    assert metadata == {"schema": "cxpath/tiles/1", "mpp": 0.25}
    assert list(read) == list(columns)
    for name, array in columns.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype, name


def test_nan_is_null_in_the_file_and_texts_may_be_numpy_strings(tmp_path: Path) -> None:
    path = tmp_path / "tiles.parquet"
    write_table({"cps": np.array([np.nan, 1.0]), "excluded": np.array(["pen", ""])}, path, {})
    table = pq.read_table(path)
    assert table["cps"].null_count == 1
    assert table["excluded"].to_pylist() == ["pen", ""]


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "tiles.parquet"
    write_table({"tile": np.empty(0, np.int32), "excluded": np.empty(0, object)}, path, {"mpp": 1.0})
    read, _ = read_table(path)
    assert {name: len(array) for name, array in read.items()} == {"tile": 0, "excluded": 0}


def test_unequal_columns_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        write_table({"a": np.zeros(2), "b": np.zeros(3)}, tmp_path / "t.parquet", {})
    assert not list(tmp_path.iterdir())


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table({"x": np.arange(5.0)}, tmp_path / name, {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_table_is_one_line(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.parquet", tmp_path / "foreign.parquet"
    text.write_text("not parquet")
    pq.write_table(pa.table({"x": [1]}), foreign)
    with pytest.raises(TableFileError, match=r"text\.parquet: not a Parquet file"):
        read_table(text)
    with pytest.raises(TableFileError, match=r"foreign\.parquet: no readable `cxpath`"):
        read_table(foreign)
    with pytest.raises(MissingFileError, match="no such file"):
        read_table(tmp_path / "none.parquet")
