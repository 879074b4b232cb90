"""The cohort: one row a slide, its columns, files and drift over time."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cxpath.app import publish_late_review
from cxpath.batch.task import SlideTask
from cxpath.batch.worklist import read_batch
from cxpath.data import ReasonCode
from cxpath.documents import COMMIT_MARK, RUN_NAME, DecidingScore, Outcome, RunDocument, ScoreDocument, Status
from cxpath.errors import CxpathError, DocumentError, MissingFileError
from cxpath.io import atomic_write, write_rows
from cxpath.report import ControlChart, GroupMean, Point, build_cohort_page

# What the cohort table says of a slide: one entry for each column, with its type, unit and meaning.


Kind = Literal["text", "number", "whole", "yes/no"]

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Column:
    """One column of the cohort table.

    Parameters
    ----------
    name : str
    kind : str
    meaning : str
        As the reference states it.
    value : callable
        Takes the slide's record; None where there is nothing to say.
    """

    name: str
    kind: Kind
    meaning: str
    value: Callable[[SlideRecord], Any]


def _fact(name: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: slide.task.facts.get(name)


def _outcome(name: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: getattr(slide.outcome, name) or None


def _score(name: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: getattr(slide.score, name) if slide.score else None


def _estimate(score: str, name: str, end: int | None = None) -> Callable[[SlideRecord], Any]:
    """Return what an estimate states: "deciding" is the CPS that decides, audited where it is."""

    def value(slide: SlideRecord) -> Any:
        found = getattr(slide.score, score) if slide.score else None
        found = found.estimate if isinstance(found, DecidingScore) else found
        stated = getattr(found, name) if found else None
        return stated if end is None or stated is None else stated[end]

    return value


def _met(cutoff: str) -> Callable[[SlideRecord], Any]:
    def value(slide: SlideRecord) -> Any:
        cps = slide.score.deciding.estimate if slide.score else None
        return cps.cutoffs[cutoff].met if cps and cutoff in cps.cutoffs else None

    return value


def _count(name: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: getattr(slide.score.counts, name) if slide.score and slide.score.counts else None


def _part(part: str, name: str) -> Callable[[SlideRecord], Any]:
    """Return what a part of `score.json` that is always there says."""
    return lambda slide: getattr(getattr(slide.score, part), name) if slide.score else None


def _stain(name: str, channel: int) -> Callable[[SlideRecord], Any]:
    return lambda slide: getattr(slide.run.stains, name)[channel] if slide.run else None


def _joined(name: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: "; ".join(one.text for one in getattr(slide.score, name, ())) or None


def _warnings(slide: SlideRecord) -> Any:
    """Return all warnings but the model's notice, which has a column of its own."""
    said = slide.score.warnings if slide.score else ()
    return "; ".join(one.text for one in said if one.code is not ReasonCode.MODEL_NOTICE) or None


def _reason(slide: SlideRecord) -> Any:
    return slide.outcome.reason or None


def _borderline(slide: SlideRecord) -> Any:
    cps = slide.score.deciding.estimate if slide.score else None
    return bool(cps.borderline) if cps and cps.cutoffs else None


def _uncertain(slide: SlideRecord) -> Any:
    cps = slide.score.deciding.estimate if slide.score else None
    return "; ".join(f"CPS ≥ {cutoff:g}" for cutoff in cps.uncertain) or None if cps else None


def _basis(slide: SlideRecord) -> Any:
    if slide.score is None or slide.score.deciding.estimate is None:
        return None
    return slide.score.deciding.basis.value


def _reviewer(slide: SlideRecord) -> Any:
    if slide.score is None or slide.score.review is None:
        return None
    one = slide.score.audited or slide.score.review.edited
    return one.reviewer if one else None


def _signed(name: str) -> Callable[[SlideRecord], Any]:
    def value(slide: SlideRecord) -> Any:
        review = slide.score.review if slide.score else None
        return getattr(review.signature, name) if review and review.signature else None

    return value


def _excluded_mm2(slide: SlideRecord) -> Any:
    return float(sum(slide.score.tissue.excluded_mm2.values())) if slide.score else None


def _in_focus(slide: SlideRecord) -> Any:
    if slide.score is None:
        return None
    tissue = slide.score.tissue
    blurred = tissue.excluded_mm2.get(BLUR, 0.0)
    seen = tissue.scored_mm2 + blurred
    return 100.0 * (1.0 - blurred / seen) if seen > 0 else None


