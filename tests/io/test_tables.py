"""Workbooks and CSV as people and spreadsheets leave them: what the sheet shows is what is read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings, strategies as st
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from cxpath.errors import CellsFileError, MissingFileError, ReadsFileError
from cxpath.io.tables import numbers, plain_rows, plain_table, read_text_table, texts

HEADER = ["case", "reader", "value"]
SHEET = "xl/worksheets/sheet1.xml"


def reads_workbook(*rows: list[Any]) -> tuple[Workbook, Worksheet]:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    every: tuple[list[Any], ...] = (HEADER, *rows)
    for row in every:
        sheet.append(row)
    return book, sheet


def rows_of(book: Workbook, folder: Path) -> list[list[str]]:
    book.save(folder / "reads.xlsx")
    return [row for _, row in plain_rows(folder / "reads.xlsx")]


def with_sheet(book: Workbook, folder: Path, change: Callable[[bytes], bytes], changed: str = SHEET) -> Path:
    """Save a workbook one part of which, such as the worksheet's XML, was changed afterwards."""
    packed = io.BytesIO()
    book.save(packed)
    path = folder / "changed.xlsx"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part.filename)
            new.writestr(part.filename, change(content) if part.filename == changed else content)
    return path


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (0.05, "0%", "5%"),
        (0.05, "0.00%", "5%"),
        (0.07, "0.0 %", "7%"),
        (1, "0%", "100%"),
        (0.005, "[Red]0.0%;-0%", "0.5%"),
        (5, '0"%"', "5"),
        (5, "0\\%", "5"),
        (0.05, "General", "0.05"),
        (12.0, "0.00", "12"),
        (7, "000", "007"),
        (7.5, "000", "7.5"),
    ],
)
def test_a_number_is_read_as_the_sheet_shows_it(
    value: float, number_format: str, shown: str, tmp_path: Path
) -> None:
    book, sheet = reads_workbook(["C1", "A", value])
    sheet["C2"].number_format = number_format
    assert rows_of(book, tmp_path)[1] == ["C1", "A", shown]


