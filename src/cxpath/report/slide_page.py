"""The page of a scored slide: score, cut-offs, fields, sensitivity, advice."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.documents.run import RunFolder, read_run_folder
from cxpath.io.atomic import atomic_write
from cxpath.report.cell_pictures import INFLUENCE
from cxpath.report.html import (
    MISSING,
    RESEARCH_USE,
    area,
    cutoff_lines,
    embedded,
    interval,
    percent,
    precise,
    render_page,
    score_number,
    seconds,
    whole,
)

# What to do about a slide that is not evaluable, by what its reason speaks of.


_TUMOUR = (
    "Check on the slide that invasive tumour is present and inside the scored outline. If it is scarce, "
    "stain another block or a deeper section; if the outline missed it, score again with --roi."
)
_RESOLUTION = (
    "Find the scanner's µm per pixel and score again with --mpp; rescan if it lies outside the model's range."
)
_STAIN = (
    "Check that this is the PD-L1 slide with haematoxylin and DAB, not H&E or another stain. If it is, score "
    "again with --stain-check off; the override is recorded."
)
_ARTEFACT = "Rescan the slide after cleaning it, or cut and stain a new section."
_CONTROL = (
    "Look at the control tissue on the slide. If it is stained wrongly, repeat the run of staining; if the "
    "wrong piece was taken for it, draw the control as a region and score again with --roi."
)
_TISSUE = "Check the tissue picture. If tissue was missed, outline it in QuPath and score again with --roi."

_ADVICE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("tive control (",), _CONTROL),
    (("out of focus", "for artefacts"), _ARTEFACT),
    (("viable tumour", "tumour cell", "no tumour", "tumor cell"), _TUMOUR),
    (("mpp", "m per pixel", "m/px", "resolution", "micromet"), _RESOLUTION),
    (("stain", "colour", "color", "eosin", "fluoresc", "haematoxylin", "hematoxylin", "dab"), _STAIN),
    (("blur", "focus", "fold", "pen ", "artefact", "bubble"), _ARTEFACT),
    (("tissue", "region", "empty"), _TISSUE),
)
_OTHERWISE = "Have the slide read by a pathologist; do not take the missing score for a negative one."


def advice(reason: str) -> str:
    """Return one or two sentences for a reason; the first that fits, else the general one."""
    words = reason.lower()
    fitting = (text for cues, text in _ADVICE if any(cue in words for cue in cues))
    return next(fitting, _OTHERWISE)


# The gallery in groups: the fields that decide first, then a few of every class of local CPS.


Section = dict[str, Any]

MAP = "fields/map.png"


def gallery(
    entries: Sequence[Mapping[str, Any]], score: Mapping[str, Any], pictures: Mapping[str, str]
) -> list[Section]:
    """Return groups of fields with their headings, in the order of the entries.

    Parameters
    ----------
    entries : sequence of mapping
        Of `fields/fields.json`; entries without a bucket are influential fields.
    score : mapping
        `score.json`.
    pictures : mapping of str to str
        Data URIs by file name inside the run's folder.
    """
    groups: dict[str, list[Section]] = {}
    for entry in entries:
        groups.setdefault(entry.get("bucket", INFLUENCE), []).append(_field(entry, pictures))
    return [_heading(name, len(fields), score) | {"fields": fields} for name, fields in groups.items()]


def _heading(bucket: str, shown: int, score: Mapping[str, Any]) -> Section:
    if bucket == INFLUENCE:
        words = f"The {shown} fields that move the score most" if shown > 1 else "The field that decides"
        note = "Without the field, the CPS of the slide would change as said beside its number."
        return {"name": words, "note": note if score.get("cps") else ""}
    known = ((score.get("heterogeneity") or {}).get("buckets")) or []
    bounds = next((one for one in known if one["name"] == bucket), None)
    note = "Sampled at random, in proportion to their tumour cells."
    if bounds:
        held = "1 field holds" if bounds["fields"] == 1 else f"{whole(bounds['fields'])} fields hold"
        note = f"{held} {percent(bounds['share_of_tumour_cells'])} of the tumour cells. {note}"
    return {"name": f"Local CPS: {bucket}", "note": note}


def _field(entry: Mapping[str, Any], pictures: Mapping[str, str]) -> Section:
    counts = {name: whole(number) for name, number in entry["counts"].items()}
    return {
        "number": entry["number"],
        "caption": entry["caption"],
        "plain": pictures.get(f"fields/{entry['plain']}"),
        "marked": pictures.get(f"fields/{entry['marked']}"),
        "counts": counts,
        "uncounted": counts.get("immune_positive_not_associated", "0"),
        "local_cps": score_number(entry.get("local_cps")),
        "place": f"{entry['left_um'] / 1000:.2f} mm from left, {entry['top_um'] / 1000:.2f} mm from top",
        "size": f"{entry['width_um']:.0f} × {entry['height_um']:.0f} µm",
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
    slide, tissue : tuple of float or None
        Left and right ends of the two intervals.
    ticks, cutoffs : tuple of (float, str)
        Place and label.
    """

    value: float
    slide: tuple[float, float] | None
    tissue: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]
    cutoffs: tuple[tuple[float, str], ...]