BLUR = "blur"
"""The reason of `excluded_mm2` for tissue that is out of focus."""


def _tumour_density(slide: SlideRecord) -> Any:
    if slide.score is None:
        return None
    cells, mm2 = slide.score.adequacy.viable_tumour_cells, slide.score.tissue.scored_mm2
    return cells / mm2 if cells is not None and mm2 else None


def _scanner(slide: SlideRecord) -> Any:
    stated = slide.task.facts.get("scanner")
    if stated or slide.run is None:
        return stated
    properties = slide.run.slide.properties
    models = (properties[key] for key in _SCANNER_PROPERTIES if properties.get(key))
    return next(models, None) or slide.run.slide.vendor


_SCANNER_PROPERTIES = ("leica.device-model", "dicom.ManufacturerModelName", "tiff.Model")

COLUMNS: tuple[Column, ...] = (
    Column("id", "text", "name in the batch, and of the results folder", lambda slide: slide.task.id),
    Column("slide", "text", "file name, or pseudonym", lambda slide: slide.task.shown_name),
    Column("case", "text", "from the worklist", _fact("case")),
    Column("block", "text", "from the worklist", _fact("block")),
    Column("batch", "text", "staining or scanning batch, from the worklist", _fact("batch")),
    Column("scanner", "text", "from the worklist, else from the file: its model, else its vendor", _scanner),
    Column(
        "status", "text", "`scored`, `not evaluable` or `failed`", lambda slide: slide.outcome.status.value
    ),
    Column("reason", "text", "why it failed, or why its result cannot be read", _reason),
    Column("hint", "text", "what to do about that", _outcome("hint")),
    Column("error", "text", "class of the error", _outcome("error")),
    Column("not_evaluable_because", "text", "all reasons, joined by `; `", _joined("not_evaluable_because")),
    Column("assay", "text", "as stated", lambda slide: slide.task.request.assay),
    Column("tumour", "text", "as stated", lambda slide: slide.task.request.tumour),
    Column("marker", "text", "as asked for", lambda slide: slide.task.request.marker),
    Column("cps", "number", "CPS that decides, not rounded", _estimate("deciding", "value")),
    Column("cps_basis", "text", "whose cells it counts: `network`, `edited` or `audited`", _basis),
    Column("cps_network", "number", "the network's own CPS, not rounded", _estimate("cps", "value")),
    Column("cps_reported", "text", "its printed form", _estimate("deciding", "reported")),
    Column(
        "cps_low",
        "number",
        "lower end of the interval for the tumour",
        _estimate("deciding", "interval_tissue", 0),
    ),
    Column("cps_high", "number", "upper end of it", _estimate("deciding", "interval_tissue", 1)),
    Column(
        "cps_slide_low",
        "number",
        "lower end of the interval for this slide",
        _estimate("deciding", "interval_slide", 0),
    ),
    Column("cps_slide_high", "number", "upper end of it", _estimate("deciding", "interval_slide", 1)),
    Column("cps_at_least_1", "yes/no", "cut-off 1 met; empty where it is uncertain", _met("1")),
    Column("cps_at_least_10", "yes/no", "cut-off 10 met; empty where it is uncertain", _met("10")),
    Column("reviewer", "text", "who audited or edited the slide", _reviewer),
    Column("signed_by", "text", "whose signature of the review contains", _signed("name")),
    Column("signed_utc", "text", "when that was, ISO 8601", _signed("utc")),
    Column("borderline", "yes/no", "near a cut-off: pathologist review", _borderline),
    Column("uncertain_cutoffs", "text", "those neither met nor not met, joined by `; `", _uncertain),
    Column("tps", "number", "TPS, per cent", _estimate("tps", "value")),
    Column(
        "tps_low",
        "number",
        "lower end of its interval for the tumour",
        _estimate("tps", "interval_tissue", 0),
    ),
    Column("tps_high", "number", "upper end of it", _estimate("tps", "interval_tissue", 1)),
    Column("h_score", "number", "0 to 300", _score("h_score")),
    Column("viable_tumour_cells", "whole", "cells", _part("adequacy", "viable_tumour_cells")),
    Column("tumour_positive", "whole", "cells", _count("tumour_positive")),
    Column("tumour_negative", "whole", "cells", _count("tumour_negative")),
    Column("immune_positive", "whole", "cells, counted ones", _count("immune_positive")),
    Column("scored_mm2", "number", "tissue that entered the score, mm²", _part("tissue", "scored_mm2")),
    Column("excluded_mm2", "number", "tissue left out, mm²", _excluded_mm2),
    Column("in_focus_percent", "number", "share of tissue not left out as blurred, per cent", _in_focus),
    Column("tumour_cells_per_mm2", "number", "viable tumour cells per mm² of scored tissue", _tumour_density),
    Column("white_red", "number", "background, 0–255", _stain("white_point", 0)),
    Column("white_green", "number", "background, 0–255", _stain("white_point", 1)),
    Column("white_blue", "number", "background, 0–255", _stain("white_point", 2)),
    Column("hematoxylin_red", "number", "haematoxylin vector", _stain("hematoxylin", 0)),
    Column("hematoxylin_green", "number", "haematoxylin vector", _stain("hematoxylin", 1)),
    Column("hematoxylin_blue", "number", "haematoxylin vector", _stain("hematoxylin", 2)),
    Column("dab_red", "number", "DAB vector", _stain("dab", 0)),
    Column("dab_green", "number", "DAB vector", _stain("dab", 1)),
    Column("dab_blue", "number", "DAB vector", _stain("dab", 2)),
    Column("mpp", "number", "µm/px", _part("slide", "mpp")),
    Column("mpp_source", "text", "where that came from", _part("slide", "mpp_source")),
    Column(
        "notice", "text", "what the model was trained and not validated on, from its card", _score("notice")
    ),
    Column("warnings", "text", "all others, joined by `; `", _warnings),
    Column("attempts", "whole", "how often it was tried", _outcome("attempts")),
    Column("seconds", "number", "of the last attempt", _outcome("seconds")),
    Column("worker", "text", "which worker scored it", _outcome("worker")),
    Column("started", "text", "ISO 8601, UTC, by the worker's clock", _outcome("started")),
    Column("finished", "text", "ISO 8601, UTC, by the worker's clock", _outcome("finished")),
    Column("slide_digest", "text", "SHA-256 of the slide", _outcome("slide_digest")),
    Column("model", "text", "name", _part("provenance", "model")),
    Column("model_digest", "text", "SHA-256 of its weights", _part("provenance", "model_digest")),
    Column(
        "configuration_digest",
        "text",
        "SHA-256 of the settings",
        _part("provenance", "configuration_digest"),
    ),
    Column("cxpath", "text", "version", _part("provenance", "cxpath")),
)
"""Every column, in the table's order; columns `note…` of the worklist come after."""

