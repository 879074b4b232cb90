"""Tables of manual reads, long or wide, and the values in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxpath.data import NO_READ, NOT_EVALUABLE, Read, ReadState, ReadValue, exactly
from cxpath.errors import ReadsFileError
from cxpath.io.geojson import lookalike_key, lookalike_number
from cxpath.io.tables import plain_table

# How a score may be written in a table of reads: "12", "0,5", "<1", ">100", "5 %", "NE", nothing.


MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "none", "null", "missing", "not read", "-", "--", "."})
NOT_EVALUABLE_WORDS = frozenset(
    {"ne", "n.e.", "n/e", "not evaluable", "not_evaluable", "inadequate", "insufficient", "inevaluable"}
)
LARGEST_OF_SCORE = {"h-score": 300.0, "hscore": 300.0, "h_score": 300.0}
"""The largest value that a score can have, where it is not 100."""
LARGEST = 100.0

_SHAPE = re.compile(r"^(<=|>=|<|>|≤|≥)?\s*(\d+(?:[.,]\d+)?|[.,]\d+)\s*%?$")


def largest_of(score: str) -> float:
    """Return the largest value that a score can have."""
    return LARGEST_OF_SCORE.get(score.strip().casefold(), LARGEST)


def read_value(text: str, largest: float = LARGEST) -> ReadValue:
    """Return the score that a text states.

    Parameters
    ----------
    text : str
        A number with decimal point or comma, a bound, a word for not evaluable or for not read.
    largest : float
        No plain number may be above it. A bound may say so: ">100" stands for 100.

    Raises
    ------
    ValueError
        With the reason, when it states no possible score.
    """
    plain = " ".join(text.replace("\u00a0", " ").split()).casefold()
    if plain in MISSING_WORDS:
        return NO_READ
    if plain in NOT_EVALUABLE_WORDS:
        return NOT_EVALUABLE
    found = _SHAPE.match(plain)
    if found is None:
        raise ValueError("is negative" if re.match(r"^-\s*\d", plain) else "is no score")
    number = float(found[2].replace(",", "."))
    if found[1] is None:
        if number > largest:
            raise ValueError(f'is above {largest:g} (write {largest:g} or ">{largest:g}")')
        return exactly(number)
    return _bound(found[1], number, largest)


def _bound(sign: str, number: float, largest: float) -> ReadValue:
    """Return a bound: half of what a score is below stands for it, the bound for what it is above."""
    if sign in {"<", "<=", "≤"}:
        if number > largest or (number == 0 and sign == "<"):
            raise ValueError("says nothing" if number else "is negative")
        return ReadValue(number / 2, 0.0, number, high_excluded=sign == "<")
    if number >= largest:
        return exactly(largest)
    return ReadValue(number, number, largest, low_excluded=sign == ">")


# A table of manual reads: one row a read ("tidy"), or one row a case with a column a reader ("wide").
#
# Every refusal names the row. Does not know what is computed from reads.


GROUPS = ("site", "scanner", "histology", "specimen")
"""Columns by which cases are grouped when they are there."""

TIDY_COLUMNS = (
    "case", "slide", "patient", "reader", "round", "arm", "score", "value", "date", "assay", *GROUPS,
)  # fmt: skip
"""Of the template; only case, reader and value must be there."""

_SAME = {
    "case_id": "case",
    "case id": "case",
    "accession": "case",
    "slide_id": "slide",
    "slide id": "slide",
    "patient_id": "patient",
    "patient id": "patient",
    "rater": "reader",
    "observer": "reader",
    "pathologist": "reader",
    "score name": "score",
    "score_name": "score",
    "read date": "date",
    "clone": "assay",
    "notes": "comment",
    "note": "comment",
}
_ROUND_IN_NAME = re.compile(
    r"^(?P<reader>.+?)[\s_,;(\[]*\bround[\s_]*(?P<round>[0-9]{1,4})[)\]]?$", re.IGNORECASE
)
_LONGEST_NAME = 200
"""Of a column in which a round is looked for: the time that takes grows with the square of the length."""

_ROUND = re.compile(r"0*[1-9][0-9]{0,3}")
_SCORE_WORDS = frozenset({"cps", "tps", "ic", "tap", "h", "hscore", "score", "pd", "l1", "pdl1"})
_MEASURE_WORDS = frozenset(
    {"age", "sex", "gender", "year", "date", "day", "days", "month", "months", "time", "survival", "id",
     "index", "idx", "row", "no", "nr", "number", "count", "counts", "cells", "cell", "total", "sum", "mean",
     "median", "average", "sd", "n", "size", "area", "mm", "mm2", "um", "percent", "percentage", "ratio",
     "fraction", "stage", "grade", "figo", "ki67", "p16", "weight", "height", "bmi", "tumour", "tumor",
     "immune", "lymphocytes", "macrophages", "stroma", "batch", "block", "level", "unnamed", "mpp",
     "diff", "difference", "delta", "abs", "max", "min", "range", "var", "cv", "category", "cat", "class",
     "bin", "agreement", "result", "confidence", "certainty", "minutes", "seconds", "duration", "intensity",
     "purity", "cellularity", "tils", "til", "tc", "mic", "hpv", "tmb", "msi", "her2", "egfr", "vegf",
     "consensus", "final", "adjudicated", "adjudication", "agreed", "truth", "gt", "reference", "ref", "gold",
     "standard", "majority"}
)  # fmt: skip
_PERSON_WORDS = frozenset({"reader", "rater", "observer", "pathologist", "dr", "prof"})
"""Words in the name of a column of a wide table, by what such a column most likely contains."""
_AGAIN = re.compile(
    r"(?P<reader>.*?[^\W_])[\s_.\-(\[]+"
    r"((?P<word>read|reading|time|t|r|rd|repeat|rep|session|visit|runde|wave|w|test)[\s_.\-]*)?"
    r"(?P<number>[0-9]{1,2}|1st|2nd|3rd|first|second|third|repeat|again|retest)[)\]]?"
    r"|(?P<repeated>.*[^\W_])[\s_.\-(\[]+(repeat|again|retest)[)\]]?"
)
"""What a column of a reader's second read may be called: "Smith.1", "Smith (2)", "Smith R2"."""
_SCORES_IN_NAMES = ("cps", "tps", "tap", "ic")
_SUMMARIES = frozenset(
    {"total", "totals", "grand total", "sum", "mean", "average", "avg", "median", "sd", "std", "stdev", "min",
     "max", "count", "minimum", "maximum", "summe", "mittelwert", "gesamt", "kappa", "cohen's kappa", "icc",
     "ccc", "ac1", "n", "p", "p value", "p-value", "ci", "95% ci", "95 % ci", "se", "sem", "cv", "variance",
     "range", "iqr", "q1", "q3", "25%", "50%", "75%", "mode", "std dev", "st dev", "standard deviation",
     "stabw", "standardabweichung", "anzahl", "correlation", "pearson", "spearman", "agreement",
     "% agreement", "percent agreement", "bias", "difference", "opa", "ppa", "npa", "prevalence"}
)  # fmt: skip
"""What rows below a table are called."""
_NUMBERED = frozenset({"case", "slide", "patient"})
_FEW_ROWS, _MANY_COLUMNS = 8, 3
"""A wide table of fewer cases, and so many times more readers, may have been turned on its side."""
_NUMBERED_ROWS = 8
"""So many reads that rise by 1 from 1 are a numbering, not what anybody read."""
_TEMPLATE = "cxpath agree init writes a template"


