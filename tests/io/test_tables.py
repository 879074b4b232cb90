from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.errors import CellsFileError
from cxpath.io.tables import numbers, read_text_table, texts


def column(*entries: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(entries, pa.string())])


@pytest.mark.parametrize("separator", ["\t", ";", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separator_encoding_and_line_ends_are_found_out(separator: str, encoding: str, line_end: str) -> None:
    rows = [["Image", "Centroid X µm", "Class"], ["a.svs", "12.5", "Tumor: Positive"], ["a.svs", "", ""]]
    text = line_end.join(separator.join(row) for row in rows) + line_end
    table = read_text_table(text.encode(encoding), "a.tsv")
    assert table.column_names == rows[0]
    assert [list(row.values()) for row in table.to_pylist()] == rows[1:]


def test_quotes_guard_a_separator() -> None:
    table = read_text_table(b'"Class","Centroid X px"\n"Tumor, small","1,5"\n', "a.csv")
    assert table.to_pylist() == [{"Class": "Tumor, small", "Centroid X px": "1,5"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a\ta\n1\t2\n", "a column name stands twice"), (b"a\tb\n1\t2\t3\n", "not readable as a table")],
)
def test_a_broken_table_is_one_line(content: bytes, said: str) -> None:
    with pytest.raises(CellsFileError, match=said) as caught:
        read_text_table(content, "a.tsv")
    assert "\n" not in str(caught.value)


@settings(deadline=None)  # the first call of arrow is slow
@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_numbers_come_back_with_either_comma(values: list[float], comma: bool) -> None:
    written = [f" {value!r} ".replace(".", "," if comma else ".") for value in values]
    np.testing.assert_array_equal(numbers(column(*written), "x", "a.csv"), values)


def test_nothing_and_nan_are_unknown() -> None:
    np.testing.assert_array_equal(numbers(column("", None, "NaN", "0"), "x", "a.csv"), [np.nan] * 3 + [0])


@pytest.mark.parametrize("entry", ["1.234,5", "many", "1e", "0x10"])
def test_what_is_no_number_is_named_with_its_row(entry: str) -> None:
    with pytest.raises(CellsFileError, match=r"row 3: .* in column 'x' is no number") as caught:
        numbers(column("1", entry, "2"), "x", "a.csv")
    assert "a.csv" in caught.value.message


def test_columns_of_numbers_need_no_reading() -> None:
    assert numbers(pa.chunked_array([[1, 2], [3]]), "x", "a.parquet").tolist() == [1, 2, 3]
    with pytest.raises(CellsFileError, match="not numbers"):
        numbers(pa.chunked_array([[[1]]]), "x", "a.parquet")


@pytest.mark.parametrize("encoded", [False, True])
def test_texts_are_codes_whatever_their_chunks(encoded: bool) -> None:
    parts: list[pa.Array] = [pa.array(["b", " a "]), pa.array(["a", None, "c"])]
    chunks = pa.chunked_array([part.dictionary_encode() if encoded else part for part in parts])
    codes, words = texts(chunks)
    assert [words[code] for code in codes] == ["b", "a", "a", "", "c"]