Row = dict[str, Any]


def row_of(slide: SlideRecord) -> Row:
    """Return the slide's row."""
    return {column.name: column.value(slide) for column in COLUMNS}


# From the files of a batch to its tables, `cohort.csv` and `cohort.parquet`: nothing is kept elsewhere.


SCHEMA = "cxpath/cohort/1"
_TYPES = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "yes/no": pa.bool_()}


def cohort_rows(tasks: Sequence[SlideTask], outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row a slide, in the worklist's order; read from each slide's own files.

    A slide whose files are damaged is listed as failed, with what is wrong with them.
    """
    return [
        row_of(_record_or_failure(task, outcome)) | _notes(task)
        for task, outcome in zip(tasks, outcomes, strict=True)
    ]


def write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """Write `cohort.csv` and `cohort.parquet`.

    Raises
    ------
    OutputError
        When the operating system refuses.
    """
    names = [column.name for column in COLUMNS]
    notes = list(dict.fromkeys(name for row in rows for name in row if name not in set(names)))
    header = [*names, *notes]
    write_rows(folder / "cohort.csv", header, [[_entry(row.get(name)) for name in header] for row in rows])
    fields = [pa.field(column.name, _TYPES[column.kind]) for column in COLUMNS]
    schema = pa.schema([*fields, *(pa.field(note, pa.string()) for note in notes)], {"schema": SCHEMA})
    table = pa.table({name: [row.get(name) for row in rows] for name in header}, schema=schema)
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
    if not outcome.is_final:  # its folder may still hold the result of other settings
        return SlideRecord(task, outcome, None, None)
    score = ScoreDocument.read(task.folder / COMMIT_MARK)
    record = SlideRecord(task, outcome, score, RunDocument.read(task.folder / RUN_NAME))
    if not record.slide_digest:
        raise DocumentError(f"{task.folder / COMMIT_MARK}: slide.digest: is empty", _DAMAGED)
    if record.evaluable:
        _require_table(task.folder / "cells.parquet")
    return record


_DAMAGED = "run the same cxpath batch run again: the slide is scored again"


def _require_table(path: Path) -> None:
    """Refuse a Parquet file that is not whole: its table of contents stands at its end."""
    try:
        pq.read_metadata(path)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such file", _DAMAGED) from error
    except (OSError, pa.ArrowException) as error:
        raise DocumentError(f"{path}: is not whole", _DAMAGED) from error


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


def _notes(task: SlideTask) -> Row:
    return {name: entry for name, entry in task.facts.items() if name.startswith("note")}


def _entry(value: Any) -> str | int | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value  # type: ignore[no-any-return]


# Drift of staining and scanning: each measure of each slide against control limits (Levey and Jennings).
#
# Limits are the mean plus and minus three standard deviations of a baseline, as on control charts of
# laboratories (Levey & Jennings 1950; Westgard's rule 1-3s). A batch or scanner is also assessed by its mean,
# whose limits narrow with the root of its number of slides (Shewhart's x-bar chart).


FEWEST = 8
"""A baseline of fewer slides gives no limits."""

_WIDTH = 3.0


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

    def value(self, row: Mapping[str, Any]) -> float | None:
        """Return the measure of one slide; None where the slide has none."""
        found = [_number(row.get(name)) for name in self.of]
        known = [value for value in found if value is not None]
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
    rows : sequence of mapping
        Rows of a cohort table.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]


def read_baseline(path: Path) -> Baseline:
    """Read a `cohort.csv`, or the one in a batch's folder.

    Raises
    ------
    MissingFileError
        When there is none.
    CxpathError
        When it is no cohort table.
    """
    table = path / "cohort.csv" if path.is_dir() else path
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise MissingFileError(f"{table}: no such file", "give a cohort.csv or a batch's folder") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CxpathError(f"{table}: not readable: {error}", "give a cohort.csv of cxpath") from error
    if not rows or "white_red" not in rows[0]:
        raise CxpathError(f"{table}: is no cohort table", "give a cohort.csv of cxpath")
    return Baseline(path.absolute().name, rows)  # its folders may tell a person's name


def drift_charts(rows: Sequence[Mapping[str, Any]], baseline: Baseline | None = None) -> list[ControlChart]:
    """Return a chart a measure that any slide has; points in order of scanning as the table has them."""
    against = baseline or Baseline("these slides themselves", rows)
    group_by = "batch" if any(row.get("batch") for row in rows) else "scanner"
    charts = (_chart(measure, rows, against, group_by) for measure in MEASURES)
    return [chart for chart in charts if chart.points]


def _chart(
    measure: Measure, rows: Sequence[Mapping[str, Any]], baseline: Baseline, group_by: str
) -> ControlChart:
    known = [value for row in baseline.rows if (value := measure.value(row)) is not None]
    centre = fmean(known) if len(known) >= FEWEST else None
    spread = stdev(known) if len(known) >= FEWEST else None
    points = tuple(
        Point(str(row["id"]), str(row.get(group_by) or ""), value, _is_outside(value, centre, spread))
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


def _number(entry: Any) -> float | None:
    try:
        value = float(entry)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


# What a batch leaves next to its slides' folders: tables and page; can be made again at any time.


def write_cohort(
    folder: Path,
    tasks: Sequence[SlideTask],
    outcomes: Sequence[Outcome],
    baseline: Baseline | None = None,
) -> list[Row]:
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
    list of Row
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


def rebuild_cohort(folder: Path, baseline: Baseline | None = None) -> list[Row]:
    """Make tables and page of a batch that ran before, from its files alone.

    Raises
    ------
    MissingFileError
        When the folder contains no batch.
    """
    tasks, outcomes = read_batch(folder)
    return write_cohort(folder, tasks, outcomes, baseline)