@dataclass(frozen=True)
class ReadsTable:
    """The reads of a file, and what a person should know about how it was read."""

    reads: tuple[Read, ...]
    warnings: tuple[str, ...] = ()


def read_reads(
    path: Path, score: str = "CPS", groups: Sequence[str] = (), readers: Sequence[str] = ()
) -> ReadsTable:
    """Read a table of manual reads.

    Parameters
    ----------
    path : Path
        CSV, TSV or XLSX.
    score : str
        What is read where the table has no column `score`.
    groups : sequence of str
        Further columns by which cases are grouped.
    readers : sequence of str
        The readers to take; all, and of a wide table every column that is not known, unless it may contain
        something else than reads.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ReadsFileError
        When a column or an entry is missing, a value is impossible, or a read occurs twice.
    """
    found = plain_table(path)
    rows = found.rows
    if len(rows) < 2:
        raise ReadsFileError(f"{path}: contains no reads", _TEMPLATE)
    names = _column_names(rows[0][1], path)
    wanted = (*GROUPS, *(_plain(name) for name in groups))
    missing = [name for name in wanted[len(GROUPS) :] if name not in names]
    if missing:
        raise ReadsFileError(f"{path}: no column {missing[0]!r} to group by", f"it has: {', '.join(names)}")
    entries = [(number, _by_name(names, row, path, number)) for number, row in rows[1:]]
    if {"reader", "value"} <= set(names):
        reads = tuple(_taken(path, _tidy_reads(path, entries, score, wanted), readers))
        unused = [name for name in names if name not in {*TIDY_COLUMNS, *wanted, "comment", ""}]
    else:
        columns = _reader_columns(path, names, entries, wanted, readers)
        if not readers:
            _refuse_other_scores(path, columns, score)
        reads = tuple(_wide_reads(path, columns, entries, score, wanted))
        unused = [name for name in names if name not in {*TIDY_COLUMNS, *columns, *wanted, "comment", ""}]
    _refuse_doubles(path, reads)
    refuse_lookalikes(reads, path)
    warnings = [f"{path.name}: columns not used: {', '.join(unused)}"] if unused else []
    warnings += [*_turned(path, reads), *_partly_percent(path, reads)]
    return ReadsTable(reads, (*found.warnings, *warnings, *_remarks(path, reads)))