def number_line(cps: Mapping[str, Any]) -> NumberLine:
    """Place the numbers of `score.json`'s `cps` on the line."""
    cutoffs = sorted(float(cutoff) for cutoff in cps.get("cutoffs") or {})
    return NumberLine(
        value=place(cps["value"]),
        slide=_ends(cps.get("interval_slide")),
        tissue=_ends(cps.get("interval_tissue")),
        ticks=tuple((place(tick), str(tick)) for tick in TICKS),
        cutoffs=tuple((place(cutoff), f"≥ {cutoff:g}") for cutoff in cutoffs),
    )


def place(score: float) -> float:
    """Return where a score lies on the line."""
    return round(WIDTH * math.log1p(min(max(score, 0.0), 100.0)) / math.log1p(100.0), 2)


def _ends(bounds: Sequence[float | None] | None) -> tuple[float, float] | None:
    known = [bound for bound in bounds or () if bound is not None]
    return (place(known[0]), place(known[1])) if len(known) == 2 else None


# The sensitivity panel in words and places: the CPS under other choices, and which cut-off would flip.


_CHOSEN = {
    "staining threshold": "stained_threshold",
    "association distance": "association_distance_um",
}
"""Where `score.json` says what was chosen; the membrane rule's other choice is to have none."""

_WORDS = {
    "staining threshold": "Staining threshold",
    "membrane completeness": "Least stained outline of a tumour cell",
    "association distance": "Immune cells count within",
}


def sensitivity_panel(score: Mapping[str, Any]) -> Section | None:
    """Return the panel of a scored slide, or None where there is none.

    Parameters
    ----------
    score : mapping
        `score.json`.
    """
    cps, cases = score.get("cps"), score.get("sensitivity")
    if not cps or not cases:
        return None
    rows = [_row(case, score.get("scoring") or {}) for case in cases]
    flipped = sorted({float(cut) for case in cases for cut in case["flips"]})
    return {
        "rows": rows,
        "made": precise(cps["value"]),
        "at": place(cps["value"]),
        "cutoffs": [(place(float(cut)), f"{float(cut):g}") for cut in cps.get("cutoffs") or {}],
        "verdict": _verdict(flipped),
        "flips": bool(flipped),
    }


def _verdict(flipped: list[float]) -> str:
    if not flipped:
        return "No cut-off would flip."
    named = " and ".join(f"CPS ≥ {cut:g}" for cut in flipped)
    return f"{named} would flip: it hangs on a choice that another laboratory could make otherwise."


def _row(case: Mapping[str, Any], scoring: Mapping[str, Any]) -> Section:
    known = case["cps"] is not None
    return {
        "choice": _WORDS.get(case["choice"], case["choice"]),
        "setting": _with_unit(case["setting"], case["unit"]),
        "instead": _chosen(case, scoring),
        "cps": precise(case["cps"]),
        "at": place(case["cps"]) if known else None,
        "flips": ", ".join(f"CPS ≥ {cut:g} flips" for cut in case["flips"]),
        "because": case["because"],
    }


