from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from cxpath.data.reads import ReadState
from cxpath.errors import MissingFileError, ReadsFileError
from cxpath.io.reads import read_reads, read_value
from cxpath.io.tables import safe_entry, write_rows

TIDY = "case,reader,round,score,value,site\n"


def write(folder: Path, text: str, name: str = "reads.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "number", "low", "high"),
    [
        ("12", 12, 12, 12),
        ("0,5", 0.5, 0.5, 0.5),
        (" 5 % ", 5, 5, 5),
        ("<1", 0.5, 0, 1),
        ("< 10", 5, 0, 10),
        (">100", 100, 100, 100),
        (">50", 50, 50, 100),
        ("≥50", 50, 50, 100),
    ],
)
def test_scores_may_be_written_in_many_ways(text: str, number: float, low: float, high: float) -> None:
    value = read_value(text)
    assert (value.number, value.low, value.high) == (number, low, high)


@pytest.mark.parametrize("text", ["", "NA", "n/a", "-", "  "])
def test_no_read_is_missing(text: str) -> None:
    assert read_value(text).state is ReadState.MISSING


@pytest.mark.parametrize("text", ["NE", "not evaluable", "Inadequate"])
def test_not_evaluable_is_not_missing(text: str) -> None:
    value = read_value(text)
    assert value.state is ReadState.NOT_EVALUABLE
    assert math.isnan(value.number)


@pytest.mark.parametrize("text", ["-3", "101", "high", "1.234,5", "<0", "1-5", "=1+1", "1e3"])
def test_impossible_values_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is|says"):
        read_value(text)


def test_a_tidy_table(tmp_path: Path) -> None:
    text = TIDY + "a,Ann,1,CPS,<1,north\na,Bob,1,CPS,,north\nb,Ann,2,CPS,NE,\n"
    table = read_reads(write(tmp_path, text))
    assert [(r.case, r.reader, r.round, r.row) for r in table.reads] == [
        ("a", "Ann", 1, 2),
        ("a", "Bob", 1, 3),
        ("b", "Ann", 2, 4),
    ]
    assert table.reads[0].groups == {"site": "north"}
    assert table.reads[2].groups == {}
    assert len(table.warnings) == 3  # a bound, a read not evaluable, a missing one


def test_a_wide_table_with_rounds_bom_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = ";Ann;Bob;Ann round 2\ncase1;0,5;1;2\ncase2;10;;3,25\n"
    table = read_reads(write(tmp_path, text, encoding="utf-8-sig"), score="TPS")
    found = {(r.case, r.reader, r.round): r.value.number for r in table.reads}
    assert found["case1", "Ann", 1] == 0.5
    assert found["case2", "Ann", 2] == 3.25
    assert {r.score for r in table.reads} == {"TPS"}
    assert len(table.reads) == 6


def test_a_workbook_reads_like_the_csv(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Case ID", "Pathologist", "value"],
        ["a", "Ann", 0.5],
        ["a", "Bob", "<1"],
        [None] * 3,
        ["b", "Ann", 3],
    ):
        sheet.append(row)
    book.save(tmp_path / "reads.xlsx")
    reads = read_reads(tmp_path / "reads.xlsx").reads
    assert [(r.case, r.reader, r.value.number, r.row) for r in reads] == [
        ("a", "Ann", 0.5, 2),
        ("a", "Bob", 0.5, 3),
        ("b", "Ann", 3, 5),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TIDY + "a,Ann,1,CPS,1,\n\na,Ann,1,CPS,2,\n", ["row 4", "row 2", "Ann"]),
        (TIDY + "a,Ann,1,CPS,-1,\n", ["row 2", "negative"]),
        (TIDY + "a,Ann,1,CPS,120,\n", ["row 2", "above 100"]),
        (TIDY + "a,Ann,0,CPS,1,\n", ["row 2", "round"]),
        (TIDY + "a,,1,CPS,1,\n", ["row 2", "reader"]),
        (TIDY + ",Ann,1,CPS,1,\n", ["row 2", "case"]),
        (TIDY + "a,Ann,1,CPS,0,5,north\n", ["row 2", "entries"]),
        ("reader,value\nAnn,1\n", ["no column 'case'"]),
        ("case,site\na,north\n", ["no column of a reader"]),
        ("case,Ann,Ann\na,1,2\n", ["twice"]),
        ("case\n", ["no reads"]),
        ("", ["no reads"]),
    ],
)
def test_a_wrong_table_is_refused_by_row(tmp_path: Path, text: str, names: list[str]) -> None:
    with pytest.raises(ReadsFileError) as refused:
        read_reads(write(tmp_path, text))
    assert all(name in str(refused.value) for name in ["reads.csv", *names])
    assert "\n" not in str(refused.value)


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_reads(tmp_path / "none.csv")
    (tmp_path / "no.xlsx").write_bytes(b"no workbook")
    with pytest.raises(ReadsFileError):
        read_reads(tmp_path / "no.xlsx")
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["case", "reader", "value"])
    sheet.append(["a", "Ann", "=1+1"])
    book.save(tmp_path / "formula.xlsx")
    with pytest.raises(ReadsFileError, match="row 2: contains a formula"):
        read_reads(tmp_path / "formula.xlsx")