def test_a_chart_before_the_table_is_passed_over(tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    book.create_chartsheet("chart", 0)
    assert rows_of(book, tmp_path) == [HEADER, ["C1", "A", "5"]]


def test_the_first_visible_sheet_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    book, sheet = reads_workbook(["C1", "A", 5])
    hidden = book.create_sheet("notes", 0)
    hidden.append(["not", "the", "table"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "reads.xlsx")
    table = plain_table(tmp_path / "reads.xlsx")
    assert table.rows[0][1] == HEADER
    assert table.warnings == (f"reads.xlsx: only the sheet {sheet.title!r} was read, not 'notes'",)


def test_a_workbook_without_a_visible_sheet_is_refused(tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    path = with_sheet(
        book, tmp_path, lambda xml: xml.replace(b'state="visible"', b'state="hidden"'), "xl/workbook.xml"
    )
    with pytest.raises(ReadsFileError, match="no visible worksheet"):
        plain_rows(path)


def test_an_extent_that_is_out_of_date_hides_nothing(tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    path = with_sheet(book, tmp_path, lambda xml: xml.replace(b'ref="A1:C2"', b'ref="A1:A1"'))
    assert plain_rows(path) == [(1, HEADER), (2, ["C1", "A", "5"])]


def test_a_far_cell_without_a_value_is_no_row(tmp_path: Path) -> None:
    """What Excel leaves where somebody formatted the last row."""
    far = b'<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>'
    book, _ = reads_workbook(["C1", "A", 5])
    path = with_sheet(book, tmp_path, lambda xml: xml.replace(b"</sheetData>", far))
    assert plain_rows(path) == [(1, HEADER), (2, ["C1", "A", "5"])]


def test_a_far_value_keeps_its_row_number_and_nothing_is_padded(tmp_path: Path) -> None:
    far = b'<row r="1048576"><c r="B1048576" t="n"><v>7</v></c></row></sheetData>'
    book, _ = reads_workbook(["C1", "A", 5])
    path = with_sheet(book, tmp_path, lambda xml: xml.replace(b"</sheetData>", far))
    assert plain_rows(path)[-1] == (1048576, ["", "7"])


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(b"<row><c t='n'><v>1</v></c></row>" * 300_000, id="dense"),
        pytest.param(b'<row r="2000000"><c t="n"><v>1</v></c></row>', id="row beyond the last"),
        pytest.param(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' * 400 % tuple(
            number for row in range(2, 402) for number in (row, row)
        ), id="wide"),
    ],
)  # fmt: skip
def test_sheets_larger_than_tables_are_refused_in_one_line(rows: bytes, tmp_path: Path) -> None:
    book, _ = reads_workbook()
    path = with_sheet(book, tmp_path, lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>"))
    with pytest.raises(ReadsFileError, match=r"too large|unpacks to") as caught:
        plain_rows(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda xml: b"<a>", id="broken XML"),
        pytest.param(lambda xml: xml.replace(b'r="A1"', b'r="?!"'), id="place that is none"),
        pytest.param(lambda xml: xml.replace(b'<row r="1"', b'<row r="x"'), id="row that is none"),
        pytest.param(lambda xml: xml.replace(b"<v>5</v>", b"<v>five</v>"), id="number that is none"),
    ],
)
def test_damage_within_a_workbook_is_one_line(content: Callable[[bytes], bytes], tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    path = with_sheet(book, tmp_path, content)
    with pytest.raises(ReadsFileError, match="damaged") as caught:
        plain_rows(path)
    assert "\n" not in str(caught.value)


def test_a_packed_part_that_does_not_unpack_is_one_line(tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    book.save(tmp_path / "a.xlsx")
    content = bytearray((tmp_path / "a.xlsx").read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        start = archive.getinfo(SHEET).header_offset + 30 + len(SHEET)
    content[start : start + 40] = b"\xff" * 40
    (tmp_path / "a.xlsx").write_bytes(bytes(content))
    with pytest.raises(ReadsFileError, match="damaged"):
        plain_rows(tmp_path / "a.xlsx")


def test_formulas_of_every_kind_are_refused(tmp_path: Path) -> None:
    book, sheet = reads_workbook(["C1", "A", 5])
    book.save(tmp_path / "plain.xlsx")
    array = b'<c r="C2"><f t="array" ref="C2:C2">SUM(A1:A1)</f><v>5</v></c></row></sheetData>'
    path = with_sheet(book, tmp_path, lambda xml: xml[: xml.index(b'<c r="C2"')] + array + b"</worksheet>")
    with pytest.raises(ReadsFileError, match="row 2: contains a formula"):
        plain_rows(path)
    sheet["C2"] = "=A1"
    with pytest.raises(ReadsFileError, match="row 2: contains a formula"):
        rows_of(book, tmp_path)


def test_the_content_tells_a_workbook_from_text(tmp_path: Path) -> None:
    book, _ = reads_workbook(["C1", "A", 5])
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "named.csv").write_bytes((tmp_path / "a.xlsx").read_bytes())
    assert plain_rows(tmp_path / "named.csv")[1] == (2, ["C1", "A", "5"])
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(ReadsFileError, match="old or encrypted Excel"):
        plain_rows(tmp_path / "old.xls")
    with pytest.raises(MissingFileError):
        plain_rows(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("sep=;\r\ncase;reader\r\nC1;A\r\n", [(2, ["case", "reader"]), (3, ["C1", "A"])]),
        ('"sep=,"\ncase,reader\nC1,A\n', [(2, ["case", "reader"]), (3, ["C1", "A"])]),
        ("SEP=\t\ncase\treader\nC1\tA\n", [(2, ["case", "reader"]), (3, ["C1", "A"])]),
        ("sep=|\ncase|reader\nC1|A;B\n", [(2, ["case", "reader"]), (3, ["C1", "A;B"])]),
        ("case,reader\rC1,A\r", [(1, ["case", "reader"]), (2, ["C1", "A"])]),
        ('case;"a, b, c"\nC1;A\n', [(1, ["case", "a, b, c"]), (2, ["C1", "A"])]),
        ("case,reader,,\nC1,A,,\n,,,\n", [(1, ["case", "reader"]), (2, ["C1", "A"])]),
        ("\tAnn\nC1\t5\n", [(1, ["", "Ann"]), (2, ["C1", "5"])]),
    ],
)
def test_texts_as_spreadsheets_write_them(text: str, rows: list[object], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert plain_rows(tmp_path / "a.csv") == rows


def test_a_quote_that_never_ends_swallows_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('case,reader,value\nC1,A,5\nC2,"A,5\nC3,A,5\n')
    with pytest.raises(ReadsFileError, match="not readable as a table"):
        plain_rows(tmp_path / "a.csv")


def column(*entries: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(entries, pa.string())])


@pytest.mark.parametrize("separator", ["\t", ";", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separator_encoding_and_line_ends_are_found_out(separator: str, encoding: str, line_end: str) -> None:
    rows = [["Image", "Centroid X µm", "Class"], ["a.svs", "12.5", "Tumor: Positive"], ["a.svs", "", ""]]
    text = line_end.join(separator.join(row) for row in rows) + line_end
    table = read_text_table(text.encode(encoding), "a.tsv")[0]
    assert table.column_names == rows[0]
    assert [list(row.values()) for row in table.to_pylist()] == rows[1:]


def test_quotes_guard_a_separator() -> None:
    table = read_text_table(b'"Class","Centroid X px"\n"Tumor, small","1,5"\n', "a.csv")[0]
    assert table.to_pylist() == [{"Class": "Tumor, small", "Centroid X px": "1,5"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a\ta\n1\t2\n", "a column name occurs twice"), (b"a\tb\n1\t2\t3\n", "not readable as a table")],
)
def test_a_broken_table_is_one_line(content: bytes, said: str) -> None:
    with pytest.raises(CellsFileError, match=said) as caught:
        read_text_table(content, "a.tsv")[0]
    assert "\n" not in str(caught.value)


@settings(deadline=None)  # the first call of arrow is slow
@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_numbers_come_back_with_either_comma(values: list[float], comma: bool) -> None:
    known = [*values, 0.5]  # shows that the mark is decimal
    written = [f" {value!r} ".replace(".", "," if comma else ".") for value in known]
    np.testing.assert_array_equal(numbers(column(*written), "x", "a.csv"), known)


def test_nothing_and_nan_are_unknown() -> None:
    np.testing.assert_array_equal(numbers(column("", None, "NaN", "0"), "x", "a.csv"), [np.nan] * 3 + [0])


@pytest.mark.parametrize("entry", ["1.234,5", "many", "1e", "0x10"])
def test_what_is_no_number_is_named_with_its_row(entry: str) -> None:
    with pytest.raises(CellsFileError, match=r"row 3: .* in column 'x' is not a number") as caught:
        numbers(column("1", entry, "2"), "x", "a.csv")
    assert "a.csv" in caught.value.message


def test_digits_of_other_scripts_are_refused_by_their_row() -> None:
    column = pa.chunked_array([["1", "\u0661\u0662"]])
    with pytest.raises(CellsFileError, match=r"row 3: '\u0661\u0662' in column 'x' is not a number"):
        numbers(column, "x", "t.csv")


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


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nx;kind\n1;a\n2;b\n",
        '"sep=,"\r\nx,kind\r\n1,a\r\n2,b\r\n',
        "sep=\\t\nx\tkind\n1\ta\n2\tb\n",
        "x,kind\r1,a\r2,b\r",
        "x,kind,,\n1,a,,\n2,b,,\n",
        ",x,kind\n0,1,a\n1,2,b\n",
        "\tx\tkind\n0\t1\ta\n1\t2\tb\n",
        "x,kind\n1,a\n,\n2,b\n\n,\n",
        '"x","kind"\n1,"a"\n2,"b"',
    ],
)
def test_tables_as_spreadsheets_leave_them(text: str) -> None:
    table, warnings = read_text_table(text.encode(), "a.csv")
    assert table.to_pydict() == {"x": ["1", "2"], "kind": ["a", "b"]}
    assert warnings == []


def test_a_quoted_name_may_hold_the_separator_and_a_line_end() -> None:
    table, _ = read_text_table(b'x,"note, free","two\nlines"\n1,a,b\n', "a.csv")
    assert table.column_names == ["x", "note, free", "two\nlines"]
    assert table.num_rows == 1


def test_rows_that_end_early_are_filled_and_counted() -> None:
    table, warnings = read_text_table(b"x\tclass\tnote\n1\ta\n2\tb\tc\n3\td\n", "a.tsv")
    assert table.to_pydict() == {"x": ["1", "2", "3"], "class": ["a", "b", "d"], "note": ["", "c", ""]}
    assert warnings == ["rows that end before the last column: 2; what is missing was taken as empty"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,2\n3", "breaks off in its last line"),
        ("x,y\n1,2,3\n", "row 2 has 3 entries under 2 columns"),
        ('x,y\n1,2\n3,"4\n5,6\n', "not readable as a table"),
        ("x,x\n1,2\n", "a column name occurs twice: 'x'"),
    ],
)
def test_what_cannot_be_completed_is_refused(text: str, said: str) -> None:
    with pytest.raises(CellsFileError, match=said):
        read_text_table(text.encode(), "a.csv")


def read_x(text: str) -> list[float]:
    table, _ = read_text_table(text.encode(), "a.csv")
    return list(numbers(table.column("x"), "x", "a.csv", table))


@pytest.mark.parametrize(
    "text",
    [
        'x,y\n960,1\n"1,020",2\n',
        "x\ty\n1,020\t1\n1,080\t2\n",
        "x;y\n960;1\n1.020;2\n",
        "x;y\n1.020;1\n1.080;2\n",
        "x\ty\n960\t1\n1.020\t2\n",
        "x\ty\n1.020\t0,5\n12.345\t0,7\n",
    ],
)
def test_a_mark_that_may_separate_thousands_is_refused(text: str) -> None:
    with pytest.raises(CellsFileError, match=r"in column 'x' may mean \d+ or \d+\.\d+"):
        read_x(text)


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("x\ty\n103,250\t0,5\n", [103.25]),
        ("x\ty\n103,250\t1\n4,5\t2\n", [103.25, 4.5]),
        ("x\ty\n1,020\t1\n2000\t2\n", [1.02, 2000]),
        ("x;y\n103,250;1\n104,125;2\n", [103.25, 104.125]),
        ("x,y\n103.250,1\n104.125,2\n", [103.25, 104.125]),
        ("x,y\n960,0.5\n1.020,0.25\n", [960, 1.02]),
        ("x;y\n103.250;0.5\n", [103.25]),
        ("x\ty\n0.125\t1\n3\t1\n", [0.125, 3]),
        ("x\ty\n1020\t1\n1080\t2\n", [1020, 1080]),
    ],
)
def test_a_mark_that_can_only_be_decimal_is_read(text: str, x: list[float]) -> None:
    assert read_x(text) == x


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("case,reader,value\na,r1,5\n".encode("utf-16-le"), id="UTF-16 without its mark"),
        pytest.param("case,reader,value\na,r1,5\n".encode("utf-16-be"), id="UTF-16, big endian"),
        pytest.param(b"case,reader,value\na,r1,5\nb,r1" + bytes(8) + b",6\n", id="a lost block"),
    ],
)
def test_zero_bytes_in_a_table_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    """They would hide inside names: "r1" and "r1" with zeros behind it are two readers."""
    path = tmp_path / "reads.csv"
    path.write_bytes(content)
    with pytest.raises(ReadsFileError, match=r"reads\.csv: contains zero bytes"):
        plain_rows(path)
    with pytest.raises(CellsFileError, match=r"reads\.csv: contains zero bytes"):
        read_text_table(content, path)


