"""The page of a scored slide: score, cut-offs, fields, sensitivity, advice."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath.data import ReasonCode
from cxpath.documents import (
    Adequacy,
    Bucket,
    Counts,
    Estimate,
    FieldEntry,
    Hottest,
    LaboratoryScale,
    OtherChoice,
    RunDocument,
    RunFolder,
    ScoreBasis,
    ScoreDocument,
    read_run_folder,
)
from cxpath.io import atomic_write
from cxpath.report.cell_pictures import INFLUENCE
from cxpath.report.html import (
    MISSING,
    area,
    arithmetic,
    compiled_page,
    cutoff_lines,
    embedded,
    font,
    interval,
    percent,
    render_page,
    review_sentence,
    score_form,
    seconds,
    whole,
)
from cxpath.report.review_pages import moment, review_link, reviewable, reviewed_section
from cxpath.scores import OTHER_SCORES, ScoringSettings, field_number

# What to do about a slide that is not evaluable, by the code of its reason.


_TEMPLATE = "report.html.j2"

_TUMOUR = (
    "Check on the slide that invasive tumour is present and inside the scored outline. If it is scarce, "
    "stain another block or a deeper section; if the outline missed it, score again with --regions."
)
_ARTEFACT = "Rescan the slide after cleaning it, or cut and stain a new section."
_STAIN = (
    "Check that this is the PD-L1 slide with haematoxylin and DAB, not H&E or another stain. If it is, score "
    "again with --stain-check off; the override is recorded."
)
_CONTROL = (
    "Look at the control tissue on the slide. If its staining is wrong, repeat the staining run; if the "
    "wrong piece was measured, draw the control as a region and score again with --regions."
)

ADVICE: Mapping[ReasonCode, str] = {
    ReasonCode.NO_TUMOUR: _TUMOUR,
    ReasonCode.TOO_FEW_TUMOUR_CELLS: _TUMOUR,
    ReasonCode.NO_TISSUE: (
        "Check the tissue picture. If tissue was missed, outline it in QuPath and score again with --regions."
    ),
    ReasonCode.NOT_BRIGHTFIELD: _STAIN,
    ReasonCode.NOT_HDAB: _STAIN,
    ReasonCode.OUT_OF_FOCUS: _ARTEFACT,
    ReasonCode.ARTEFACTS: _ARTEFACT,
    ReasonCode.CONTROL_FAILED: _CONTROL,
    ReasonCode.CONTROL_NOT_FOUND: _CONTROL,
    ReasonCode.RESOLUTION: (
        "Find the scanner's µm per pixel and score again with --mpp; rescan if it lies outside the model's "
        "range."
    ),
}
OTHERWISE = "Have the slide read by a pathologist; a missing score is not a negative one."


# The gallery in groups: the fields that decide first, then a few of every class of local CPS.


Section = dict[str, object]

MAP = "fields/map.png"


def gallery(
    entries: Sequence[FieldEntry], score: ScoreDocument, pictures: Mapping[str, str]
) -> list[Section]:
    """Return groups of fields with their headings, in the order of the entries.

    Parameters
    ----------
    entries : sequence of FieldEntry
    score : ScoreDocument
    pictures : mapping of str to str
        Data URIs by file name inside the run's folder.
    """
    groups: dict[str, list[Section]] = {}
    for entry in entries:
        groups.setdefault(entry.bucket, []).append(
            _field(entry, pictures) | {"link": review_link(entry, score)}
        )
    return [_heading(name, len(fields), score) | {"fields": fields} for name, fields in groups.items()]


def _heading(bucket: str, shown: int, score: ScoreDocument) -> Section:
    if bucket == INFLUENCE:
        words = f"The {shown} fields that move the score most" if shown > 1 else "The field that decides"
        note = "Next to its number is how much each field raises or lowers the CPS of the slide."
        return {"name": words, "note": note if score.cps else ""}
    known = score.heterogeneity.buckets if score.heterogeneity else ()
    bounds = next((one for one in known if one.name == bucket), None)
    note = "Sampled at random, in proportion to their tumour cells."
    if bounds:
        held = "1 field contains" if bounds.fields == 1 else f"{whole(bounds.fields)} fields contain"
        note = f"{held} {percent(bounds.share_of_tumour_cells)} of the tumour cells. {note}"
    return {"name": f"Local CPS: {bucket}", "note": note}


def _field(entry: FieldEntry, pictures: Mapping[str, str]) -> Section:
    counts = {name: whole(number) for name, number in entry.counts}
    return {
        "number": entry.number,
        "caption": entry.caption,
        "plain": pictures.get(f"fields/{entry.plain}"),
        "marked": pictures.get(f"fields/{entry.marked}"),
        "counts": counts,
        "uncounted": entry.counts.immune_positive_not_associated > 0,
        "local_cps": score_form(entry.local_cps),
        "place": f"{entry.left_um / 1000:.2f} mm from left, {entry.top_um / 1000:.2f} mm from top",
        "size": f"{entry.width_um:.0f} × {entry.height_um:.0f} µm",
    }


# A score, its intervals and the cut-offs as places on a line, 0 to 100, spaced as log(score + 1).


TICKS = (0, 1, 3, 10, 30, 100)
WIDTH = 520.0
"""Length of the line in the drawing's units."""