def _turned(path: Path, reads: Sequence[Read]) -> list[str]:
    """Say that a table has very many readers of very few cases."""
    cases, readers = len({read.unit for read in reads}), len({read.reader for read in reads})
    if cases >= _FEW_ROWS or readers < _MANY_COLUMNS * cases:
        return []
    return [f"{path.name}: {readers} readers of {cases} cases: a case takes a row, a reader a column"]


def _taken(path: Path, reads: Iterator[Read], readers: Sequence[str]) -> Iterator[Read]:
    """Yield the reads of the named readers, or all if none is named."""
    wanted = {lookalike_key(name) for name in readers}
    found = set()
    for read in reads:
        found.add(lookalike_key(read.reader))
        if not wanted or lookalike_key(read.reader) in wanted:
            yield read
    absent = [name for name in readers if lookalike_key(name) not in found]
    if absent:
        raise ReadsFileError(f"{path}: no reader {absent[0]!r}", "name readers as the table does")


def _plain(name: str) -> str:
    plain = lookalike_key(name)
    return _SAME.get(plain, plain)


def _column_names(header: Sequence[str], path: Path) -> list[str]:
    """Return names without case, keeping those of readers; a first column without a name is the case."""
    known = {*TIDY_COLUMNS, "comment"}
    names = [_plain(name) if _plain(name) in known or not name else name.strip() for name in header]
    if {"reader", "value"} <= set(names):
        names = [_plain(name) for name in names]
    if names[0] == "" and "case" not in names:  # a numbering of rows, as R and pandas write it, else
        names[0] = "case"
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise ReadsFileError(f"{path}: row 1: column {doubled[0]!r} occurs twice", _TEMPLATE)
    if "case" not in names:
        raise ReadsFileError(f"{path}: row 1: no column 'case'", _TEMPLATE)
    return names


def _by_name(names: Sequence[str], row: Sequence[str], path: Path, number: int) -> dict[str, str]:
    if any(row[len(names) :]):
        raise ReadsFileError(
            f"{path}: row {number}: has {len(row)} entries under {len(names)} columns",
            "put entries with a decimal comma in quotes, or separate columns by semicolons",
        )
    return dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False))