def test_a_grouping_that_is_not_there_is_refused_and_an_unused_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "case,reader,value,batch\na,Ann,1,x\n")
    assert "batch" in read_reads(path).warnings[0]
    assert read_reads(path, groups=("batch",)).reads[0].groups == {"batch": "x"}
    with pytest.raises(ReadsFileError, match="stain"):
        read_reads(path, groups=("stain",))


@pytest.mark.parametrize("text", ["=1+1", "@cmd", "+1+cmd|' /C calc'!A0", "-2+3", "\tx", " =x"])
def test_no_entry_becomes_a_formula(tmp_path: Path, text: str) -> None:
    assert safe_entry(text) == f"'{text}"
    write_rows(tmp_path / "t.csv", ["a"], [[text], [-1.5], ["-1.5"]])
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["a", f"'{text}", "-1.5", "-1.5"]
    write_rows(tmp_path / "t.xlsx", ["a"], [[text]])
    cell = load_workbook(tmp_path / "t.xlsx")["reads"]["A2"]
    assert cell.data_type != "f"


def test_numbers_stay_numbers() -> None:
    assert [safe_entry(one) for one in (-1.5, "-1.5", None, "plain")] == [-1.5, "-1.5", None, "plain"]


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (("a", "Ann"), ("b", "ann"), "reader"),
        (("a", "Ann"), ("b", "Ann\u200b"), "reader"),
        (("a", "Ann B"), ("b", "Ann\u00a0B"), "reader"),
        (("a", "Ann B"), ("b", "Ann  B"), "reader"),
        (("a", "Ren\u00e9"), ("b", "Rene\u0301"), "reader"),
        (("Case 1", "Ann"), ("case 1", "Bob"), "case"),
        (("C1", "Ann"), ("\ufeffC1", "Bob"), "case"),
        (("C1", "Ann"), ("\uff23\uff11", "Bob"), "case"),
    ],
)
def test_names_that_look_alike_are_asked_about(
    tmp_path: Path, first: tuple[str, str], second: tuple[str, str], what: str
) -> None:
    rows = "".join(f"{case},{reader},5\n" for case, reader in (first, second))
    path = write(tmp_path, f"case,reader,value\n{rows}")
    with pytest.raises(ReadsFileError) as caught:
        read_reads(path)
    shown = re.search(rf"{what} ('.*') \(row 2\) and ('.*') \(row 3\) differ only in", str(caught.value))
    assert shown
    assert shown[1] != shown[2], "a person must see the difference"


def test_lookalikes_in_other_columns_are_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path, "case,patient,reader,value\na,P1,Ann,5\nb,p1,Ann,5\n")
    with pytest.raises(ReadsFileError, match="patient 'P1'"):
        read_reads(path)
    path = write(tmp_path, "case,site,reader,value\na,North,Ann,5\nb,north,Ann,5\n")
    with pytest.raises(ReadsFileError, match="site 'North'"):
        read_reads(path)
    path = write(tmp_path, "case,score,reader,value\na,CPS,Ann,5\nb,cps,Ann,5\n")
    assert len(read_reads(path).reads) == 2, "a score is the same in any case"


def test_invisible_characters_in_a_header_change_no_column(tmp_path: Path) -> None:
    path = write(tmp_path, "case\u200b,Reader\u00a0,\ufeffvalue\na,Ann,5\n")
    assert [(r.case, r.reader, r.value.number) for r in read_reads(path).reads] == [("a", "Ann", 5)]