@dataclass(frozen=True)
class NumberLine:
    """Places in drawing units, 0 at the score 0 and `WIDTH` at 100.

    Parameters
    ----------
    value : float
    slide, tissue : tuple of float
        Left and right ends of the two intervals.
    ticks, cutoffs : tuple of (float, str)
        Place and label.
    """

    value: float
    slide: tuple[float, float]
    tissue: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    cutoffs: tuple[tuple[float, str], ...]


def number_line(cps: Estimate) -> NumberLine:
    """Place a CPS, its intervals and its cut-offs on the line."""
    return NumberLine(
        value=place(cps.value),
        slide=_ends(cps.interval_slide),
        tissue=_ends(cps.interval_tissue),
        ticks=tuple((place(tick), str(tick)) for tick in TICKS),
        cutoffs=tuple((place(cutoff), f"≥ {cutoff:g}") for cutoff, _ in cps.decided),
    )


def place(score: float) -> float:
    """Return where a score lies on the line."""
    return round(WIDTH * math.log1p(min(max(score, 0.0), 100.0)) / math.log1p(100.0), 2)


def _ends(bounds: tuple[float, float]) -> tuple[float, float]:
    return place(bounds[0]), place(bounds[1])


# The sensitivity panel in words and places: the CPS under other choices, and which cut-offs it would change.


_WORDS = {
    "staining threshold": "Staining threshold (probability)",
    "membrane completeness": "Stained outline of a tumour cell, at least",
    "association distance": "Immune cells count within",
}


def sensitivity_panel(score: ScoreDocument) -> Section | None:
    """Return the panel of a scored slide, or None where there is none."""
    cps, cases = score.cps, score.sensitivity
    if not cps or not cases:
        return None
    flipped = sorted({cut for case in cases for cut in case.flips})
    return {
        "rows": [_row(case, score.scoring) for case in cases],
        "made": score_form(cps.value),
        "at": place(cps.value),
        "cutoffs": [(place(cut), f"{cut:g}") for cut, _ in cps.decided],
        "verdict": _verdict(flipped),
        "flips": bool(flipped),
    }


def _verdict(flipped: list[float]) -> str:
    if not flipped:
        return "No cut-off decision would change."
    named = " and ".join(f"CPS ≥ {cut:g}" for cut in flipped)
    return f"{named} would change: another laboratory might make that choice differently."


def _row(case: OtherChoice, scoring: ScoringSettings) -> Section:
    return {
        "choice": _WORDS.get(case.choice, case.choice),
        "setting": _with_unit(case.setting, case.unit),
        "instead": _chosen(case, scoring),
        "cps": score_form(case.cps),
        "at": None if case.cps is None else place(case.cps),
        "flips": ", ".join(f"CPS ≥ {cut:g} changes" for cut in case.flips),
        "because": case.because,
    }


def _chosen(case: OtherChoice, scoring: ScoringSettings) -> str:
    """Return what the score was made with; the membrane rule's other choice is to have none."""
    chosen = {
        "staining threshold": scoring.stained_threshold,
        "association distance": scoring.association_distance_um,
    }
    if case.choice not in chosen:
        return "no such limit"
    value = chosen[case.choice]
    return "" if value is None else _with_unit(value, case.unit)


