"""Tissue: where to score on a slide, what its stains look like, and whether it can be scored at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.controls import ControlCheck
from cxpath.values.stains import StainBasis
from cxpath.values.tissue_areas import TissueAreas

OUTSIDE_REGIONS = "outside the drawn regions"


@dataclass(frozen=True, eq=False)
class Tissue:
    """What the look at low resolution found.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)
        The slide at `overview_mpp`; origin at level-0 (0, 0).
    overview_mpp : float
    found : bool array, (height, width)
        All tissue.
    scored : bool array, (height, width)
        Tissue that lies where to score.
    excluded : dict of str to bool array, (height, width)
        Tissue left out, by reason: drawn regions, control tissue, artefacts. No pixel has two.
    stains : StainBasis
    refused_because : tuple of str
        Why no cells can be looked for (the stain); empty when they can.
    slide_mpp : float
        Micrometres per level-0 pixel.
    spoiled : bool array, (height, width), or None
        Artefacts and control tissue, on glass and outside drawn regions too.
    unfit_because : tuple of str
        Why the slide is not evaluable though its cells can be found: too blurred, too much left out, a
        failed control.
    controls : tuple of ControlCheck
    warnings : tuple of str
    """

    overview: NDArray[np.uint8]
    overview_mpp: float
    found: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    excluded: dict[str, NDArray[np.bool_]]
    stains: StainBasis
    refused_because: tuple[str, ...]
    slide_mpp: float
    spoiled: NDArray[np.bool_] | None = None
    unfit_because: tuple[str, ...] = ()
    controls: tuple[ControlCheck, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def areas(self) -> TissueAreas:
        """Scored and excluded tissue in square millimetres."""
        pixel_mm2 = (self.overview_mpp / 1000.0) ** 2
        excluded = {reason: float(mask.sum()) * pixel_mm2 for reason, mask in self.excluded.items()}
        return TissueAreas(float(self.scored.sum()) * pixel_mm2, excluded)

    def contains(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each level-0 point whether it lies on usable tissue, drawn regions left aside."""
        return self._at(self.found, x_px, y_px) & self.unspoiled(x_px, y_px)

    def unspoiled(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each level-0 point whether it lies outside artefacts and control tissue."""
        if self.spoiled is None:
            return np.ones(len(x_px), dtype=bool)
        return ~self._at(self.spoiled, x_px, y_px)

    def _at(
        self, mask: NDArray[np.bool_], x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        to_overview = self.slide_mpp / self.overview_mpp
        height, width = mask.shape
        column = np.clip((x_px * to_overview).astype(np.int64), 0, width - 1)
        row = np.clip((y_px * to_overview).astype(np.int64), 0, height - 1)
        return np.asarray(mask[row, column])

    def share(self, x_px: float, y_px: float, side_px: float) -> float:
        """Return the share of scored tissue in a square given in level-0 pixels.

        Any tissue pixel that the square touches makes the share positive.
        """
        return self._share_of(self.scored, x_px, y_px, side_px)

    def exclusion(self, x_px: float, y_px: float, side_px: float) -> str:
        """Say why a square without scored tissue has none: its main reason of `excluded`, or "glass"."""
        shares = {reason: self._share_of(mask, x_px, y_px, side_px) for reason, mask in self.excluded.items()}
        main = max(shares, key=shares.__getitem__, default="glass")
        return main if shares.get(main, 0.0) > 0 else "glass"

    def _share_of(self, mask: NDArray[np.bool_], x_px: float, y_px: float, side_px: float) -> float:
        to_overview = self.slide_mpp / self.overview_mpp
        height, width = mask.shape
        left, right = _span(x_px * to_overview, (x_px + side_px) * to_overview, width)
        top, bottom = _span(y_px * to_overview, (y_px + side_px) * to_overview, height)
        inside = mask[top:bottom, left:right]
        return float(inside.mean()) if inside.size else 0.0


def _span(first: float, last: float, limit: int) -> tuple[int, int]:
    return max(0, int(np.floor(first))), min(limit, int(np.ceil(last)))
