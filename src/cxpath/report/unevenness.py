"""How unevenly positive cells lie, as places of a drawing: bars by local CPS, the share of the hottest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxpath.report.wording import MISSING, percent, score_number, whole

Section = dict[str, Any]

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