def _with_unit(value: float, unit: str) -> str:
    if unit == "share of outline":
        return f"{100 * value:.0f} %"
    return f"{value:.0f} µm" if unit == "µm" else f"{value:.3g}"


# How evenly the tumour is stained: where its cells lie by the local CPS of their tile.


_CLASSES = (("below 1", -np.inf, 1.0), ("1 to below 10", 1.0, 10.0), ("10 or more", 10.0, np.inf))


@dataclass(frozen=True)
class SpreadClass:
    """The share (0-1) of all tumour cells that lie in tiles of one class of local CPS."""

    name: str
    share: float


def spread_of(tiles: Mapping[str, NDArray[Any]] | None) -> tuple[SpreadClass, ...]:
    """Return the three classes, or nothing where no tile contains tumour cells."""
    if tiles is None:
        return ()
    tumour = tiles["tumour_positive"].astype(np.float64) + tiles["tumour_negative"]
    total = float(tumour.sum())
    cps = tiles["cps"]
    if total == 0:
        return ()
    return tuple(
        SpreadClass(name, float(tumour[(cps >= low) & (cps < high)].sum()) / total)
        for name, low, high in _CLASSES
    )


# How unevenly positive cells lie, as places of a drawing: bars by local CPS, the share of the hottest.


SIDE = 240.0
"""Side of the curve's square in the drawing's units."""

BAR = 200.0
"""Length of a bar of 100 %."""


def unevenness(score: ScoreDocument) -> Section | None:
    """Return the numbers and places of the section on heterogeneity, or None where nothing was measured."""
    found = score.heterogeneity
    if found is None:
        return None
    tenth = found.share_of_hottest_tenth
    return {
        "fields": whole(found.fields),
        "gini": MISSING if found.gini is None else f"{found.gini:.2f}",
        "tenth": None if tenth is None else percent(tenth),
        "hottest": _hottest(found.hottest, score) if found.hottest else None,
        "fewest": whole(found.fewest_tumour_cells),
        "rows": [_bar(bucket) for bucket in found.buckets],
        "curve": _curve(found.positive_share_of_hottest),
        "side": SIDE,
        "bar": BAR,
    }


def _hottest(field: Hottest, score: ScoreDocument) -> Section:
    slide, side_um = score.slide, score.scoring.field_um
    return {
        "number": field_number(field.left_um, field.top_um, side_um, slide.width_px, slide.mpp),
        "local_cps": score_form(field.local_cps),
        "tumour_cells": whole(field.tumour_cells),
        "place": f"{field.left_um / 1000:.2f} mm from left, {field.top_um / 1000:.2f} mm from top",
    }


def _bar(bucket: Bucket) -> Section:
    positive = bucket.share_of_positive_cells
    return {
        "name": bucket.name,
        "fields": whole(bucket.fields),
        "tumour": percent(bucket.share_of_tumour_cells),
        "positive": MISSING if positive is None else percent(positive),
        "tumour_px": round(BAR * bucket.share_of_tumour_cells, 1),
        "positive_px": round(BAR * (positive or 0.0), 1),
    }


def _curve(shares: Sequence[float]) -> str:
    """Return the path of the positive cells' share in the hottest part of the tumour, or nothing."""
    points = [(0.0, 0.0), *(((step + 1) / len(shares), share) for step, share in enumerate(shares))]
    if len(points) == 1:
        return ""
    return "M" + " L".join(f"{SIDE * x:.1f} {SIDE * (1 - y):.1f}" for x, y in points)


# Everything the page says, taken from a run's folder and put into words; the template only lays it out.


