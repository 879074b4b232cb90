"""The cohort: one row a slide, its columns, files and drift over time."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from cxpath.app import publish_late_review
from cxpath.batch.task import SlideTask
from cxpath.batch.worklist import NOTE, read_batch
from cxpath.data import ReasonCode, refuse_pipe
from cxpath.documents import (
    COMMIT_MARK,
    RUN_NAME,
    CodedText,
    CohortRow,
    ColumnEntry,
    ColumnKind,
    Estimate,
    Outcome,
    RunDocument,
    RunStains,
    ScoreDocument,
    Status,
    TissueEntry,
)
from cxpath.errors import CxpathError, DocumentError, MissingFileError
from cxpath.io import atomic_write, write_rows
from cxpath.report import ControlChart, GroupMean, Point, build_cohort_page

# From what is known of a slide to its row of the cohort table.

_log = logging.getLogger(__name__)

BLUR = "blur"
"""The reason of `excluded_mm2` for tissue that is out of focus."""
_SCANNER_PROPERTIES = ("leica.device-model", "dicom.ManufacturerModelName", "tiff.Model")


@dataclass(frozen=True)
class SlideRecord:
    """All that is known of one slide of a batch.

    Parameters
    ----------
    task : SlideTask
    outcome : Outcome
    score : ScoreDocument or None
    run : RunDocument or None
        None for a failed slide.
    """

    task: SlideTask
    outcome: Outcome
    score: ScoreDocument | None
    run: RunDocument | None

    @property
    def evaluable(self) -> bool:
        """Whether the slide has a score."""
        return self.score is not None and self.score.evaluable

    @property
    def slide_digest(self) -> str:
        """SHA-256 of the slide; empty where there is no result."""
        return self.score.slide.digest if self.score else ""


Columns = dict[str, Any]
"""Some columns of a row, by name; those of what a slide lacks are left out."""


def row_of(slide: SlideRecord) -> CohortRow:
    """Return the slide's row."""
    facts, score, run = slide.task.facts, slide.score, slide.run
    return CohortRow(
        **_of_task(slide.task),
        **_of_outcome(slide.outcome),
        **(_of_score(score) if score else {}),
        **(_of_stains(run.stains) if run else {}),
        scanner=_scanner(slide),
        notes={name: entry for name, entry in facts.items() if name.startswith(NOTE)},
    )


def _of_task(task: SlideTask) -> Columns:
    return {
        "id": task.id,
        "slide": task.shown_name,
        "case": task.facts.get("case"),
        "block": task.facts.get("block"),
        "batch": task.facts.get("batch"),
        "assay": task.request.assay,
        "tumour": task.request.tumour,
        "marker": task.request.marker,
    }


def _of_outcome(outcome: Outcome) -> Columns:
    return {
        "status": outcome.status,
        "reason": outcome.reason or None,
        "hint": outcome.hint or None,
        "error": outcome.error or None,
        "attempts": outcome.attempts or None,
        "seconds": outcome.seconds or None,
        "worker": outcome.worker or None,
        "started": outcome.started or None,
        "finished": outcome.finished or None,
        "slide_digest": outcome.slide_digest or None,
    }


def _of_score(score: ScoreDocument) -> Columns:
    decides, signed = score.deciding, score.review.signature if score.review else None
    cps, made = decides.estimate, score.provenance
    return {
        "not_evaluable_because": _joined(score.not_evaluable_because),
        **(_of_cps(cps) | {"cps_basis": decides.basis.value} if cps else {}),
        "cps_network": score.cps.value if score.cps else None,
        "reviewer": _reviewer(score),
        "signed_by": signed.name if signed else None,
        "signed_utc": signed.utc if signed else None,
        "h_score": score.h_score,
        **_of_cells(score),
        "mpp": score.slide.mpp,
        "mpp_source": score.slide.mpp_source,
        "notice": score.notice,
        "warnings": _warnings(score),
        "model": made.model,
        "model_digest": made.model_digest,
        "configuration_digest": made.configuration_digest,
        "cxpath": made.cxpath,
    }


def _of_cps(cps: Estimate) -> Columns:
    (low, high), (slide_low, slide_high) = cps.interval_tissue, cps.interval_slide
    return {
        "cps": cps.value,
        "cps_reported": cps.reported,
        "cps_low": low,
        "cps_high": high,
        "cps_slide_low": slide_low,
        "cps_slide_high": slide_high,
        "cps_at_least_1": _met(cps, "1"),
        "cps_at_least_10": _met(cps, "10"),
        "borderline": bool(cps.borderline) if cps.cutoffs else None,
        "uncertain_cutoffs": "; ".join(f"CPS ≥ {one:g}" for one in cps.uncertain) or None,
    }


