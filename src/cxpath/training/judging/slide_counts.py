"""How a model's calls meet the truth of one drawn slide: counts, as plain numbers that a file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.matching import match_points
from cxpath.training.confusion import score_class, tally
from cxpath.training.judging.calls import Calls, CellCaller
from cxpath.training.judging.slide_drawing import JudgedField, JudgedSlide
from cxpath.training.judging.slide_plan import PlannedSlide
from cxpath.training.reliability import binned
from cxpath.values.cell_table import Kind


def count_slide(
    planned: PlannedSlide, slide: JudgedSlide, caller: CellCaller, radius_um: float
) -> tuple[dict[str, Any], list[Calls]]:
    """Call the cells of every field of a slide; returns its counts and the calls.

    Returns
    -------
    dict
        `table`: (6, 6) counts as `confusion.tally`; `reliability`: per bin of the stained probability the
        number of cells, their summed probability and how many are truly positive; `kind_reliability`:
        the same of the called kind's probability and how many are of it; `fields`: the traps of each;
        and what the slide is.
    list of Calls
        One for each field.
    """
    calls = [caller.calls(field.rgb) for field in slide.fields]
    tables, stained, kind = zip(
        *(field_counts(field, seen, radius_um) for field, seen in zip(slide.fields, calls, strict=True)),
        strict=True,
    )
    return {
        "name": planned.name,
        "arm": planned.arm.name,
        "stratum": planned.stratum.name,
        "mpp": round(planned.mpp, 4),
        "jpeg_quality": slide.jpeg_quality,
        "counterstain": round(slide.counterstain, 4),
        "dab": round(slide.dab, 4),
        "table": np.sum(tables, axis=0).tolist(),
        "reliability": np.round(np.sum(stained, axis=0), 4).tolist(),
        "kind_reliability": np.round(np.sum(kind, axis=0), 4).tolist(),
        "fields": [field.traps for field in slide.fields],
    }, calls


def field_counts(
    field: JudgedField, calls: Calls, radius_um: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return one field's (6, 6) counts and the (bins, 3) reliability of its staining and of its kinds."""
    pairs = match_points(field.points_um, calls.points_um, radius_um)
    judged = field.area.holds(field.points_um)
    truth = score_class(field.cells.kind, field.cells.positive)
    table = tally(truth, calls.places, pairs, judged, field.area.holds(calls.points_um))
    found = pairs[judged[pairs[:, 0]]]
    right = calls.kind[found[:, 1]] == field.cells.kind[found[:, 0]]
    counted = calls.kind[found[:, 1]] != Kind.OTHER
    scored = found[counted]
    return (
        table,
        binned(calls.stained[scored[:, 1]], (right & field.cells.positive[found[:, 0]])[counted]),
        binned(calls.certainty[found[:, 1]], right),
    )
