"""Everything the page says, taken from a run's folder and put into words; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cxpath.report.advice import advice
from cxpath.report.gallery import MAP, gallery
from cxpath.report.number_line import WIDTH, number_line
from cxpath.report.run_folder import RunFolder
from cxpath.report.sensitivity_panel import sensitivity_panel
from cxpath.report.spread import spread_of
from cxpath.report.unevenness import unevenness
from cxpath.report.wording import (
    MISSING,
    RESEARCH_USE,
    area,
    cutoff_lines,
    interval,
    percent,
    precise,
    score_number,
    seconds,
    whole,
)

Section = dict[str, Any]

PDL1 = "pdl1"

_OTHER_SCORES = {
    "ic_area": "IC, share of tumour area (%)",
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
