"""A threshold or monotone map fitted to manual reads, and its gain under cross-validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from cxpath.agreement.base import Floats, Statistic, draw_cases, measured, pair_up, reaching
from cxpath.agreement.continuous import Scale, concordance, concordance_statistic, lins_concordance
from cxpath.agreement.readers import PairwiseMeasure, ReaderPairs, pairwise_measure
from cxpath.data import ScoreMap
from cxpath.errors import StudyError

# Which threshold agrees best with a laboratory's reads, and how well it would do on cases it never saw.
#
# The threshold is the one with the largest Lin's concordance of log10(score + 1) with the readers'
# consensus; of equal ones the one nearest to the present threshold. The figure to quote comes from nested
# cross-validation: patients are dealt into folds, and each fold is scored with the threshold that was chosen
# on the others (Varma & Simon 2006, BMC Bioinformatics 7:91). The figure of the final threshold on the cases
# it was chosen on is too good, and is given as such.


FEWEST_CASES_OF_THRESHOLD, FEWEST_ON_A_SIDE, FOLDS = 30, 5, 5


@dataclass(frozen=True, eq=False)
class ThresholdChoice:
    """What was chosen and what it is worth.

    Parameters
    ----------
    threshold : float
    honest : Statistic
        Concordance on cases that the threshold was not chosen on.
    present, apparent : float
        Concordance with the present threshold, and of the chosen one on the cases it was chosen on.
    honest_agreement, present_agreement : float
        Share of cases on the reference's side of the first cut-off, likewise.
    of_folds : tuple of float
        The threshold that each fold's other cases chose.
    """

    threshold: float
    honest: Statistic
    present: float
    apparent: float
    honest_agreement: float
    present_agreement: float
    of_folds: tuple[float, ...]


def choose_threshold(
    scores: Floats,
    thresholds: Floats,
    reference: Floats,
    cluster: NDArray[np.int64],
    present: float,
    cutoff: float = 1.0,
    seed: int = 1,
) -> ThresholdChoice:
    """Choose, and say honestly how good the choice is.

    Parameters
    ----------
    scores : float64 array, (N, T)
        The score of each case under each threshold.
    thresholds : float64 array, (T,)
        In rising order, `present` among them.
    reference : float64 array, (N,)
        The readers' consensus.
    cluster : int64 array, (N,)
        Patient of each case, numbered from 0.
    present : float
        The threshold now in use.
    cutoff : float
    seed : int
        Of dealing patients into folds.

    Raises
    ------
    StudyError
        With too few cases, in all or on one side of the cut-off.
    """
    _require_enough(reference, cluster, cutoff)
    log = Scale.LOG
    y, x = log.of(scores), log.of(reference)
    now = int(np.argmin(np.abs(thresholds - present)))
    fold = deal_folds(cluster, seed)
    chosen = [_best(y[fold != one], x[fold != one], now) for one in range(FOLDS)]
    held_out = np.array([y[case, chosen[fold[case]]] for case in range(len(x))])
    best = _best(y, x, now)
    draws = draw_cases(cluster, 2000, 0.95, seed)
    return ThresholdChoice(
        threshold=float(thresholds[best]),
        honest=concordance(pair_up(x, held_out, draws)),
        present=lins_concordance(x, y[:, now]),
        apparent=lins_concordance(x, y[:, best]),
        honest_agreement=_same_side(x, held_out, float(np.log10(cutoff + 1))),
        present_agreement=_same_side(x, y[:, now], float(np.log10(cutoff + 1))),
        of_folds=tuple(float(thresholds[place]) for place in chosen),
    )


def _best(y: Floats, x: Floats, now: int) -> int:
    """Return the column that agrees best; of equal ones the nearest to the present."""
    columns = y.shape[1]
    pairs = ReaderPairs(np.repeat(x[:, None], columns, axis=1), y)
    values = np.nan_to_num(pairwise_measure(pairs, PairwiseMeasure.CCC)(np.ones((1, len(x))))[0], nan=-2.0)
    equal = np.flatnonzero(values >= values.max() - 1e-12)
    return int(equal[np.argmin(np.abs(equal - now))])


def deal_folds(cluster: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each case, (N,); all cases of a patient lie in one.

    Parameters
    ----------
    cluster : int64 array, (N,)
        Patient of each case, numbered from 0 without gaps.
    seed : int
    """
    patients = int(cluster.max()) + 1
    order = np.random.default_rng(seed).permutation(patients)
    dealt = np.empty(patients, dtype=np.int64)
    dealt[order] = np.arange(patients) % FOLDS
    return dealt[cluster]


def _same_side(x: Floats, y: Floats, cutoff: float) -> float:
    return float(np.mean(reaching(x, cutoff - 1e-12) == reaching(y, cutoff - 1e-12)))


def _require_enough(reference: Floats, cluster: NDArray[np.int64], cutoff: float) -> None:
    cases, patients = len(reference), len(np.unique(cluster))
    hint = "read and score more cases, or keep the present threshold"
    if min(cases, patients) < FEWEST_CASES_OF_THRESHOLD:
        raise StudyError(
            f"{cases} cases of {patients} patients: {FEWEST_CASES_OF_THRESHOLD} of each are needed", hint
        )
    reached = int(np.count_nonzero(reference >= cutoff))
    if min(reached, cases - reached) < FEWEST_ON_A_SIDE:
        raise StudyError(
            f"{reached} of {cases} cases reach {cutoff:g}: {FEWEST_ON_A_SIDE} are needed on either side", hint
        )


# A rising map from the software's score to the readers' consensus, and whether it helps on unseen cases.
#
# The map is the isotonic regression of log10(read + 1) on log10(score + 1): of all maps that never fall, the
# one of least squares (Barlow et al. 1972, Statistical Inference under Order Restrictions). It follows the
# cases it is fitted to closely, so that only cases it never saw can say what it is worth: in each fold of
# the nested cross-validation the others choose the threshold and then fit the map, in this order, so that a
# map never makes up for a wrong threshold. It is worth using when it agrees better by more than chance.


FEWEST_CASES_OF_MAP = 60
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
    """Fit a map next to a chosen threshold, and say honestly whether it helps.

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
    if fewest < FEWEST_CASES_OF_MAP:
        raise StudyError(
            f"{fewest} cases of different patients: a map needs {FEWEST_CASES_OF_MAP}",
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
