"""Whether artefacts have left enough of the tissue to score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cxpath.tissue.artefacts.look import Mask
from cxpath.tissue.artefacts.settings import Artefact, ArtefactSettings


def why_too_spoiled(tissue: Mask, masks: Mapping[str, Mask], settings: ArtefactSettings) -> tuple[str, ...]:
    """Return every reason why artefacts leave too little, with what to do; empty when enough is left.

    Parameters
    ----------
    tissue : bool array, (height, width)
        Tissue that would be scored without artefacts.
    masks : mapping of str to bool array
        Artefacts by reason; no pixel has two.
    settings : ArtefactSettings
    """
    if not tissue.any():
        return ()
    shares = {reason: float(np.mean(mask[tissue])) for reason, mask in masks.items()}
    covered = np.logical_or.reduce([np.zeros_like(tissue), *masks.values()])
    # One mean and no sum of shares: 0.4 + 0.2 is more than 0.6 to a computer.
    blurred, together = shares.get(Artefact.BLUR, 0.0), float(np.mean(covered[tissue]))
    reasons = []
    if blurred > settings.most_blurred_share:
        reasons.append(
            f"{blurred:.0%} of the tissue is out of focus, at most {settings.most_blurred_share:.0%} may be: "
            "scan the slide again with more focus points, after cleaning it"
        )
    if together > settings.most_excluded_share:
        parts = ", ".join(f"{reason} {share:.0%}" for reason, share in shares.items() if share >= 0.005)
        reasons.append(
            f"{together:.0%} of the tissue is left out for artefacts ({parts}), at most "
            f"{settings.most_excluded_share:.0%} may be: clean and scan the slide again, or cut a new "
            "section; if the tissue picture shows good tissue left out, change [tissue.artefacts]"
        )
    return tuple(reasons)