@pytest.mark.parametrize(
    "column", ["age", "Age (years)", "tumour cells", "Ki-67", "n", "row no", "CPS", "TPS score", "Unnamed: 0"]
)
def test_a_measure_in_a_wide_table_is_no_reader_until_somebody_says_so(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, f"case,Ann,Bob,{column}\na,1,2,54\nb,3,4,61\n")
    with pytest.raises(ReadsFileError, match="may contain something other") as caught:
        read_reads(path)
    assert "--readers Ann,Bob" in caught.value.hint
    table = read_reads(path, readers=("Ann", "Bob"))
    assert {read.reader for read in table.reads} == {"Ann", "Bob"}
    assert table.warnings == (f"reads.csv: columns not used: {column}",)
    named = read_reads(path, readers=("Ann", column))
    assert {read.reader for read in named.reads} == {"Ann", column}


def test_a_column_that_numbers_the_rows_is_no_reader(tmp_path: Path) -> None:
    rows = "".join(f"c{n},{n % 3},{n}\n" for n in range(1, 11))
    path = write(tmp_path, f"case,Ann,x\n{rows}")
    with pytest.raises(ReadsFileError, match="column 'x' may contain something other"):
        read_reads(path)


@pytest.mark.parametrize("column", ["Reader no 1", "Dr. Size", "pathologist 2", "R3", "CPS Ann"])
def test_a_column_of_a_person_is_a_reader(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, f"case,Ann,{column}\na,1,2\nb,3,4\n")
    assert {read.reader for read in read_reads(path).reads} == {"Ann", column}


def test_an_empty_column_is_nobody(tmp_path: Path) -> None:
    table = read_reads(write(tmp_path, "case,Ann,remarks\na,1,\nb,3,\n"))
    assert {read.reader for read in table.reads} == {"Ann"}
    assert "columns not used: remarks" in table.warnings[0]


def test_readers_are_chosen_with_all_their_rounds(tmp_path: Path) -> None:
    wide = write(tmp_path, "case,Ann,Ann round 2,Bob\na,1,2,3\n")
    reads = read_reads(wide, readers=("ann",)).reads
    assert [(r.reader, r.round) for r in reads] == [("Ann", 1), ("Ann", 2)]
    with pytest.raises(ReadsFileError, match="no column of reader 'Cem'"):
        read_reads(wide, readers=("Cem",))
    tidy = write(tmp_path, "case,reader,value\na,Ann,1\na,Bob,3\n")
    assert [r.reader for r in read_reads(tidy, readers=("Bob",)).reads] == ["Bob"]
    with pytest.raises(ReadsFileError, match="no reader 'Cem'"):
        read_reads(tidy, readers=("Cem",))


@pytest.mark.parametrize("text", ["\u00b2", "1.0", "0", "9" * 5000, "-1", "\u0661"])
def test_a_round_is_a_plain_number(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReadsFileError, match="row 2: round"):
        read_reads(write(tmp_path, f"case,reader,round,value\nC1,A,{text},5\n"))


def test_reads_that_look_like_shares_are_said(tmp_path: Path) -> None:
    rows = "".join(f"c{n},Ann,{n * 10 + 5}\nc{n},Bob,0.{n}5\n" for n in range(6))
    table = read_reads(write(tmp_path, f"case,reader,value\n{rows}"))
    assert "all reads of 'Bob' lie between 0 and 1: are they shares, not per cent?" in table.warnings[-1]


def test_a_table_of_shares_alone_is_said_for_each_reader(tmp_path: Path) -> None:
    rows = "".join(f"c{n},0.{n}5,0.{n}2\n" for n in range(6))
    table = read_reads(write(tmp_path, f"case,Ann,Bob\n{rows}"))
    assert [warning.split(": ")[1] for warning in table.warnings] == [
        "all reads of 'Ann' lie between 0 and 1",
        "all reads of 'Bob' lie between 0 and 1",
    ]


def test_a_low_cohort_of_whole_numbers_is_no_table_of_shares(tmp_path: Path) -> None:
    rows = "".join(f"c{n},{n % 2},{n // 3}\n" for n in range(6))
    assert read_reads(write(tmp_path, f"case,Ann,Bob\n{rows}")).warnings == ()


