"""The sensitivity panel in words and places: the CPS under other choices, and which cut-off would flip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxpath.report.number_line import place
from cxpath.report.wording import precise

Section = dict[str, Any]

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