def _tidy_reads(
    path: Path,
    entries: Sequence[tuple[int, Mapping[str, str]]],
    score: str,
    groups: Sequence[str],
) -> Iterator[Read]:
    for number, entry in entries:
        if not entry["reader"]:
            raise ReadsFileError(f"{path}: row {number}: names no reader", "fill in the column reader")
        yield _read(path, number, entry, entry["reader"], entry["value"], score, groups)


def _reader_columns(
    path: Path,
    names: Sequence[str],
    entries: Sequence[tuple[int, Mapping[str, str]]],
    groups: Sequence[str],
    readers: Sequence[str],
) -> list[str]:
    """Return the columns of a wide table that are readers': those named, or all that are not known.

    Raises
    ------
    ReadsFileError
        When there is none, a named one is missing, or one may contain something else than reads.
    """
    known = {*TIDY_COLUMNS, *groups, "comment", ""}
    unknown = [name for name in names if name not in known and any(entry[name] for _, entry in entries)]
    if readers:
        return [column for reader in readers for column in _columns_of(path, reader, unknown)]
    if not unknown:
        raise ReadsFileError(f"{path}: no columns 'reader' and 'value', and no column of a reader", _TEMPLATE)
    _refuse_second_reads(path, unknown)
    doubtful = [
        name
        for name in unknown
        if _is_made_of(name, unknown) or _may_be_no_reader(name, [entry[name] for _, entry in entries])
    ]
    if doubtful:
        people = [name for name in unknown if name not in doubtful] or ["NAME"]
        raise ReadsFileError(
            f"{path}: column {', '.join(map(repr, doubtful))} may contain something other than reads",
            f"name the readers: --readers {','.join(people)}",
        )
    return unknown


def _refuse_second_reads(path: Path, columns: Sequence[str]) -> None:
    """Refuse columns that may be two reads of one person, who would count as two readers.

    Numbers alone may also count the readers: they are asked about where the name stands alone, too ("A" and
    "A 2"), or where several names are numbered.
    """
    names = {lookalike_key(column): column for column in columns if not _round_in(column)}
    short = [key for key in names if len(key) <= _LONGEST_NAME]
    found = {key: match for key in short if (match := _AGAIN.fullmatch(key))}
    of_reader: dict[str, list[str]] = {}
    for key, match in found.items():
        reader = match["reader"] or match["repeated"]
        if re.findall(r"[^\W_]+", reader)[-1] not in _PERSON_WORDS:
            of_reader.setdefault(reader, []).append(key)
    several = sum(len(keys) > 1 for keys in of_reader.values()) > 1
    for reader, keys in of_reader.items():
        in_words = len(keys) > 1 and any(found[key]["word"] or not found[key]["number"] for key in keys)
        if reader in names or several or in_words:
            first, *_ = [name for name in (names.get(reader), names[keys[0]]) if name is not None]
            other = names[keys[0] if reader in names else keys[-1]]
            called = names.get(reader, other[: len(reader)])
            raise ReadsFileError(
                f"{path}: column {other!r} may be a further read of the reader of {first!r}",
                f"call it '{called} round 2', or name the readers: --readers {','.join(columns)}",
            )


def _refuse_other_scores(path: Path, columns: Sequence[str], score: str) -> None:
    """Refuse columns whose names state another score than the one that is read, or several."""
    words = {word for column in columns for word in re.findall(r"[^\W_]+", lookalike_key(column))}
    stated = [one for one in _SCORES_IN_NAMES if one in words]
    if stated and stated[0] in {"cps", "tps"} and stated != [score.casefold()]:
        several = len(stated) > 1
        names = " and ".join(map(str.upper, stated))
        raise ReadsFileError(
            f"{path}: the columns are named {names}, but read as {score or 'one score'}",
            "name one score's readers (--readers), or give the columns case, reader, score and value"
            if several
            else f"pass --score {stated[0].upper()}",
        )


