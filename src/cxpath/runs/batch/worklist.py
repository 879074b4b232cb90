"""The worklist: which slides to score and how, from a folder, a pattern or a table."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxpath.exchange.plain_rows import plain_rows
from cxpath.runs.batch.same_result import request_digest
from cxpath.runs.batch.slide_task import SlideTask
from cxpath.runs.batch.state_folder import STATE_NAME
from cxpath.runs.score_request import ScoreRequest
from cxpath.slide.dicom_series import series_instance_uid
from cxpath.values.errors import MissingFileError, ReadsFileError, WorklistError

TABLES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xlsm"})
SLIDES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm", ".tif", ".tiff"}
)
"""What a folder is searched for. Pictures need an explicit pattern: a folder may hold all sorts of them."""

REQUEST_COLUMNS = ("assay", "tumour", "mpp", "regions", "cells", "marker")
FACT_COLUMNS = ("case", "block", "batch", "scanner")
NOTE = "note"
"""Columns whose name begins so are carried into the cohort table as they are."""

_COLUMNS = ("slide", "id", *FACT_COLUMNS, *REQUEST_COLUMNS)


@dataclass(frozen=True)
class WorklistRow:
    """One row before it became a task.

    Parameters
    ----------
    place : str
        Where it stands, for messages: "row 7", or the slide's path.
    slide : Path
    values : mapping of str to str
        The other columns that are not empty.
    """

    place: str
    slide: Path
    values: Mapping[str, str]


def read_worklist(source: str, template: ScoreRequest, out: Path, model_digest: str) -> list[SlideTask]:
    """Read a worklist.

    Parameters
    ----------
    source : str
        A folder (searched below, too), a pattern such as `slides/**/*.svs`, a table (CSV, TSV, XLSX), or
        one slide.
    template : ScoreRequest
        How to score a slide whose row does not say otherwise.
    out : Path
        The batch's folder.
    model_digest : str
        Of the template's model: part of what makes a result the same.

    Returns
    -------
    list of SlideTask
        In the worklist's order; by path for a folder or pattern.

    Raises
    ------
    MissingFileError
        When there is no such folder or file.
    WorklistError
        When a table cannot be read, an entry makes no sense, or no slide is named.
    """
    path = Path(source)
    if path.suffix.lower() in TABLES and path.is_file():
        rows = _rows_of_table(path)
    elif path.is_dir():
        rows = [WorklistRow(str(slide), slide, {}) for slide in _slides_below(path, out)]
    elif path.is_file():
        rows = [WorklistRow(str(path), path, {})]
    elif glob.has_magic(source):
        found = sorted(Path(name) for name in glob.glob(source, recursive=True))  # noqa: PTH207  # absolute, too
        rows = [WorklistRow(str(slide), slide, {}) for slide in found if slide.is_file()]
    else:
        raise MissingFileError(f"{source}: no such folder, worklist or slide", "check the path")
    if not rows:
        raise WorklistError(f"{source}: names no slide", f"cxpath looks for {', '.join(sorted(SLIDES))}")
    return [_task(row, template, out, model_digest) for row in rows]


def _slides_below(folder: Path, out: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in inside)
        ours = path.absolute().is_relative_to(out.absolute())
        if hidden or ours or path.suffix.lower() not in SLIDES or not path.is_file():
            continue
        if path.suffix.lower() == ".dcm":
            series = series_instance_uid(path) or str(path)
            if series in seen:
                continue
            seen.add(series)
        yield path


def _rows_of_table(path: Path) -> list[WorklistRow]:
    try:
        rows = plain_rows(path)
    except ReadsFileError as error:
        raise WorklistError(error.message, error.hint) from error
    if not rows:
        raise WorklistError(f"{path}: the table is empty", "give it a header row with a column `slide`")
    names = [name.strip().lower() for name in rows[0][1]]
    _check_columns(path, names)
    return [_row(path, f"row {number}", dict(zip(names, row, strict=False))) for number, row in rows[1:]]


def _check_columns(path: Path, names: Sequence[str]) -> None:
    unknown = [name for name in names if name and name not in _COLUMNS and not name.startswith(NOTE)]
    twice = {name for name in names if name and names.count(name) > 1}
    known = f"known columns: {', '.join(_COLUMNS)}; begin others with `{NOTE}`"
    if "slide" not in names:
        raise WorklistError(f"{path}: has no column `slide`", known)
    if unknown:
        raise WorklistError(f"{path}: column {unknown[0]!r} is unknown", known)
    if twice:
        raise WorklistError(f"{path}: column {min(twice)!r} stands twice", "name every column once")


def _row(path: Path, place: str, entries: Mapping[str, str]) -> WorklistRow:
    slide = entries.get("slide", "")
    if not slide:
        raise WorklistError(f"{path}: {place}: names no slide", "fill in the column `slide`")
    values = {name: entry for name, entry in entries.items() if name and name != "slide" and entry}
    for column in ("regions", "cells"):
        if column in values:
            values[column] = str(path.parent / values[column])
    return WorklistRow(f"{path}: {place}", path.parent / slide, values)


def _task(row: WorklistRow, template: ScoreRequest, out: Path, model_digest: str) -> SlideTask:
    values = row.values
    request = replace(
        template,
        slide=row.slide,
        assay=values.get("assay", template.assay),
        tumour=values.get("tumour", template.tumour),
        marker=values.get("marker", template.marker).lower(),
        mpp=_mpp(row) if "mpp" in values else template.mpp,
        roi=Path(values["regions"]) if "regions" in values else template.roi,
        cells=Path(values["cells"]) if "cells" in values else template.cells,
    )
    slide_id = values.get("id") or request.shown_name or row.slide.stem
    _check_id(slide_id, row)
    facts = {name: entry for name, entry in values.items() if name in FACT_COLUMNS or name.startswith(NOTE)}
    request = replace(request, out=out.absolute() / slide_id)
    return SlideTask(slide_id, request, facts, request_digest(request, model_digest))


def _mpp(row: WorklistRow) -> float:
    entry = row.values["mpp"]
    try:
        return float(entry.replace(",", "."))
    except ValueError as error:
        raise WorklistError(
            f"{row.place}: mpp {entry!r} is no number", "give micrometres per pixel, such as 0.25"
        ) from error


def _check_id(slide_id: str, row: WorklistRow) -> None:
    if slide_id.startswith(".") or any(letter in slide_id for letter in '/\\:*?"<>|\0\n\r\t'):
        raise WorklistError(f"{row.place}: {slide_id!r} cannot name a folder", "give it another `id`")
    if slide_id.lower() == STATE_NAME:
        raise WorklistError(f"{row.place}: {slide_id!r} is kept for the state", "give it another `id`")
