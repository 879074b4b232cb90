"""Small slides and random reviews of them, for tests of what a review does to a score."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxpath.data.cells import CellTable, CellTableFacts, Kind, TissueRegion
from cxpath.review.state import ReviewState
from cxpath.scores.settings import ScoringSettings

SIDE_PX = 6_000
FACTS = CellTableFacts(mpp=0.5, width_px=SIDE_PX, height_px=SIDE_PX, stained_threshold=0.5)
SCORING = ScoringSettings(minimum_tumour_cells=5, association_distance_um=120.0)
THRESHOLD = 0.5


def small_slide(number: int = 300, seed: int = 1) -> CellTable:
    """Return cells scattered so thinly that single tumour cells decide whether an immune cell counts."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, number, p=[0.2, 0.5, 0.3])
    region = np.where(rng.random(number) < 0.1, TissueRegion.NECROSIS, TissueRegion.NEST)
    return CellTable.from_columns(
        FACTS,
        x_px=rng.uniform(0, SIDE_PX, number),
        y_px=rng.uniform(0, SIDE_PX, number),
        kind=kind,
        region=region,
        stained=np.where(rng.random(number) < 0.4, 0.9, 0.1),
    )


def random_state(network: CellTable, rng: np.random.Generator, *, regions: bool = True) -> ReviewState:
    """Return a review that edits, removes and adds cells, accepts fields and draws regions."""
    rows = rng.choice(len(network), rng.integers(0, 40), replace=False)
    edits: dict[int, dict[str, Any]] = {int(row): random_value(rng) for row in rows}
    for row in range(len(network), len(network) + int(rng.integers(0, 4))):
        place = {"x_px": float(rng.uniform(0, SIDE_PX)), "y_px": float(rng.uniform(0, SIDE_PX))}
        edits[row] = random_value(rng) | place
    fields = frozenset(int(one) for one in rng.choice(40, rng.integers(0, 3)))
    drawn = {}
    if regions and rng.random() < 0.5:
        left, top = rng.uniform(0, SIDE_PX / 2, 2).tolist()
        ring = [[left, top], [left + 2500, top], [left + 2500, top + 2500], [left, top + 2500]]
        drawn[1] = {"use": str(rng.choice(["include", "exclude", "not invasive tumour"])), "points": ring}
    return ReviewState(edits=edits, fields=fields, regions=drawn)


def random_value(rng: np.random.Generator) -> dict[str, Any]:
    if rng.random() < 0.25:
        return {"removed": True}
    return {"class": Kind(int(rng.integers(3))).name.lower(), "stained": bool(rng.random() < 0.5)}
