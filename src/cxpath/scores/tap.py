"""TAP, tumour area positivity: the part of the tumour area that stained tumour or immune cells take, x 100.

Clinical brief 1.3: tumour and desmoplastic stroma, judged by eye, read with SP263 in gastric and oesophageal
cancer [S8]. How it is counted here says `area_scores`.
"""

from __future__ import annotations

from cxpath.scores.area_scores import TumourArea


def tumour_area_positivity(area: TumourArea) -> float | None:
    """Return the percent of the tumour area taken by stained tumour and immune cells; None without area."""
    taken = area.immune_positive_mm2 + area.tumour_positive_mm2
    return 100.0 * taken / area.area_mm2 if area.area_mm2 > 0 else None