def test_every_field_of_a_csv_is_quoted(tmp_path: Path) -> None:
    """A spreadsheet that separates at semicolons would run what follows one."""
    write_rows(tmp_path / "t.csv", ["a", "b"], [["x;=cmd|' /C calc'!A0", 1.5], [None, 'say "no"']])
    lines = (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines == ['"a","b"', '"x;=cmd|\' /C calc\'!A0","1.5"', '"","say ""no"""']


def test_control_characters_do_not_break_a_workbook(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.xlsx", ["a"], [["x\x00\x0by"]])
    assert load_workbook(tmp_path / "t.xlsx")["reads"]["A2"].value == "xy"


@pytest.mark.parametrize("name", ["Total", "MEAN", "Sum:", "median", "SD", "Kappa", "ICC", "n", "25%"])
@pytest.mark.parametrize("text", ["case,Ann,Bob\na,1,2\n{},4,6\n", "case,reader,value\na,Ann,1\n{},Ann,6\n"])
def test_a_summary_below_the_table_is_no_case(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(ReadsFileError, match=r"row 3: .* looks like a summary"):
        read_reads(write(tmp_path, text.format(name)))


def test_a_case_may_begin_like_a_summary(tmp_path: Path) -> None:
    table = read_reads(write(tmp_path, "case,Ann,Bob\nTotal-1,1,2\nSum 17,4,6\n"))
    assert [read.case for read in table.reads] == ["Total-1", "Total-1", "Sum 17", "Sum 17"]


def test_letters_with_marks_do_not_cut_a_name_into_words(tmp_path: Path) -> None:
    table = read_reads(write(tmp_path, "case,Ann,Réné\na,1,2\nb,3,4\n"))
    assert {read.reader for read in table.reads} == {"Ann", "Réné"}


@pytest.mark.parametrize(("text", "said"), [("P1,,P2,", 4), ("P1,P1,P2,P2", 0), (",,,", 0)])
def test_reads_without_a_patient_next_to_others_with_one_are_said(
    tmp_path: Path, text: str, said: int
) -> None:
    """In a merged cell of a sheet only the first row carries the name."""
    rows = "".join(f"c{n},{patient},1,2\n" for n, patient in enumerate(text.split(",")))
    warnings = read_reads(write(tmp_path, f"case,patient,Ann,Bob\n{rows}")).warnings
    assert [f"{said} of 8 reads name no patient" in warning for warning in warnings] == [True] * bool(said)


def test_a_table_that_lies_on_its_side_is_said(tmp_path: Path) -> None:
    turned = "," + ",".join(f"c{n}" for n in range(20)) + "\n"
    rows = "".join(f"{name},{','.join(str(n) for n in range(20))}\n" for name in ("Ann", "Bob"))
    warnings = read_reads(write(tmp_path, turned + rows)).warnings
    assert warnings == ("reads.csv: 20 readers of 2 cases: a case takes a row, a reader a column",)
    ring = "case," + ",".join(f"R{n}" for n in range(31)) + "\n"
    rows = "".join(f"c{case},{','.join('5' for _ in range(31))}\n" for case in range(10))
    assert read_reads(write(tmp_path, ring + rows)).warnings == ()


@pytest.mark.parametrize(
    ("one", "other"), [("001", "1"), ("0", "00"), ("7", "007"), ("7", "7.0"), ("12.00", "012")]
)
def test_numbers_of_cases_that_lost_their_zeros_are_asked_about(tmp_path: Path, one: str, other: str) -> None:
    path = write(tmp_path, f"case,reader,value\n{one},Ann,5\n{other},Bob,5\n")
    with pytest.raises(ReadsFileError, match=rf"case '{one}' .* and '{other}' .* zeros before or behind"):
        read_reads(path)


def test_a_score_without_a_name_is_called_a_score(tmp_path: Path) -> None:
    with pytest.raises(ReadsFileError, match="row 2: score of reader 'Ann'"):
        read_reads(write(tmp_path, "case,Ann,Bob\na,~1,2\n"), score="")


def _wide(folder: Path, *columns: str, rows: int = 12, first: tuple[str, ...] = ("case",)) -> Path:
    path = folder / "wide.csv"
    lines = [",".join((*first, *columns))]
    for row in range(rows):
        cases = [str(row + 1)] * (len(first) - 1) + [f"C{row:02}"]
        lines.append(",".join([*cases, *(str((7 * row + 3 * place) % 40) for place in range(len(columns)))]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    ["Consensus", "Final", "Ground truth", "Reference", "Adjudicated", "Diff", "A-B", "Category", "Max",
     "TC+", "Confidence", "Minutes", "Purity", "TILs", "TMB"],
)  # fmt: skip
def test_what_is_made_of_reads_or_besides_them_is_no_reader_unasked(tmp_path: Path, name: str) -> None:
    path = _wide(tmp_path, "A", "B", name)
    with pytest.raises(ReadsFileError, match="may contain something other than reads") as raised:
        read_reads(path)
    assert raised.value.hint == "name the readers: --readers A,B"
    assert {read.reader for read in read_reads(path, readers=["A", "B", name]).reads} == {"A", "B", name}


@pytest.mark.parametrize(
    "columns",
    [
        ("A", "B", "A.1", "B.1"),
        ("A", "B", "A_2", "B_2"),
        ("Smith", "Smith (2)", "Jones"),
        ("Smith", "Smith second"),
        ("Smith", "Smith repeat", "Jones"),
        ("Smith R1", "Smith R2", "Jones R1", "Jones R2"),
        ("Smith 1", "Smith 2", "Jones 1", "Jones 2"),
        ("A_t1", "A_t2"),
        ("A Runde 1", "A Runde 2"),
    ],
)
def test_a_further_read_of_a_reader_is_no_further_reader(tmp_path: Path, columns: tuple[str, ...]) -> None:
    path = _wide(tmp_path, *columns)
    with pytest.raises(ReadsFileError, match="may be a further read of the reader of"):
        read_reads(path)
    assert len({read.reader for read in read_reads(path, readers=columns).reads}) == len(columns)


@pytest.mark.parametrize(
    "columns",
    [
        ("Reader 1", "Reader 2", "Reader 3"),
        ("R1", "R2", "R3"),
        ("Expert 1", "Expert 2"),
        ("Site A reader 1", "Site A reader 2", "Site B reader 1", "Site B reader 2"),
        ("Smith", "Smithson", "Jones"),
        ("A", "AB", "B"),
        ("A", "AI", "QuPath"),
        ("Smith", "Smith round 2", "Jones", "Jones round 2"),
    ],
)
def test_numbered_and_similar_readers_are_readers(tmp_path: Path, columns: tuple[str, ...]) -> None:
    reads = read_reads(_wide(tmp_path, *columns)).reads
    assert len({(read.reader, read.round) for read in reads}) == len(columns)


@pytest.mark.parametrize(
    ("columns", "score", "hint"),
    [
        (("A CPS", "A TPS", "B CPS", "B TPS"), "CPS", "name one score's readers"),
        (("TPS_A", "TPS_B"), "CPS", "pass --score TPS"),
        (("CPS_A", "CPS_B"), "TPS", "pass --score CPS"),
    ],
)
def test_columns_that_are_named_after_another_score_are_refused(
    tmp_path: Path, columns: tuple[str, ...], score: str, hint: str
) -> None:
    with pytest.raises(ReadsFileError, match="but read as") as raised:
        read_reads(_wide(tmp_path, *columns), score=score)
    assert raised.value.hint
    assert hint in raised.value.hint


def test_columns_of_one_score_are_read_as_it(tmp_path: Path) -> None:
    path = _wide(tmp_path, "A CPS", "A TPS", "B CPS", "B TPS")
    assert len(read_reads(path, readers=["A TPS", "B TPS"], score="TPS").reads) == 24


@pytest.mark.parametrize("first", [("", "case"), ("", "Case ID")])
def test_a_numbering_of_rows_by_r_or_pandas_is_no_case(tmp_path: Path, first: tuple[str, ...]) -> None:
    reads = read_reads(_wide(tmp_path, "A", "B", first=first)).reads
    assert {read.case for read in reads} == {f"C{row:02}" for row in range(12)}
    assert {read.reader for read in reads} == {"A", "B"}


@pytest.mark.parametrize(("last", "named"), [("0.25", True), ("25%", False), ("25", False)])
def test_per_cent_and_shares_of_one_reader_are_named(tmp_path: Path, last: str, named: bool) -> None:
    path = tmp_path / "reads.csv"
    path.write_text(f"case,A,B\nC1,5%,5\nC2,10%,10\nC3,{last},25\n", encoding="utf-8")
    assert any("a percent sign in some rows" in one for one in read_reads(path).warnings) == named


def test_a_round_is_looked_for_in_names_that_a_person_may_have_written(tmp_path: Path) -> None:
    """The time grows with the square of the length: a damaged file took five seconds."""
    endless = "v" * 250 + " round 2"
    path = write(tmp_path, f"case,amber,{endless}\nC1,1,2\nC2,3,4\n")
    assert {one.reader for one in read_reads(path, readers=("amber", endless)).reads} == {"amber", endless}