def test_hidden_rows_and_columns_of_the_table_are_named(tmp_path: Path) -> None:
    """A filter hides rows that are in the file all the same."""
    book, sheet = reads_workbook(["a", "r1", 5], ["b", "r1", 6], ["c", "r1", 7])
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True
    book.save(tmp_path / "reads.xlsx")
    table = plain_table(tmp_path / "reads.xlsx")
    assert len(table.rows) == 4
    assert table.warnings == (
        "reads.xlsx: hidden rows of the sheet were read, too: 1, such as row 3",
        "reads.xlsx: hidden columns of the sheet were read, too",
    )


def test_what_is_hidden_beside_and_below_the_table_needs_no_word(tmp_path: Path) -> None:
    book, sheet = reads_workbook(["a", "r1", 5])
    sheet.row_dimensions[40].hidden = True
    sheet.column_dimensions["F"].hidden = True
    book.save(tmp_path / "reads.xlsx")
    assert plain_table(tmp_path / "reads.xlsx").warnings == ()


@example(names=["a\na", "a"], rows=2)
@given(
    names=st.lists(st.text('ab ,;\n"é', min_size=1, max_size=6), min_size=2, max_size=4, unique_by=str.strip),
    rows=st.integers(0, 3),
)
@example(names=["a\na", "a"], rows=0)
def test_a_header_of_several_lines_is_split_from_its_rows(names: list[str], rows: int) -> None:
    named = [name.strip() or f"c{place}" for place, name in enumerate(names)]
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in named)
    body = "".join(f"{row}," + ",".join("x" for _ in named[1:]) + "\n" for row in range(rows))
    if len(set(named)) == len(named) and not any(";" in name or "," in name for name in named):
        table, _ = read_text_table(f"{quoted}\n{body}".encode(), "a.csv")
        assert table.column_names == named
        assert table.column(0).to_pylist() == [str(row) for row in range(rows)]


