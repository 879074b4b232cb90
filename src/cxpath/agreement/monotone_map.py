"""A rising map from the software's score to the readers' consensus, and whether it helps on unseen cases.

The map is the isotonic regression of log10(read + 1) on log10(score + 1): of all maps that never fall, the
one of least squares (Barlow et al. 1972, Statistical Inference under Order Restrictions). It follows the
cases it is fitted to closely, so that only cases it never saw can say what it is worth: in each fold of the
nested cross-validation the others choose the threshold and then fit the map, in this order, so that a map
never makes up for a wrong threshold. It is worth using when it agrees better by more than chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import draw_cases
from cxpath.agreement.concordance import concordance, concordance_statistic, lins_concordance
from cxpath.agreement.measure import measured, pair_up
from cxpath.agreement.statistic import Statistic
from cxpath.agreement.threshold_choice import FOLDS, ThresholdChoice, deal_folds
from cxpath.values.errors import StudyError
from cxpath.values.score_map import ScoreMap

Floats = NDArray[np.float64]
FEWEST_CASES = 60
"""Twice what a threshold needs: a map has as many free values as the reads have steps. Our own choice."""
DIGITS = 4
"""Of the points of a map; a score is no more exact."""
REPLICATES, LEVEL = 2000, 0.95


@dataclass(frozen=True, eq=False)
class MapChoice:
    """A map and what it is worth.

    Parameters
    ----------
    score_map : ScoreMap
        Fitted to all cases.
    honest, unmapped : Statistic
        Concordance on cases that neither threshold nor map had seen, with the map and without.
    gain : Statistic
        The difference of the two.
    apparent : float
        Concordance of the map on the cases it was fitted to: too good.
    """

    score_map: ScoreMap
    honest: Statistic
    unmapped: Statistic
    gain: Statistic
    apparent: float

    @property
    def helps(self) -> bool:
        """Whether the interval of the gain lies above 0."""
        return bool(self.gain.intervals) and self.gain.intervals[0].low > 0


def fit_score_map(scores: Floats, reads: Floats) -> ScoreMap:
    """Fit the rising map of least squares on log10(score + 1).

    Parameters
    ----------
    scores : float64 array, (N,)
        Of the software; equal ones share the mean of their reads.
    reads : float64 array, (N,)

    Raises
    ------
    StudyError
        When all scores are equal.
    """
    own, place, cases = np.unique(np.round(scores, DIGITS), return_inverse=True, return_counts=True)
    if len(own) < 2:
        raise StudyError("all scores are equal", "a map needs scores that differ")
    means = np.bincount(place, weights=Scale.LOG.of(reads)) / cases
    fitted = isotonic_regression(means, weights=cases).x
    steps = np.diff(fitted) > 1e-12
    kept = np.concatenate([[True], steps]) | np.concatenate([steps, [True]])
    mapped = np.round(np.maximum(10.0 ** fitted[kept] - 1, 0), DIGITS)
    return ScoreMap(tuple(own[kept].tolist()), tuple(mapped.tolist()))


def choose_map(
    scores: Floats,
    thresholds: Floats,
    reference: Floats,
    cluster: NDArray[np.int64],
    choice: ThresholdChoice,
    seed: int = 1,
) -> MapChoice:
    """Fit a map beside a chosen threshold, and say honestly whether it helps.

    Parameters
    ----------
    scores, thresholds, reference, cluster, seed
        As `choose_threshold` had them.
    choice : ThresholdChoice
        What it found.

    Raises
    ------
    StudyError
        With too few cases or patients, or scores that are all equal.
    """
    fewest = min(len(reference), len(np.unique(cluster)))
    if fewest < FEWEST_CASES:
        raise StudyError(
            f"{fewest} cases of different patients: a map needs {FEWEST_CASES}",
            "read and score more cases, or choose the threshold alone (without --map)",
        )
    fold = deal_folds(cluster, seed)
    plain, mapped = np.empty(len(reference)), np.empty(len(reference))
    for one, threshold in enumerate(choice.of_folds):
        own, others = scores[:, _column(thresholds, threshold)], fold != one
        plain[~others] = own[~others]
        mapped[~others] = fit_score_map(own[others], reference[others]).of(own[~others])
    chosen = scores[:, _column(thresholds, choice.threshold)]
    final = fit_score_map(chosen, reference)
    log, draws = Scale.LOG, draw_cases(cluster, REPLICATES, LEVEL, seed)
    x, with_map, without = log.of(reference), log.of(mapped), log.of(plain)
    by_map, by_score = concordance_statistic(x, with_map), concordance_statistic(x, without)
    return MapChoice(
        score_map=final,
        honest=concordance(pair_up(x, with_map, draws)),
        unmapped=concordance(pair_up(x, without, draws)),
        gain=measured(
            "gain",
            "Lin's CCC with the map, less without",
            lambda weights: by_map(weights) - by_score(weights),
            len(x),
            draws,
            method=f"nested cross-validation, {FOLDS} folds of patients",
            source="Varma & Simon 2006, BMC Bioinformatics 7:91",
        ),
        apparent=lins_concordance(x, log.of(final.of(chosen))),
    )


def _column(thresholds: Floats, threshold: float) -> int:
    return int(np.argmin(np.abs(thresholds - threshold)))