def _chosen(case: Mapping[str, Any], scoring: Mapping[str, Any]) -> str:
    """Return what the score was made with, or nothing where `score.json` does not say."""
    if case["choice"] not in _CHOSEN:
        return "no such limit"
    chosen = scoring.get(_CHOSEN[case["choice"]])
    return "" if chosen is None else _with_unit(chosen, case["unit"])


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
    """Return the three classes, or nothing where no tile holds tumour cells."""
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


def unevenness(score: Mapping[str, Any]) -> Section | None:
    """Return the numbers and places of the section on heterogeneity, or None where nothing was measured.

    Parameters
    ----------
    score : mapping
        `score.json`.
    """
    found = score.get("heterogeneity")
    if not found or "buckets" not in found:
        return None
    tenth = found["share_of_hottest_tenth"]
    return {
        "fields": whole(found["fields"]),
        "gini": MISSING if found["gini"] is None else f"{found['gini']:.2f}",
        "tenth": None if tenth is None else percent(tenth),
        "hottest": _hottest(found["hottest"]),
        "fewest": whole(found["fewest_tumour_cells"]),
        "rows": [_bar(bucket) for bucket in found["buckets"]],
        "curve": _curve(found["positive_share_of_hottest"]),
        "side": SIDE,
        "bar": BAR,
    }


def _hottest(field: Mapping[str, Any] | None) -> Section | None:
    if field is None:
        return None
    return {
        "local_cps": score_number(field["local_cps"]),
        "tumour_cells": whole(field["tumour_cells"]),
        "place": f"{field['left_um'] / 1000:.2f} mm from left, {field['top_um'] / 1000:.2f} mm from top",
    }


def _bar(bucket: Mapping[str, Any]) -> Section:
    positive = bucket["share_of_positive_cells"]
    return {
        "name": bucket["name"],
        "fields": whole(bucket["fields"]),
        "tumour": percent(bucket["share_of_tumour_cells"]),
        "positive": MISSING if positive is None else percent(positive),
        "tumour_px": round(BAR * bucket["share_of_tumour_cells"], 1),
        "positive_px": round(BAR * (positive or 0.0), 1),
    }


def _curve(shares: list[float]) -> str:
    """Return the path of the positive cells' share in the hottest part of the tumour, or nothing."""
    points = [(0.0, 0.0), *(((step + 1) / len(shares), share) for step, share in enumerate(shares))]
    if len(points) == 1:
        return ""
    return "M" + " L".join(f"{SIDE * x:.1f} {SIDE * (1 - y):.1f}" for x, y in points)


# Everything the page says, taken from a run's folder and put into words; the template only lays it out.


PDL1 = "pdl1"

_OTHER_SCORES = {
    "ic_area": "IC, share of tumour area taken by lymphocytes and macrophages (%)",
    "ic_cells": "IC, share of immune cells (%)",
    "tap": "TAP (%)",
    "h_score": "H-score (0 to 300)",
}


