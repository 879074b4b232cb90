"""IC as percent of tumour area: the part of the tumour area that stained immune cells take, x 100.

Clinical brief 1.3: the score of SP142 (from memory, high confidence); not for cervix. A reader judges it
by eye; how it is counted here says `area_scores`. Not the share of immune cells: see `ic_cells`.
"""

from __future__ import annotations

from cxpath.scores.area_scores import TumourArea


def immune_area_share(area: TumourArea) -> float | None:
    """Return the percent of the tumour area taken by counted stained immune cells; None without area."""
    return 100.0 * area.immune_positive_mm2 / area.area_mm2 if area.area_mm2 > 0 else None