def _of_cells(score: ScoreDocument) -> Columns:
    tps, counts, tissue = score.tps, score.counts, score.tissue
    return {
        "tps": tps.value if tps else None,
        "tps_low": tps.interval_tissue[0] if tps else None,
        "tps_high": tps.interval_tissue[1] if tps else None,
        "viable_tumour_cells": score.adequacy.viable_tumour_cells,
        "tumour_positive": counts.tumour_positive if counts else None,
        "tumour_negative": counts.tumour_negative if counts else None,
        "immune_positive": counts.immune_positive if counts else None,
        "scored_mm2": tissue.scored_mm2,
        "excluded_mm2": float(sum(tissue.excluded_mm2.values())),
        "in_focus_percent": _in_focus_percent(tissue),
        "tumour_cells_per_mm2": _tumour_cells_per_mm2(score),
    }


def _of_stains(stains: RunStains) -> Columns:
    colours = {"white": stains.white_point, "hematoxylin": stains.hematoxylin, "dab": stains.dab}
    return {
        f"{name}_{part}": value
        for name, colour in colours.items()
        for part, value in zip(("red", "green", "blue"), colour, strict=True)
    }


def _scanner(slide: SlideRecord) -> str | None:
    stated = slide.task.facts.get("scanner")
    if stated or slide.run is None:
        return stated
    properties = slide.run.slide.properties
    models = (properties[key] for key in _SCANNER_PROPERTIES if properties.get(key))
    return next(models, None) or slide.run.slide.vendor


def _joined(reasons: Sequence[CodedText]) -> str | None:
    return "; ".join(one.text for one in reasons) or None


def _met(cps: Estimate, cutoff: str) -> bool | None:
    return cps.cutoffs[cutoff].met if cutoff in cps.cutoffs else None


def _reviewer(score: ScoreDocument) -> str | None:
    if score.review is None:
        return None
    one = score.audited or score.review.edited
    return one.reviewer if one else None


def _in_focus_percent(tissue: TissueEntry) -> float | None:
    blurred = tissue.excluded_mm2.get(BLUR, 0.0)
    seen = tissue.scored_mm2 + blurred
    return 100.0 * (1.0 - blurred / seen) if seen > 0 else None


def _tumour_cells_per_mm2(score: ScoreDocument) -> float | None:
    cells, mm2 = score.adequacy.viable_tumour_cells, score.tissue.scored_mm2
    return cells / mm2 if cells is not None and mm2 else None


def _warnings(score: ScoreDocument) -> str | None:
    """Return all warnings but the model's notice, which has a column of its own."""
    return _joined([one for one in score.warnings if one.code is not ReasonCode.MODEL_NOTICE])


# From the files of a batch to its tables, `cohort.csv` and `cohort.parquet`: nothing is kept elsewhere.


SCHEMA = "cxpath/cohort/1"
_TYPES: dict[ColumnKind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "whole": pa.int64(),
    "yes/no": pa.bool_(),
}


def cohort_rows(tasks: Sequence[SlideTask], outcomes: Sequence[Outcome]) -> list[CohortRow]:
    """Return a row a slide, in the worklist's order; read from each slide's own files.

    A slide whose files are damaged is listed as failed, with what is wrong with them.
    """
    return [row_of(_record_or_failure(task, outcome)) for task, outcome in zip(tasks, outcomes, strict=True)]


