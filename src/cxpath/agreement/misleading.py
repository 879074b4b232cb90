"""Where a number of the study misleads, and what the cases do not allow to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew, spearmanr

from cxpath.agreement.comparison import Scored
from cxpath.agreement.measure import pair_up
from cxpath.agreement.read_matrix import ReadMatrix
from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.statistic import Statistic

Floats = NDArray[np.float64]
SKEWED_PREVALENCE = 0.8
"""From this prevalence of the commoner side on kappa is said to mislead."""
FEWEST_CASES, FEWEST_BELOW, SHARE_NEAR, FEWEST_READERS = 100, 30, 0.25, 3
"""Of a validation: cases, cases below the first cut-off, share between half of it and the last, readers."""


def misleading(
    readers: ReadMatrix,
    reference: Scored | None,
    compared: Scored | None,
    statistics: Sequence[Statistic],
    settings: AgreementSettings,
) -> list[str]:
    """Return what a reader of the report must be told, each in one sentence.

    Parameters
    ----------
    readers : ReadMatrix
    reference, compared : Scored or None
    statistics : sequence of Statistic
        All of the round.
    settings : AgreementSettings
    """
    found = [*_kappa(statistics), *_skewed_icc(readers)]
    if reference and compared:
        found += [*_fanning(reference, compared), *_bent(statistics)]
    return list(dict.fromkeys([*found, *_case_mix(readers, reference, settings)]))


def _kappa(statistics: Sequence[Statistic]) -> Iterator[str]:
    prevalence = {
        (one.context.get("analysis"), one.context["cutoff"]): one.value
        for one in statistics
        if one.key == "prevalence" and one.context.get("analysis") in {"comparison", "between readers"}
    }
    for cutoff in dict.fromkeys(cutoff for _, cutoff in prevalence):
        worst = max((abs(p - 0.5), p) for (_, of), p in prevalence.items() if of == cutoff)[1]
        if max(worst, 1 - worst) >= SKEWED_PREVALENCE:
            yield (
                f"At {cutoff} the prevalence is {_percent(worst)}: kappa and alpha are low there even when "
                "readers agree (with PPA and NPA of 0.90 kappa is 0.80 at 50 % and 0.61 at 89 %). Quote PPA, "
                "NPA and AC1 beside kappa."
            )


def _skewed_icc(readers: ReadMatrix) -> Iterator[str]:
    scores = readers.values[np.isfinite(readers.values)]
    if len(scores) < 10:
        return
    zeros, lean = float(np.mean(scores == 0)), float(skew(scores))
    if zeros >= 0.2 or lean >= 1:
        yield (
            f"Raw scores are skewed ({_percent(zeros)} are 0, skewness {lean:.1f}): the F-based interval "
            "of the ICC assumes normal scores; in simulations of zero-heavy scores its 95 % interval held "
            "the truth in 56 to 71 %. Quote the bootstrap interval, and the ICC of log10(score + 1)."
        )


def _fanning(reference: Scored, compared: Scored) -> Iterator[str]:
    pair = pair_up(reference.values, compared.values)
    if len(pair) < 10:
        return
    size, mean = np.abs(pair.y - pair.x), (pair.x + pair.y) / 2
    if np.ptp(size) == 0 or np.ptp(mean) == 0:
        return
    rank = float(spearmanr(size, mean).statistic)
    if rank >= 0.3:
        yield (
            f"Differences grow with the score (rank correlation {rank:.2f}): limits of agreement on the raw "
            "scale are too wide for low scores and too narrow for high ones. Quote the ratio limits."
        )


def _bent(statistics: Sequence[Statistic]) -> Iterator[str]:
    for one in statistics:
        if one.key == "passing_bablok_slope" and one.p_value is not None and one.p_value < 0.05:
            p = "p < 0.001" if one.p_value < 0.001 else f"p = {one.p_value:.3f}"
            yield f"The CUSUM test doubts a straight line ({p}): regressions may mislead."


def _case_mix(readers: ReadMatrix, reference: Scored | None, settings: AgreementSettings) -> Iterator[str]:
    scores = reference.values if reference else readers.values.ravel()
    scores = scores[np.isfinite(scores)]
    first, last = settings.cutoffs[0], settings.cutoffs[-1]
    if len(readers.units) < FEWEST_CASES:
        yield f"{len(readers.units)} cases: a validation should hold {FEWEST_CASES} or more."
    below = int(np.count_nonzero(scores < first))
    if reference and below < FEWEST_BELOW:
        yield f"Only {below} cases lie below {first:g}: NPA rests on few; aim for {FEWEST_BELOW} or more."
    near = float(np.mean((scores >= first / 2) & (scores < last))) if len(scores) else 0.0
    if len(scores) and near < SHARE_NEAR:
        yield (
            f"{_percent(near)} of cases lie between {first / 2:g} and {last:g}: agreement looks better where "
            f"few cases are near a cut-off; aim for {_percent(SHARE_NEAR)} or more."
        )
    if len(readers.readers) < FEWEST_READERS:
        yield f"{len(readers.readers)} readers: to speak of readers in general takes {FEWEST_READERS}."
    sites = {site for site in readers.groups.get("site", ()) if site}
    if len(sites) < 2:
        yield "Cases of one site, or site not stated: nothing is known about other sites."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