def page_content(folder: RunFolder, pictures: Mapping[str, str]) -> Section:
    """Return what the template shows.

    Parameters
    ----------
    folder : RunFolder
    pictures : mapping of str to str
        Data URIs by file name inside the folder.
    """
    score = folder.score
    read = score.deciding
    because = read.not_evaluable_because
    return {
        "research_use": score.research_use,
        "slide": {"name": score.slide.name, "tumour": score.tumour, "assay": score.assay},
        "evaluable": score.evaluable and not because,
        "marker": score.marker,
        "cells_of": _cells_of(folder),
        "scored_on": moment(folder.run.started),
        "result": _result(folder, read.estimate) if read.estimate else None,
        "reviewed": reviewed_section(score),
        "reasons": [
            *(
                {"reason": reason.text, "advice": ADVICE.get(reason.code, OTHERWISE)}
                for reason in score.not_evaluable_because
            ),
            *({"reason": one, "advice": OTHERWISE} for one in because if score.evaluable),
        ],
        "counts": _counts(score, score.counts) if score.counts else None,
        "adequacy": _adequacy(score.adequacy),
        "other_scores": list(_other_scores(score)),
        "spread": [{"name": part.name, "percent": percent(part.share)} for part in spread_of(folder.tiles)],
        "unevenness": unevenness(score),
        "sensitivity": sensitivity_panel(score),
        "groups": gallery(folder.fields, score, pictures),
        "reviewable": reviewable(score),
        "tissue": _tissue(score),
        "warnings": list(dict.fromkeys(one.text for one in (*score.warnings, *folder.run.warnings))),
        "provenance": _provenance(folder),
        "pictures": pictures,
        "tissue_picture": pictures.get("tissue.png"),
        "heatmap": pictures.get("heatmap.png"),
        "field_map": pictures.get(MAP),
    }


def _cells_of(folder: RunFolder) -> str:
    """Return where every number comes from that no person changed."""
    return "from the given cells" if folder.run.given_cells else "from the network"


def _result(folder: RunFolder, cps: Estimate) -> Section:
    """Return the scores in words."""
    score = folder.score
    basis = score.deciding.basis
    return {
        "reported": cps.reported,
        "counted": score.cps.reported if score.cps else cps.reported,
        "basis": basis.value,
        "whose": _cells_of(folder) if basis is ScoreBasis.NETWORK else basis.words,
        "interval_slide": interval(cps.interval_slide),
        "interval_tissue": interval(cps.interval_tissue),
        "level": f"{100 * cps.level:g} %",
        "method": cps.method,
        "cutoffs": cutoff_lines(cps),
        "review": review_sentence(cps),
        "line": number_line(cps),
        "line_width": WIDTH,
        "tps": _tps(score.tps) if score.tps else None,
        "laboratory": _laboratory(score.laboratory_map) if score.laboratory_map else None,
    }


def _laboratory(own: LaboratoryScale) -> Section:
    """Return the score on the laboratory's own scale."""
    return {
        "value": score_form(own.value),
        "cases": own.cases,
        "beyond": own.beyond_its_cases,
        "concordance": f"{own.concordance:.2f}",
        "without": f"{own.concordance_unmapped:.2f}",
    }


def _tps(tps: Estimate) -> Section:
    return {
        "value": f"{tps.reported} %",
        "interval_slide": interval(tps.interval_slide),
        "interval_tissue": interval(tps.interval_tissue),
    }


def _counts(score: ScoreDocument, counts: Counts) -> Section:
    found = counts.as_counts()
    raw = 100 * found.positive / found.tumour if found.tumour else None
    value = score.cps.value if score.cps else None
    expected = None if raw is None else min(raw, 100.0)
    disagrees = value is not None and (expected is None or abs(value - expected) > 0.01 + 0.001 * value)
    return {
        **{name: whole(number) for name, number in counts},
        "tumour_total": whole(found.tumour),
        "raw": arithmetic(raw),
        "capped": raw is not None and raw > 100,
        "disagrees": disagrees,
        "value": arithmetic(value),
        "immune_share": None if score.immune_share is None else percent(score.immune_share),
    }


def _adequacy(found: Adequacy) -> Section:
    cells = found.viable_tumour_cells
    return {
        "found": whole(cells),
        "required": whole(found.required),
        "enough": None if cells is None else cells >= found.required,
    }


def _other_scores(score: ScoreDocument) -> Iterator[tuple[str, str]]:
    for key, one in OTHER_SCORES.items():
        value = getattr(score, key)
        if value is not None:
            yield one.label, score_form(value)
    for grade, share in (score.h_score_grades or {}).items():
        yield f"tumour cells {grade} (%)", score_form(share)


