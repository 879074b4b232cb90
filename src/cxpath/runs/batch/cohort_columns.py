"""What the cohort table says of a slide: one entry for each column, with its type, unit and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cxpath.runs.batch.outcome import Outcome
from cxpath.runs.batch.slide_task import SlideTask

Kind = Literal["text", "number", "whole", "yes/no"]


@dataclass(frozen=True)
class SlideRecord:
    """All that is known of one slide of a batch.

    Parameters
    ----------
    task : SlideTask
    outcome : Outcome
    score, run : mapping
        Its `score.json` and `run.json`; empty for a failed slide.
    """

    task: SlideTask
    outcome: Outcome
    score: Mapping[str, Any]
    run: Mapping[str, Any]


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


def _score(*keys: str | int) -> Callable[[SlideRecord], Any]:
    return lambda slide: _look(slide.score, keys)


def _run(*keys: str | int) -> Callable[[SlideRecord], Any]:
    return lambda slide: _look(slide.run, keys)


def _look(document: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _joined(*keys: str) -> Callable[[SlideRecord], Any]:
    return lambda slide: "; ".join(_look(slide.score, keys) or ()) or None


def _borderline(slide: SlideRecord) -> Any:
    cutoffs = _look(slide.score, ("cps", "cutoffs"))
    return any(cutoff["borderline"] for cutoff in cutoffs.values()) if cutoffs else None


def _excluded_mm2(slide: SlideRecord) -> Any:
    excluded = _look(slide.score, ("tissue", "excluded_mm2"))
    return None if excluded is None else float(sum(excluded.values()))


def _in_focus(slide: SlideRecord) -> Any:
    tissue = slide.score.get("tissue")
    if not tissue:
        return None
    blurred = float(tissue["excluded_mm2"].get("blur", 0.0))
    seen = float(tissue["scored_mm2"]) + blurred
    return 100.0 * (1.0 - blurred / seen) if seen > 0 else None


def _tumour_density(slide: SlideRecord) -> Any:
    cells, mm2 = (
        _look(slide.score, ("adequacy", "viable_tumour_cells")),
        _look(slide.score, ("tissue", "scored_mm2")),
    )
    return cells / mm2 if cells is not None and mm2 else None


def _scanner(slide: SlideRecord) -> Any:
    properties = _look(slide.run, ("slide", "properties")) or {}
    stated = (properties[key] for key in _SCANNER_PROPERTIES if properties.get(key))
    return slide.task.facts.get("scanner") or next(stated, None) or _look(slide.run, ("slide", "vendor"))


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
    Column("reason", "text", "why it failed", _outcome("reason")),
    Column("hint", "text", "what to do about that", _outcome("hint")),
    Column("error", "text", "class of the error", _outcome("error")),
    Column("not_evaluable_because", "text", "all reasons, joined by `; `", _joined("not_evaluable_because")),
    Column("assay", "text", "as stated", lambda slide: slide.task.request.assay),
    Column("tumour", "text", "as stated", lambda slide: slide.task.request.tumour),
    Column("marker", "text", "as asked for", lambda slide: slide.task.request.marker),
    Column("cps", "number", "CPS, not rounded", _score("cps", "value")),
    Column("cps_reported", "text", "its printed form", _score("cps", "reported")),
    Column(
        "cps_low", "number", "lower end of the interval for the tumour", _score("cps", "interval_tissue", 0)
    ),
    Column("cps_high", "number", "upper end of it", _score("cps", "interval_tissue", 1)),
    Column(
        "cps_slide_low",
        "number",
        "lower end of the interval for this slide",
        _score("cps", "interval_slide", 0),
    ),
    Column("cps_slide_high", "number", "upper end of it", _score("cps", "interval_slide", 1)),
    Column("cps_at_least_1", "yes/no", "cut-off 1 met", _score("cps", "cutoffs", "1", "met")),
    Column("cps_at_least_10", "yes/no", "cut-off 10 met", _score("cps", "cutoffs", "10", "met")),
    Column("borderline", "yes/no", "near a cut-off: pathologist review", _borderline),
    Column("tps", "number", "TPS, per cent", _score("tps", "value")),
    Column(
        "tps_low", "number", "lower end of its interval for the tumour", _score("tps", "interval_tissue", 0)
    ),
    Column("tps_high", "number", "upper end of it", _score("tps", "interval_tissue", 1)),
    Column("h_score", "number", "0 to 300", _score("h_score")),
    Column("viable_tumour_cells", "whole", "cells", _score("adequacy", "viable_tumour_cells")),
    Column("tumour_positive", "whole", "cells", _score("counts", "tumour_positive")),
    Column("tumour_negative", "whole", "cells", _score("counts", "tumour_negative")),
    Column("immune_positive", "whole", "cells, counted ones", _score("counts", "immune_positive")),
    Column("scored_mm2", "number", "tissue that entered the score, mm²", _score("tissue", "scored_mm2")),
    Column("excluded_mm2", "number", "tissue left out, mm²", _excluded_mm2),
    Column("in_focus_percent", "number", "share of tissue not left out as blurred, per cent", _in_focus),
    Column("tumour_cells_per_mm2", "number", "viable tumour cells per mm² of scored tissue", _tumour_density),
    Column("white_red", "number", "background, 0–255", _run("stains", "white_point", 0)),
    Column("white_green", "number", "background, 0–255", _run("stains", "white_point", 1)),
    Column("white_blue", "number", "background, 0–255", _run("stains", "white_point", 2)),
    Column("hematoxylin_red", "number", "haematoxylin vector", _run("stains", "hematoxylin", 0)),
    Column("hematoxylin_green", "number", "haematoxylin vector", _run("stains", "hematoxylin", 1)),
    Column("hematoxylin_blue", "number", "haematoxylin vector", _run("stains", "hematoxylin", 2)),
    Column("dab_red", "number", "DAB vector", _run("stains", "dab", 0)),
    Column("dab_green", "number", "DAB vector", _run("stains", "dab", 1)),
    Column("dab_blue", "number", "DAB vector", _run("stains", "dab", 2)),
    Column("mpp", "number", "µm/px", _score("slide", "mpp")),
    Column("mpp_source", "text", "where that came from", _score("slide", "mpp_source")),
    Column("warnings", "text", "joined by `; `", _joined("warnings")),
    Column("attempts", "whole", "how often it was tried", _outcome("attempts")),
    Column("seconds", "number", "of the last attempt", _outcome("seconds")),
    Column("worker", "text", "computer and process that scored it", _outcome("worker")),
    Column("started", "text", "ISO 8601, UTC, by the worker's clock", _outcome("started")),
    Column("finished", "text", "ISO 8601, UTC, by the worker's clock", _outcome("finished")),
    Column("slide_digest", "text", "SHA-256 of the slide", _outcome("slide_digest")),
    Column("model", "text", "name", _score("provenance", "model")),
    Column("model_digest", "text", "SHA-256 of its weights", _score("provenance", "model_digest")),
    Column(
        "configuration_digest",
        "text",
        "SHA-256 of the settings",
        _score("provenance", "configuration_digest"),
    ),
    Column("cxpath", "text", "version", _score("provenance", "cxpath")),
)
"""Every column, in the table's order; columns `note…` of the worklist come after."""

Row = dict[str, Any]


def row_of(slide: SlideRecord) -> Row:
    """Return the slide's row."""
    return {column.name: column.value(slide) for column in COLUMNS}
