"""Which slides the drawn test set holds, in the order in which they are judged.

The order mixes arms and strata, so that the first N are a fair sample of all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxpath.training.judging.synthetic_settings import Arm, Stratum, SyntheticSettings


@dataclass(frozen=True)
class PlannedSlide:
    """One slide to draw.

    Parameters
    ----------
    name : str
    arm : Arm
    stratum : Stratum
        Where its true CPS must lie.
    seed : tuple of int
        Names its dice.
    cps : float
        The CPS to aim at.
    mpp : float
        Micrometres per pixel of its scanner.
    """

    name: str
    arm: Arm
    stratum: Stratum
    seed: tuple[int, ...]
    cps: float
    mpp: float

    def dice(self, *purpose: int) -> np.random.Generator:
        """Return fresh dice for one purpose, always the same for this slide."""
        return np.random.default_rng([*self.seed, *purpose])


def plan_slides(settings: SyntheticSettings) -> list[PlannedSlide]:
    """Plan every slide of the test set."""
    strata = {stratum.name: (index, stratum) for index, stratum in enumerate(settings.stratum)}
    planned = []
    for arm_index, arm in enumerate(settings.arm):
        for name, number in arm.slides.items():
            stratum_index, stratum = strata[name]
            for slide in range(number):
                seed = (settings.seed, arm_index, stratum_index, slide)
                place = ((slide + 0.5) / number, arm_index, stratum_index)
                planned.append((place, _plan(arm, stratum, seed, settings)))
    return [slide for _, slide in sorted(planned, key=lambda item: item[0])]


def _plan(arm: Arm, stratum: Stratum, seed: tuple[int, ...], settings: SyntheticSettings) -> PlannedSlide:
    rng = np.random.default_rng(seed)
    tissue = settings.tissue
    jitter = rng.uniform(1 - tissue.mpp_jitter, 1 + tissue.mpp_jitter)
    return PlannedSlide(
        name=f"{arm.name}-{stratum.name}-{seed[-1]:03d}",
        arm=arm,
        stratum=stratum,
        seed=seed,
        cps=_asked_cps(rng, stratum),
        mpp=float(rng.choice(tissue.mpps) * jitter),
    )


def _asked_cps(rng: np.random.Generator, stratum: Stratum) -> float:
    if rng.random() < stratum.zero_share:
        return 0.0
    if stratum.scale == "logarithmic":
        return float(np.exp(rng.uniform(np.log(stratum.low_cps), np.log(stratum.high_cps))))
    return float(rng.uniform(stratum.low_cps, stratum.high_cps))