@pytest.mark.parametrize("number_format", ['"<"0', "\\<0", '0"≥"', '[Red]">"0', "0.0‰"])
def test_a_sign_that_only_the_number_format_shows_is_refused(number_format: str, tmp_path: Path) -> None:
    """The sheet shows <1, the cell contains 1."""
    book, sheet = reads_workbook(["C1", "A", 1])
    sheet["C2"].number_format = number_format
    with pytest.raises(ReadsFileError, match="row 2: the sheet shows a sign"):
        rows_of(book, tmp_path)


@pytest.mark.parametrize(
    ("value", "number_format"),
    [(10, ";;;"), (10, ";-0"), (0, "0;-0;;@"), (10, '"NE"'), (0, '[=0]"NE";0'), (3, '0;"-";"-"')],
)
def test_a_format_that_hides_the_number_is_refused(value: int, number_format: str, tmp_path: Path) -> None:
    """The sheet shows nothing, or another word, where the cell contains a number."""
    book, sheet = reads_workbook(["C1", "A", value])
    sheet["C2"].number_format = number_format
    if value == 3:  # only other numbers would be hidden
        assert rows_of(book, tmp_path)[1] == ["C1", "A", "3"]
        return
    with pytest.raises(ReadsFileError, match=f"row 2: the sheet does not show the number {value}"):
        rows_of(book, tmp_path)