def page_content(folder: RunFolder, pictures: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template shows.

    Parameters
    ----------
    folder : RunFolder
    pictures : mapping of str to str
        Data URIs by file name inside the folder.
    """
    score = folder.score
    return {
        "research_use": RESEARCH_USE,
        "slide": _slide(score),
        "evaluable": score["evaluable"],
        "marker": score.get("marker", PDL1),
        "scored_on": _moment(folder.run.get("started")),
        "result": _result(score),
        "rule": folder.run.get("configuration", {}).get("scoring", {}),
        "reasons": [{"reason": text, "advice": advice(text)} for text in score["not_evaluable_because"]],
        "counts": _counts(score),
        "adequacy": _adequacy(score),
        "other_scores": _other_scores(score),
        "spread": [{"name": part.name, "percent": percent(part.share)} for part in spread_of(folder.tiles)],
        "unevenness": unevenness(score),
        "sensitivity": sensitivity_panel(score),
        "groups": gallery(folder.fields, score, pictures),
        "tissue": _tissue(score),
        "warnings": list(dict.fromkeys([*score["warnings"], *folder.run.get("warnings", [])])),
        "provenance": _provenance(folder),
        "pictures": pictures,
        "tissue_picture": pictures.get("tissue.png"),
        "heatmap": pictures.get("heatmap.png"),
        "field_map": pictures.get(MAP),
    }


def _slide(score: Mapping[str, Any]) -> Section:
    slide = score["slide"]
    return {"name": slide["name"], "tumour": score["tumour"], "assay": score["assay"]}


def _moment(iso: str | None) -> str | None:
    """Return "23 November 2026, 09:14 UTC"; a text that is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(iso or "").astimezone(UTC)
    except ValueError:
        return iso
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _result(score: Mapping[str, Any]) -> Section | None:
    """Return the scores in words, or None for a slide without a CPS."""
    cps = score.get("cps")
    if not score["evaluable"] or not cps or cps.get("value") is None:
        return None
    lines = cutoff_lines(cps.get("cutoffs"), cps.get("interval_tissue"))
    return {
        "reported": cps["reported"],
        "value": precise(cps["value"]),
        "interval_slide": interval(cps.get("interval_slide")),
        "interval_tissue": interval(cps.get("interval_tissue")),
        "level": f"{100 * cps['level']:g} %" if cps.get("level") else "",
        "method": cps.get("method"),
        "cutoffs": lines,
        "borderline": any(line.borderline for line in lines),
        "line": number_line(cps),
        "line_width": WIDTH,
        "tps": _tps(score.get("tps")),
        "laboratory": _laboratory(score.get("laboratory_map")),
    }


def _laboratory(own: Mapping[str, Any] | None) -> Section | None:
    """Return the score on the laboratory's own scale, where it has one."""
    if not own:
        return None
    return {
        "value": precise(own["value"]),
        "cases": own["cases"],
        "beyond": own["beyond_its_cases"],
        "concordance": f"{own['concordance']:.2f}",
        "without": f"{own['concordance_unmapped']:.2f}",
    }


def _tps(tps: Mapping[str, Any] | None) -> Section | None:
    if not tps or tps.get("value") is None:
        return None
    return {
        "value": f"{score_number(tps['value'])} %",
        "interval_slide": interval(tps.get("interval_slide")),
        "interval_tissue": interval(tps.get("interval_tissue")),
    }


def _counts(score: Mapping[str, Any]) -> Section | None:
    counts = score.get("counts")
    if not counts:
        return None
    total = counts["tumour_positive"] + counts["tumour_negative"]
    above = counts["tumour_positive"] + counts["immune_positive"]
    raw = 100 * above / total if total else None
    value = (score.get("cps") or {}).get("value")
    expected = None if raw is None else min(raw, 100.0)
    return {
        **{name: whole(number) for name, number in counts.items()},
        "tumour_total": whole(total),
        "raw": precise(raw),
        "capped": raw is not None and raw > 100,
        "disagrees": value is not None and (expected is None or abs(value - expected) > 0.01 + 0.001 * value),
        "value": precise(value),
    }


def _adequacy(score: Mapping[str, Any]) -> Section:
    found, required = score["adequacy"]["viable_tumour_cells"], score["adequacy"]["required"]
    return {
        "found": whole(found),
        "required": whole(required),
        "enough": None if found is None else found >= required,
    }


def _other_scores(score: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key, words in _OTHER_SCORES.items():
        entry = score.get(key)
        value = entry.get("value") if isinstance(entry, Mapping) else entry
        if value is not None:
            found.append((words, score_number(value)))
    grades = score.get("h_score_grades") or {}
    return found + [(f"tumour cells {grade} (%)", score_number(share)) for grade, share in grades.items()]


def _tissue(score: Mapping[str, Any]) -> Section:
    tissue = score.get("tissue") or {}
    scored, excluded = tissue.get("scored_mm2"), tissue.get("excluded_mm2") or {}
    whole_mm2 = (scored or 0.0) + sum(excluded.values())
    ranked = sorted(excluded.items(), key=lambda item: (-item[1], item[0]))
    return {
        "scored": area(scored),
        "scored_percent": percent((scored or 0.0) / whole_mm2) if whole_mm2 else "",
        "excluded": [
            {"reason": reason, "area": area(mm2), "percent": percent(mm2 / whole_mm2 if whole_mm2 else 0.0)}
            for reason, mm2 in ranked
        ],
    }


def _provenance(folder: RunFolder) -> list[tuple[str, str]]:
    score, run = folder.score, folder.run
    slide, made_by = score["slide"], score["provenance"]
    versions = ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items())
    timings = ", ".join(f"{name} {seconds(spent)}" for name, spent in run.get("timings_s", {}).items())
    tiles = run.get("tiles", {})
    size_mm = [slide[side] * slide["mpp"] / 1000 for side in ("width_px", "height_px")]
    size = (
        f"{whole(slide['width_px'])} × {whole(slide['height_px'])} px, {size_mm[0]:.1f} × {size_mm[1]:.1f} mm"
    )
    entries = [
        ("Slide", slide["name"]),
        ("Slide digest (SHA-256)", slide["digest"]),
        ("Size", size),
        ("Resolution", f"{slide['mpp']:g} µm per pixel, from {slide['mpp_source']}"),
        ("Reader", run.get("reader")),
        ("Assay", score["assay"]),
        ("Tumour", score["tumour"]),
        ("cxpath", made_by["cxpath"]),
        ("Model", f"{made_by['model']} {run.get('model', {}).get('version', '')}".strip()),
        ("Model digest (SHA-256)", made_by["model_digest"]),
        ("Configuration digest", made_by["configuration_digest"]),
        ("Device", run.get("device")),
        ("Precision", run.get("precision")),
        ("Tiles", f"{whole(tiles.get('read'))} read of {whole(tiles.get('planned'))} planned"),
        ("Versions", versions),
        ("Started", run.get("started")),
        ("Time spent", timings),
        ("Slowest stage", slowest_stage(run)),
    ]
    return [(name, str(value) if value else MISSING) for name, value in entries]


def slowest_stage(run: Mapping[str, Any]) -> str:
    """Return "network, 97 % of the time at work; read 12 %, cells 8 %, write 5 %"."""
    stages, slowest = run.get("stages") or {}, run.get("bottleneck")
    if slowest not in stages:
        return ""
    shares = {name: percent(times["busy_share"]) for name, times in stages.items()}
    others = ", ".join(f"{name} {share}" for name, share in shares.items() if name != slowest)
    return f"{slowest}, at work {shares[slowest]} of the time; {others}"


# From a run's folder to `report.html`: one file that opens offline and asks nobody for anything.


logger = logging.getLogger(__name__)

_OVERVIEWS = ("tissue.png", "heatmap.png")


def build_report(folder: Path) -> Path:
    """Write `report.html` into a run's folder from the files that stand there.

    Parameters
    ----------
    folder : Path
        A folder with `score.json` and `run.json`; pictures, `tiles.parquet` and `fields/` are shown when
        they are there.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    MissingFileError, RunFolderError
        When the folder or its results cannot be read.
    OutputError
        When the report cannot be written.
    """
    run = read_run_folder(Path(folder))
    pictures = embedded({name: path for name in _picture_names(run) if (path := run.picture(name))})
    html = render_page("report.html.j2", **page_content(run, pictures))
    report = run.path / "report.html"
    with atomic_write(report) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")
    logger.info("wrote %s", report)
    return report


def _picture_names(run: RunFolder) -> list[str]:
    """Return the names of pictures to show; a gallery entry cannot reach outside its folder."""
    gallery = [f"fields/{Path(entry[key]).name}" for entry in run.fields for key in ("plain", "marked")]
    return [*_OVERVIEWS, MAP, *gallery]