def write_tables(folder: Path, rows: Sequence[CohortRow]) -> None:
    """Write `cohort.csv` and `cohort.parquet`.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    columns = CohortRow.columns()
    notes = list(dict.fromkeys(name for row in rows for name in row.notes))
    header = [*(column.name for column in columns), *notes]
    lines = [[*row.entries().values(), *(row.notes.get(note) for note in notes)] for row in rows]
    write_rows(folder / "cohort.csv", header, [list(map(_entry, line)) for line in lines])
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in columns]
    schema = pa.schema([*fields, *(pa.field(note, pa.string()) for note in notes)], {"schema": SCHEMA})
    table = pa.table([[line[place] for line in lines] for place in range(len(header))], schema=schema)
    with atomic_write(folder / "cohort.parquet") as partial:
        pq.write_table(table, partial)


def has_whole_result(task: SlideTask, outcome: Outcome) -> bool:
    """Say whether a slide has a result that can be read; one that is damaged is named and counts as none."""
    if not outcome.is_final:
        return False
    try:
        read_record(task, outcome)
    except MissingFileError:
        return False
    except CxpathError as error:
        _log.warning("%s: %s; it is scored again", task.id, task.without_paths(error.message))
        return False
    return True


def read_record(task: SlideTask, outcome: Outcome) -> SlideRecord:
    """Read what is known of one slide of a batch.

    Raises
    ------
    MissingFileError, RunFolderError
        Naming the file and the field that is missing or damaged.
    """
    if not outcome.is_final:  # its folder may still contain the result of other settings
        return SlideRecord(task, outcome, None, None)
    score = ScoreDocument.read(task.folder / COMMIT_MARK)
    record = SlideRecord(task, outcome, score, RunDocument.read(task.folder / RUN_NAME))
    if not record.slide_digest:
        raise DocumentError(f"{task.folder / COMMIT_MARK}: slide.digest: is empty", _DAMAGED)
    if record.evaluable:
        _require_table(task.folder / "cells.parquet")
    for name, end in _LAST_BYTES.items():
        _require_end(task.folder / name, end)
    return record


_DAMAGED = "run the same cxpath batch run again: the slide is scored again"


_LAST_BYTES = {
    "tissue.png": b"IEND\xaeB`\x82",
    "heatmap.png": b"IEND\xaeB`\x82",
    "report.html": b"</html>",
    "fields/fields.json": b"}",
}
"""How files end that were written whole, by their name in a results folder."""


def _require_end(path: Path, end: bytes) -> None:
    """Refuse a file that is there and breaks off; what a run did not leave is not asked for."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - len(end) - 8))
            whole = file.read().rstrip().endswith(end)
    except OSError:
        return
    if not whole:
        raise DocumentError(f"{path}: is incomplete", _DAMAGED)


def _require_table(path: Path) -> None:
    """Refuse a Parquet file that is not whole: its table of contents stands at its end."""
    try:
        pq.read_metadata(path)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", _DAMAGED) from error
    except (OSError, pa.ArrowException) as error:
        raise DocumentError(f"{path}: is incomplete", _DAMAGED) from error


def _record_or_failure(task: SlideTask, outcome: Outcome) -> SlideRecord:
    try:
        if outcome.is_final:
            publish_late_review(task.folder)
        return read_record(task, outcome)
    except CxpathError as error:
        failure = outcome.updated(
            status=Status.FAILED,
            reason=task.without_paths(error.message),
            hint=error.hint,
            error=type(error).__name__,
        )
        return SlideRecord(task, failure, None, None)


def _entry(value: ColumnEntry) -> str | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


# Drift of staining and scanning: each measure of each slide against control limits (Levey and Jennings).
#
# Limits are the mean plus and minus three standard deviations of a baseline, as on control charts of
# laboratories (Levey & Jennings 1950; Westgard's rule 1-3s). A batch or scanner is also assessed by its mean,
# whose limits narrow with the root of its number of slides (Shewhart's x-bar chart).


FEWEST = 8
"""A baseline of fewer slides gives no limits."""

_WIDTH = 3.0

Grouping = Literal["batch", "scanner"]


@dataclass(frozen=True)
class Measure:
    """Something watched for drift.

    Parameters
    ----------
    title, unit : str
    of : tuple of str
        Columns of the cohort table; of several, the mean.
    """

    title: str
    unit: str
    of: tuple[str, ...]

    def value(self, row: CohortRow) -> float | None:
        """Return the measure of one slide; None where the slide has none."""
        known = [value for name in self.of if (value := getattr(row, name)) is not None]
        return fmean(known) if len(known) == len(self.of) else None


MEASURES = (
    Measure("Background brightness", "0–255", ("white_red", "white_green", "white_blue")),
    Measure("Haematoxylin, red part", "of its vector", ("hematoxylin_red",)),
    Measure("Haematoxylin, blue part", "of its vector", ("hematoxylin_blue",)),
    Measure("DAB, red part", "of its vector", ("dab_red",)),
    Measure("DAB, blue part", "of its vector", ("dab_blue",)),
    Measure("Tissue in focus", "per cent", ("in_focus_percent",)),
    Measure("Tumour cells", "per mm²", ("tumour_cells_per_mm2",)),
)


@dataclass(frozen=True)
class Baseline:
    """Slides that show how things should be.

    Parameters
    ----------
    name : str
        For people.
    rows : sequence of CohortRow
    """

    name: str
    rows: Sequence[CohortRow]


