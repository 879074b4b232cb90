"""Reliability diagrams of an evaluation: places to draw, and words to read beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIDE_PX = 260
"""Side of one diagram."""

_SMALLEST_RADIUS, _LARGEST_RADIUS = 2.5, 9.0
_TITLES = {
    "stained": "PD-L1 positive by the cell's rule",
    "kind": "the kind a cell is called",
}


def reliability_diagrams(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the page draws, one entry a curve; empty for an evaluation without any.

    Returns
    -------
    list of dict
        `title`, `set_name`, `error` in words, `cells`, and `points`: place and radius of each bin (its
        area grows with the cells in it), with the words that a pointer shows.
    """
    return [_diagram(one) for one in evaluation.get("reliability", ())]


def _diagram(one: Mapping[str, Any]) -> dict[str, Any]:
    curve = one["curve"]
    largest = max(curve["count"])
    columns = zip(curve["mean_probability"], curve["observed_share"], curve["count"], strict=True)
    return {
        "title": _TITLES[one["of"]],
        "set_name": one["set_name"].replace("_", " "),
        "error": error_in_words(curve["expected_error"]),
        "cells": f"{sum(curve['count'])} {curve['method']}",
        "points": [_point(stated, seen, count, largest) for stated, seen, count in columns],
    }


def error_in_words(error: Mapping[str, Any]) -> str:
    """Return "0.021 (0.018 to 0.025)", or the value alone."""
    interval = f" ({error['low']:.3f} to {error['high']:.3f})" if error.get("low") is not None else ""
    return f"{error['value']:.3f}{interval}"


def _point(stated: float, seen: float, count: int, largest: int) -> dict[str, Any]:
    radius = max(_SMALLEST_RADIUS, _LARGEST_RADIUS * (count / largest) ** 0.5)
    return {
        "x": round(stated * SIDE_PX, 1),
        "y": round((1 - seen) * SIDE_PX, 1),
        "radius": round(radius, 1),
        "words": f"{count} cells: stated {stated:.3f}, true {seen:.3f}",
    }