def _columns_of(path: Path, reader: str, columns: Sequence[str]) -> list[str]:
    """Return a reader's columns: one, or one for each round."""
    key = lookalike_key(reader)
    own = [
        column for column in columns if key in {lookalike_key(column), lookalike_key(_reader_of(column)[0])}
    ]
    if not own:
        raise ReadsFileError(f"{path}: no column of reader {reader!r}", f"it has: {', '.join(columns)}")
    return own


def _reader_of(column: str) -> tuple[str, str]:
    """Return the reader and round that the name of a column states."""
    found = _round_in(column)
    return (found["reader"], found["round"]) if found else (column, "")


def _round_in(column: str) -> re.Match[str] | None:
    return _ROUND_IN_NAME.match(column) if len(column) <= _LONGEST_NAME else None


def _is_made_of(name: str, columns: Sequence[str]) -> bool:
    """Say whether a column is named after two others, such as "A-B": their difference or mean."""
    words = re.findall(r"[^\W_]+", lookalike_key(name))
    return len(words) > 1 and set(words) <= {lookalike_key(one) for one in columns if one != name}


def _may_be_no_reader(name: str, texts: Sequence[str]) -> bool:
    """Say whether a column is named like a measure or a score, or numbers the rows."""
    words = set(re.findall(r"[^\W_]+", lookalike_key(name).replace("ki-67", "ki67")))
    numbered = [str(number) for number in range(1, len(texts) + 1)]
    if words & _PERSON_WORDS:
        return False
    of_measure = bool(words & _MEASURE_WORDS) or bool(words and words <= _SCORE_WORDS)
    return of_measure or (len(texts) >= _NUMBERED_ROWS and list(texts) == numbered)


def _wide_reads(
    path: Path,
    columns: Sequence[str],
    entries: Sequence[tuple[int, Mapping[str, str]]],
    score: str,
    groups: Sequence[str],
) -> Iterator[Read]:
    """Yield the reads of a table with a column a reader; "NAME round 2" is a reader's second round."""
    for number, entry in entries:
        for column in columns:
            reader, of_round = _reader_of(column)
            own = dict(entry) | ({"round": of_round} if of_round else {})
            yield _read(path, number, own, reader, entry[column], score, groups)


def _read(
    path: Path,
    number: int,
    entry: Mapping[str, str],
    reader: str,
    text: str,
    score: str,
    groups: Sequence[str],
) -> Read:
    if not entry["case"]:
        raise ReadsFileError(f"{path}: row {number}: names no case", "fill in the column case")
    if entry["case"].casefold().rstrip(":") in _SUMMARIES:
        message = f"{path}: row {number}: {entry['case']!r} looks like a summary, not a case"
        raise ReadsFileError(message, "leave summaries out, or give the case another name")
    name = entry.get("score") or score
    try:
        value = read_value(text, largest_of(name))
    except ValueError as error:
        raise ReadsFileError(
            f"{path}: row {number}: {name or 'score'} of reader {reader!r}: {text!r} {error}",
            'write a number, "<1", ">100", NE for not evaluable, or leave it empty; where the column is no '
            "reader's, name the readers (--readers)",
        ) from error
    round_text = entry.get("round") or "1"
    if not _ROUND.fullmatch(round_text):
        raise ReadsFileError(
            f"{path}: row {number}: round {round_text!r} is not a number from 1", "write 1, 2, ..."
        )
    return Read(
        case=entry["case"],
        reader=reader,
        value=value,
        score=name,
        round=int(round_text),
        slide=entry.get("slide", ""),
        patient=entry.get("patient", ""),
        row=number,
        date=entry.get("date", ""),
        assay=entry.get("assay", ""),
        arm=entry.get("arm", "").casefold(),
        percent=text.strip().endswith("%"),
        groups={group: entry[group] for group in groups if entry.get(group)},
    )


