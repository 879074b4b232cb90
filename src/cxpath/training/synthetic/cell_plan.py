"""CellPlan: the list of all drawn cells with everything their look depends on, in world micrometres.

One structured array, one record a cell; cheap to select and to join. Knows no pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

CellPlan = NDArray[np.void]
"""Records of `CELL`."""

CELL = np.dtype(
    [
        ("x_um", "f8"),
        ("y_um", "f8"),
        ("kind", "u1"),
        ("subkind", "u1"),
        ("visible", "?"),  # a reader could see and count it
        ("membrane", "?"),
        ("any_stain", "?"),
        # outline
        ("reach_um", "f4"),  # radius the outline may not exceed
        ("weight_um", "f4"),  # how much room it claims against its neighbours
        ("aspect", "f4"),
        ("angle", "f4"),
        ("ragged", "f4"),  # how far the outline is frayed, 1 as usual
        ("body", "f4"),  # 0-1, how far it covers the ground beneath
        ("pale_border", "f4"),
        # nucleus
        ("nucleus_um", "f4"),  # mean radius, 0 for none
        ("nucleus_aspect", "f4"),
        ("nucleus_angle", "f4"),
        ("offset_x_um", "f4"),
        ("offset_y_um", "f4"),
        ("bend", "f4"),  # curvature of the nucleus's long axis (1/µm)
        ("lobes", "u1"),  # 0 for an ellipse
        ("wobble", "f4"),
        ("haematoxylin_od", "f4"),
        ("vesicular", "f4"),
        ("chromatin", "f4"),
        ("nucleolus", "f4"),  # extra amount at nucleoli, relative
        ("clock_face", "f4"),
        ("blur", "f4"),  # softness of the nuclear edge (µm)
        # cytoplasm
        ("cytoplasm_od", "f4"),
        ("tan_od", "f4"),
        ("foam", "f4"),
        # DAB
        ("membrane_od", "f4"),
        ("membrane_um", "f4"),
        ("completeness", "f4"),
        ("cytoplasm_dab_od", "f4"),
        ("nuclear_dab_od", "f4"),
        ("granularity", "f4"),  # of the membrane
        ("clumping", "f4"),  # of the cytoplasm
        ("phase", "f4"),
    ]
)


def new_cells(x_um: ArrayLike, y_um: ArrayLike, **columns: Any) -> CellPlan:
    """Make records at some places; columns not named are 0, but for shapes, which are round."""
    x = np.asarray(x_um, np.float64)
    cells = np.zeros(len(x), CELL)
    cells["x_um"], cells["y_um"] = x, y_um
    cells["visible"] = True
    cells["aspect"] = cells["nucleus_aspect"] = cells["ragged"] = 1.0
    cells["membrane_um"], cells["blur"] = 1.3, 0.8
    for name, values in columns.items():
        cells[name] = values
    return cells


def join(parts: list[CellPlan]) -> CellPlan:
    """Join plans in order."""
    return np.concatenate(parts) if parts else np.zeros(0, CELL)