def _tissue(score: ScoreDocument) -> Section:
    scored, excluded = score.tissue.scored_mm2, score.tissue.excluded_mm2
    whole_mm2 = scored + sum(excluded.values())
    ranked = sorted(excluded.items(), key=lambda item: (-item[1], item[0]))
    return {
        "name": _what_became_of_it(score),
        "scored": area(scored),
        "scored_percent": percent(scored / whole_mm2) if whole_mm2 else "",
        "excluded": [
            {"reason": reason, "area": area(mm2), "percent": percent(mm2 / whole_mm2 if whole_mm2 else 0.0)}
            for reason, mm2 in ranked
        ],
    }


def _what_became_of_it(score: ScoreDocument) -> str:
    """Return what happened to the tissue that was not left out."""
    if score.evaluable:
        return "scored"
    return "counted, but not scored" if score.counts else "not scored: no cells were looked for"


def _provenance(folder: RunFolder) -> list[tuple[str, str]]:
    score, run = folder.score, folder.run
    slide, made_by = score.slide, score.provenance
    size_mm = [side * slide.mpp / 1000 for side in (slide.width_px, slide.height_px)]
    size = f"{whole(slide.width_px)} × {whole(slide.height_px)} px, {size_mm[0]:.1f} × {size_mm[1]:.1f} mm"
    entries = [
        ("Slide", slide.name),
        ("Slide digest (SHA-256)", slide.digest),
        ("Size", size),
        ("Resolution", f"{slide.mpp:g} µm per pixel, from {slide.mpp_source}"),
        ("Reader", run.reader),
        ("Assay", score.assay),
        ("Tumour", score.tumour),
        ("cxpath", made_by.cxpath),
        ("Model", f"{made_by.model} {run.model.version}".strip()),
        ("Model digest (SHA-256)", made_by.model_digest),
        ("Configuration digest", made_by.configuration_digest),
        ("Device", run.device),
        ("Precision", run.precision),
        ("Tiles", f"{whole(run.tiles.read)} read of {whole(run.tiles.planned)} planned"),
        ("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        ("Started", run.started),
        ("Time spent", ", ".join(f"{name} {seconds(spent)}" for name, spent in run.timings_s.items())),
        ("Slowest stage", slowest_stage(run)),
    ]
    return [(name, value or MISSING) for name, value in entries]


def slowest_stage(run: RunDocument) -> str:
    """Return "network, at work 97 % of the time; read 12 %, cells 8 %, write 5 %"."""
    if run.bottleneck is None or run.bottleneck not in run.stages:
        return ""
    shares = {name: percent(times.busy_share) for name, times in run.stages.items()}
    others = ", ".join(f"{name} {share}" for name, share in shares.items() if name != run.bottleneck)
    return f"{run.bottleneck}, at work {shares[run.bottleneck]} of the time; {others}"


# From a run's folder to `report.html`: one file that opens offline and asks nobody for anything.


logger = logging.getLogger(__name__)

_OVERVIEWS = ("tissue.png", "heatmap.png")


def prepare_report() -> None:
    """Load what a report and its pictures need: to be called while the network is at work."""
    compiled_page(_TEMPLATE)
    font(1)


def build_report(folder: Path, drawn: Mapping[str, Image.Image] = MappingProxyType({})) -> Path:
    """Write `report.html` into a run's folder from the files that stand there.

    Parameters
    ----------
    folder : Path
        A folder with `score.json` and `run.json`; pictures, `tiles.parquet` and `fields/` are shown when
        they are there.
    drawn : mapping of str to PIL.Image.Image
        Pictures by file name inside the folder that were written just now: they are not read again.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    MissingFileError, DocumentError
        When the folder or its results cannot be read.
    OutputError
        When the report cannot be written.
    """
    run = read_run_folder(Path(folder))
    paths = {name: path for name in _picture_names(run) if (path := run.picture(name))}
    pictures = embedded(paths, drawn=drawn)
    html = render_page(_TEMPLATE, ("report.css",), **page_content(run, pictures))
    report = run.path / "report.html"
    with atomic_write(report) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    logger.info("wrote %s", report)
    return report


def _picture_names(run: RunFolder) -> list[str]:
    """Return the names of pictures to show; a gallery entry cannot reach outside its folder."""
    gallery = [f"fields/{Path(name).name}" for one in run.fields for name in (one.plain, one.marked)]
    return [*_OVERVIEWS, MAP, *gallery]