def _refuse_doubles(path: Path, reads: Sequence[Read]) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for read in reads:
        key = (read.unit, read.reader, read.round, read.score.casefold())
        if key in seen:
            of_slide = f", slide {read.slide}" if read.slide else ""
            raise ReadsFileError(
                f"{path}: row {read.row}: case {read.case}{of_slide} was read by {read.reader!r} in round "
                f"{read.round} before, in row {seen[key]}",
                "keep one of them, or number the rounds",
            )
        seen[key] = read.row


def refuse_lookalikes(reads: Sequence[Read], file: object) -> None:
    """Refuse two names that differ only in case, spacing, normal form or invisible characters.

    They would be two readers or two cases; most likely one was meant, but only a person knows.

    Raises
    ------
    ReadsFileError
        Naming both, with their rows.
    """
    seen: dict[tuple[str, str], tuple[str, int]] = {}
    for read in reads:
        names = {"reader": read.reader, "case": read.case, "slide": read.slide, "patient": read.patient}
        for what, name in {**names, "score": read.score.casefold(), **read.groups}.items():
            first, row = seen.setdefault((what, _alike(what, name)), (name, read.row))
            if first != name:
                one, other = _shown(first, name)
                raise ReadsFileError(
                    f"{file}: {what} {one} (row {row}) and {other} (row {read.row}) differ only in "
                    + (
                        "zeros before or behind a number"
                        if lookalike_key(first) != lookalike_key(name)
                        else "case, spacing or invisible characters"
                    ),
                    "write them in the same way if they are the same, or make the difference clear",
                )


def _alike(what: str, name: str) -> str:
    """Return what two names share that may be one: spreadsheets cut 001 to 1."""
    return lookalike_number(name) if what in _NUMBERED else lookalike_key(name)


def _shown(first: str, second: str) -> tuple[str, str]:
    """Return both names in quotes, so that a person sees how they differ: composed letters as escapes."""
    composed = unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second)
    show = ascii if composed else repr
    return show(first), show(second)


def _remarks(path: Path, reads: Sequence[Read]) -> Iterator[str]:
    censored = sum(read.value.censored for read in reads)
    if censored:
        stated = "1 read states" if censored == 1 else f"{censored} reads state"
        yield (
            f"{path.name}: {stated} only a bound; where a number is needed, half of an upper bound or the "
            "lower bound is taken"
        )
    without = sum(not read.patient for read in reads)
    if without and without < len(reads):
        yield (
            f"{path.name}: {without} of {len(reads)} reads name no patient, as where cells of a sheet were "
            "merged: each of their cases counts as a patient of its own"
        )
    for state in (ReadState.NOT_EVALUABLE, ReadState.MISSING):
        number = sum(read.value.state is state for read in reads)
        if number:
            reads_are = "1 read is" if number == 1 else f"{number} reads are"
            yield f"{path.name}: {reads_are} {state.value}"
    for reader in _readers_of_shares(reads):
        yield f"{path.name}: all reads of {reader!r} lie between 0 and 1: are they shares, not per cent?"


def _partly_percent(path: Path, reads: Sequence[Read]) -> Iterator[str]:
    """Say whose reads have a percent sign here and are shares of 1 there."""
    signed: dict[str, list[bool]] = {}
    for read in reads:
        if read.percent or 0 < read.value.number < 1:
            signed.setdefault(read.reader, []).append(read.percent)
    for reader, found in signed.items():
        if any(found) and not all(found):
            yield (
                f"{path.name}: reads of {reader!r} have a percent sign in some rows, and lie between 0 and 1 "
                "without one in others: are these shares, not per cent?"
            )


def _readers_of_shares(reads: Sequence[Read]) -> Iterator[str]:
    """Yield readers whose reads look like shares of 1: none is above 1, and most lie between 0 and 1."""
    values: dict[str, list[float]] = {}
    for read in reads:
        if read.value.state is ReadState.SCORED and not read.value.censored:
            values.setdefault(read.reader, []).append(read.value.number)
    for reader, numbers in values.items():
        broken = sum(not number.is_integer() for number in numbers)
        if len(numbers) > 3 and max(numbers) <= 1 and 2 * broken > len(numbers):
            yield reader