def test_a_condition_of_a_number_format_is_no_sign(tmp_path: Path) -> None:
    book, sheet = reads_workbook(["C1", "A", 0.25])
    sheet["C2"].number_format = "[<1]0.0%;[>=1]0"
    assert rows_of(book, tmp_path)[1] == ["C1", "A", "25%"]


@pytest.mark.parametrize(("number_format", "refused"), [("0.00,", True), ("#,##0,", True), ("#,##0", False)])
def test_a_format_that_shows_thousandths_is_refused(
    number_format: str, refused: bool, tmp_path: Path
) -> None:
    book, sheet = reads_workbook(["C1", "A", 50])
    sheet["C2"].number_format = number_format
    if refused:
        with pytest.raises(ReadsFileError, match="row 2: the sheet shows thousandths of the number 50"):
            rows_of(book, tmp_path)
    else:
        assert rows_of(book, tmp_path)[1] == ["C1", "A", "50"]


def test_an_entry_that_is_struck_out_is_refused(tmp_path: Path) -> None:
    book, sheet = reads_workbook(["C1", "A", 50])
    sheet["C2"].font = Font(bold=True)
    assert rows_of(book, tmp_path)[1] == ["C1", "A", "50"]
    sheet["C2"].font = Font(strike=True)
    with pytest.raises(ReadsFileError, match="row 2: the entry '50' is struck out"):
        rows_of(book, tmp_path)