def read_baseline(path: Path) -> Baseline:
    """Read a `cohort.csv`, or the one in a batch's folder.

    Raises
    ------
    MissingFileError
        When there is none.
    CxpathError
        When it is not a cohort table.
    """
    table = path / "cohort.csv" if path.is_dir() else path
    try:
        refuse_pipe(table)
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise MissingFileError(f"{table}: no such file", "give a cohort.csv or a batch's folder") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CxpathError(f"{table}: not readable: {error}", "give a cohort.csv of cxpath") from error
    if not rows or not {"id", "slide", "status", "white_red"} <= rows[0].keys():
        raise CxpathError(f"{table}: is not a cohort table", "give a cohort.csv of cxpath")
    read = tuple(_read_row(row, f"{table}: line {number}") for number, row in enumerate(rows, start=2))
    return Baseline(path.absolute().name, read)  # its folders may tell a person's name


def _read_row(entries: Mapping[str, str | None], place: str) -> CohortRow:
    known = {column.name for column in CohortRow.columns()}
    try:
        return CohortRow.model_validate(
            {name: entry or None for name, entry in entries.items() if name in known}
        )
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        raise CxpathError(
            f"{place}: {column}: {first['msg']}", "give a cohort.csv as cxpath wrote it"
        ) from error


def _named_with_shared(baseline: Baseline, rows: Sequence[CohortRow]) -> Baseline:
    """Say in the baseline's name that it contains slides of the cohort: these cannot drift away from it."""
    own = {row.slide_digest for row in rows if row.slide_digest}
    shared = sum(row.slide_digest in own for row in baseline.rows)
    return replace(baseline, name=f"{baseline.name} ({shared} of it in this cohort)") if shared else baseline


def drift_charts(rows: Sequence[CohortRow], baseline: Baseline | None = None) -> list[ControlChart]:
    """Return a chart a measure that any slide has; points in order of scanning as the table has them."""
    against = _named_with_shared(baseline, rows) if baseline else Baseline("these slides themselves", rows)
    group_by: Grouping = "batch" if any(row.batch for row in rows) else "scanner"
    charts = (_chart(measure, rows, against, group_by) for measure in MEASURES)
    return [chart for chart in charts if chart.points]


def _chart(
    measure: Measure, rows: Sequence[CohortRow], baseline: Baseline, group_by: Grouping
) -> ControlChart:
    known = [value for row in baseline.rows if (value := measure.value(row)) is not None]
    centre = fmean(known) if len(known) >= FEWEST else None
    spread = stdev(known) if len(known) >= FEWEST else None
    points = tuple(
        Point(
            row.id,
            (row.batch if group_by == "batch" else row.scanner) or "",
            value,
            _is_outside(value, centre, spread),
        )
        for row in rows
        if (value := measure.value(row)) is not None
    )
    return ControlChart(
        title=measure.title,
        unit=measure.unit,
        baseline=f"{baseline.name}, {len(known)} slides",
        centre=centre,
        low=None if centre is None or spread is None else centre - _WIDTH * spread,
        high=None if centre is None or spread is None else centre + _WIDTH * spread,
        grouped_by=group_by,
        points=points,
        groups=tuple(_groups(points, centre, spread)),
    )


def _groups(points: Sequence[Point], centre: float | None, spread: float | None) -> list[GroupMean]:
    found = []
    for name in dict.fromkeys(point.group for point in points):
        values = [point.value for point in points if point.group == name]
        mean, narrowed = fmean(values), None if spread is None else spread / math.sqrt(len(values))
        found.append(GroupMean(name or "not stated", len(values), mean, _is_outside(mean, centre, narrowed)))
    return found


def _is_outside(value: float, centre: float | None, spread: float | None) -> bool:
    if centre is None or spread is None:
        return False
    return abs(value - centre) > _WIDTH * spread + 1e-9 * max(abs(centre), 1.0)


# What a batch leaves next to its slides' folders: tables and page; can be made again at any time.


def write_cohort(
    folder: Path,
    tasks: Sequence[SlideTask],
    outcomes: Sequence[Outcome],
    baseline: Baseline | None = None,
) -> list[CohortRow]:
    """Write `cohort.csv`, `cohort.parquet` and `cohort.html`.

    Parameters
    ----------
    folder : Path
        The batch's folder.
    tasks, outcomes : sequences of one length
    baseline : Baseline, optional
        What drift is measured against; the cohort itself when left out.

    Returns
    -------
    list of CohortRow
        The cohort table.

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    rows = cohort_rows(tasks, outcomes)
    write_tables(folder, rows)
    build_cohort_page(folder, rows, drift_charts(rows, baseline))
    return rows


def rebuild_cohort(folder: Path, baseline: Baseline | None = None) -> list[CohortRow]:
    """Make tables and page of a batch that ran before, from its files alone.

    Raises
    ------
    MissingFileError
        When the folder contains no batch.
    """
    tasks, outcomes = read_batch(folder)
    return write_cohort(folder, tasks, outcomes, baseline)
