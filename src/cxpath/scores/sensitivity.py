"""Would another choice have flipped a cut-off? The CPS under a changed threshold, rule or distance.

Each choice is one that a reader or a laboratory could have made otherwise; nothing is decided by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.countable import countable_kind
from cxpath.scores.cps import MAXIMUM
from cxpath.scores.cutoffs import Cutoff
from cxpath.values.cell_table import CellTable, Kind

THRESHOLD_CHANGE = 0.1
DISTANCE_CHANGE = 2.0


@dataclass(frozen=True)
class SensitivityCase:
    """The CPS under one changed choice.

    Parameters
    ----------
    choice : str
        "staining threshold", "membrane completeness" or "association distance".
    setting : float
        The changed value.
    unit : str
        "probability", "share of outline" or "µm".
    cps : float or None
        Unrounded; None where the cells do not say (`because`).
    flips : tuple of float
        Cut-offs of which the score would change sides.
    because : str
        Why there is no CPS; else empty.
    """

    choice: str
    setting: float
    unit: str
    cps: float | None
    flips: tuple[float, ...] = ()
    because: str = ""


def sensitivity_panel(
    cells: CellTable,
    stained_threshold: float,
    distance_um: NDArray[np.float64],
    association_distance_um: float,
    least_completeness: float,
    cutoffs: Sequence[Cutoff],
) -> tuple[SensitivityCase, ...]:
    """Score the same cells under changed choices, one at a time.

    Parameters
    ----------
    cells : CellTable
        With at least one viable tumour cell.
    stained_threshold, association_distance_um : float
        The choices that were made.
    distance_um : float array, (N,)
        How far immune cells lie from tumour, told apart from half to twice the association distance.
    least_completeness : float
        Share of the outline that must be stained under the stricter membrane rule.
    cutoffs : sequence of Cutoff
    """
    kind = countable_kind(cells)
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE
    number = int(np.count_nonzero(tumour))

    def score(threshold: float, reach_um: float, membrane: NDArray[np.bool_] | None = None) -> float:
        positive = cells.stained >= threshold
        own = positive & tumour if membrane is None else positive & tumour & membrane
        with_tumour = positive & immune & (distance_um <= reach_um * (1 + 1e-9))
        return min(MAXIMUM, 100.0 * int(np.count_nonzero(own) + np.count_nonzero(with_tumour)) / number)

    made = score(stained_threshold, association_distance_um)

    def case(choice: str, setting: float, unit: str, cps: float) -> SensitivityCase:
        flips = tuple(cut.value for cut in cutoffs if (cps >= cut.value) != (made >= cut.value))
        return SensitivityCase(choice, setting, unit, cps, flips)

    def cases() -> Iterator[SensitivityCase]:
        for factor in (1 - THRESHOLD_CHANGE, 1 + THRESHOLD_CHANGE):
            threshold = stained_threshold * factor
            yield case(
                "staining threshold", threshold, "probability", score(threshold, association_distance_um)
            )
        choice, unit = "membrane completeness", "share of outline"
        if np.isfinite(cells.membrane_completeness[tumour & (cells.stained >= stained_threshold)]).any():
            complete = ~(cells.membrane_completeness < least_completeness)  # NaN is not excluded
            cps = score(stained_threshold, association_distance_um, complete)
            yield case(choice, least_completeness, unit, cps)
        else:
            because = "no membrane was measured on a stained tumour cell"
            yield SensitivityCase(choice, least_completeness, unit, None, because=because)
        for factor in (1 / DISTANCE_CHANGE, DISTANCE_CHANGE):
            reach_um = association_distance_um * factor
            yield case("association distance", reach_um, "µm", score(stained_threshold, reach_um))

    return tuple(cases())
