"""Dark spots: dust, soot, metal and other black matter, which takes light of every colour.

Haematoxylin leaves blue and DAB leaves red light through, so the least optical density of the three channels
stays low on stained tissue over anything wider than a nucleus, and is high on what is black.
"""

from __future__ import annotations

import cv2
import numpy as np

from cxpath.tissue.artefacts.look import Look, Mask, touching
from cxpath.tissue.artefacts.settings import ArtefactSettings

RIM_UM = 12.0


def find_dark(look: Look, settings: ArtefactSettings) -> Mask:
    """Find nearly black spots on the overview, with their rims."""
    core = look.opened(look.blackness > settings.dark_least_od, settings.dark_least_width_um)
    rim = (look.blackness > settings.dark_rim_od) & look.widened(core, RIM_UM)
    spots = touching(rim, core)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(spots.astype(np.uint8), connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = longest * look.mpp <= settings.dark_largest_um
    keep[0] = False
    return np.asarray(keep[labels])
