"""Whether a slide can be scored by its stain: H-DAB in brightfield, haematoxylin alone included.

The limits were chosen on real slides and fields: of the immunohistochemistry pictures in the shared data
none is refused (worst share of pink .05), three H&E ones are (.18 and .70, the third by its pale tissue).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.stain_hue import StainHue, stain_hue
from cxpath.tissue.white_point import WhitePoint, is_brightfield

FEWEST_PIXELS = 200
PINK_OFFPLANE = -0.20
PINK_BROWNNESS = -0.15
MOST_PINK = 0.10
BROWN = 0.12
NO_BROWN = 0.01
PALE_PINK_OFFPLANE = -0.085
PALE_REDDER_BY = 0.07
PALE_NEARER_BY = 0.015

NOT_BRIGHTFIELD = (
    "not a brightfield slide (its brightest part is dark or coloured, as in fluorescence): "
    "scan the H-DAB stained section in brightfield"
)
NO_TISSUE = "no tissue was found on the slide: check that the right slide was scanned, and in focus"
EOSIN = (
    "the tissue's colour lies outside haematoxylin and DAB (pink, as in H&E): "
    "choose the PD-L1 slide, or pass --stain-check off if this stain is meant"
)


def why_stain_refused(density: NDArray[np.float32], white_point: WhitePoint) -> tuple[str, ...]:
    """Return why the slide's stain cannot be scored; empty when it can.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities of visible tissue pixels.
    white_point : tuple of float
    """
    if not is_brightfield(white_point):
        return (NOT_BRIGHTFIELD,)
    if len(density) < FEWEST_PIXELS:
        return (NO_TISSUE,)
    hue = stain_hue(density)
    return (EOSIN,) if _is_pink(hue) or _pale_is_pink(hue, density.sum(axis=1)) else ()


def _is_pink(hue: StainHue) -> bool:
    """Enough pixels are plainly eosin: off the plane, and not as blue as a violet haematoxylin."""
    pink = (hue.offplane < PINK_OFFPLANE) & (hue.brownness > PINK_BROWNNESS)
    return float(pink.mean()) > MOST_PINK


def _pale_is_pink(hue: StainHue, total: NDArray[np.float32]) -> bool:
    """Without any brown: cytoplasm and stroma are pinker than the nuclei.

    A violet haematoxylin alone lies off the plane as well, but its pale tissue lies nearer to the plane
    than its nuclei do; eosin does the reverse.
    """
    if float((hue.brownness > BROWN).mean()) >= NO_BROWN:
        return False
    pale, dark = total < np.median(total), total > np.quantile(total, 0.9)
    redder = float(np.median(hue.brownness[pale]) - np.median(hue.brownness[dark]))
    pale_offplane = float(np.median(hue.offplane[pale]))
    nearer = pale_offplane - float(np.median(hue.offplane[dark]))
    return pale_offplane < PALE_PINK_OFFPLANE and redder > PALE_REDDER_BY and nearer < PALE_NEARER_BY
