"""How a model's calls meet the truth of one drawn slide: counts, as plain numbers that a file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.training.confusion import score_class, tally
from cxpath.training.judging.calls import Calls, CellCaller
from cxpath.training.judging.slide_drawing import JudgedField, JudgedSlide
from cxpath.training.judging.slide_plan import PlannedSlide
from cxpath.training.matching import match_points
from cxpath.values.cell_table import Kind

RELIABILITY_BINS = 10


def count_slide(
    planned: PlannedSlide, slide: JudgedSlide, caller: CellCaller, radius_um: float
) -> tuple[dict[str, Any], list[Calls]]:
    """Call the cells of every field of a slide; returns its counts and the calls.

    Returns
    -------
    dict
        `table`: (6, 6) counts as `confusion.tally`; `reliability`: per bin of the stained probability the
        number of cells, their summed probability and how many are truly positive; `fields`: the traps of
        each; and what the slide is.
    list of Calls
        One for each field.
    """
    calls = [caller.calls(field.rgb) for field in slide.fields]
    tables, bins = zip(
        *(field_counts(field, seen, radius_um) for field, seen in zip(slide.fields, calls, strict=True)),
        strict=True,
    )
    return {
        "name": planned.name,
        "arm": planned.arm.name,
        "stratum": planned.stratum.name,
        "mpp": round(planned.mpp, 4),
        "jpeg_quality": slide.jpeg_quality,
        "table": np.sum(tables, axis=0).tolist(),
        "reliability": np.round(np.sum(bins, axis=0), 4).tolist(),
        "fields": [field.traps for field in slide.fields],
    }, calls


def field_counts(
    field: JudgedField, calls: Calls, radius_um: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return one field's (6, 6) counts and its (bins, 3) reliability."""
    pairs = match_points(field.points_um, calls.points_um, radius_um)
    judged = field.area.holds(field.points_um)
    truth = score_class(field.cells.kind, field.cells.positive)
    table = tally(truth, calls.places, pairs, judged, field.area.holds(calls.points_um))
    scored = pairs[judged[pairs[:, 0]] & (calls.kind[pairs[:, 1]] != Kind.OTHER)]
    return table, reliability(calls.stained[scored[:, 1]], field.cells.positive[scored[:, 0]])


def reliability(probability: NDArray[np.float32], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each bin of probability: cells, summed probability, truly positive cells."""
    bins = np.minimum((probability * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    weights = (None, probability.astype(np.float64), positive.astype(np.float64))
    return np.column_stack([np.bincount(bins, weight, RELIABILITY_BINS) for weight in weights]).astype(
        np.float64
    )
