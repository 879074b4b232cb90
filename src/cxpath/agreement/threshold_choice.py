"""Which threshold agrees best with a laboratory's reads, and how well it would do on cases it never saw.

The threshold is the one with the largest Lin's concordance of log10(score + 1) with the readers' consensus;
of equal ones the one nearest to the present threshold. The figure to quote comes from nested
cross-validation: patients are dealt into folds, and each fold is scored with the threshold that was chosen
on the others (Varma & Simon 2006, BMC Bioinformatics 7:91). The figure of the final threshold on the cases
it was chosen on is too good, and is given as such.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bland_altman import Scale
from cxpath.agreement.bootstrap import draw_cases
from cxpath.agreement.concordance import concordance, lins_concordance
from cxpath.agreement.consensus import reaching
from cxpath.agreement.likeness import Likeness, ReaderPairs, likeness
from cxpath.agreement.measure import pair_up
from cxpath.agreement.statistic import Statistic
from cxpath.values.errors import StudyError

Floats = NDArray[np.float64]
FEWEST_CASES, FEWEST_ON_A_SIDE, FOLDS = 30, 5, 5


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
    values = np.nan_to_num(likeness(pairs, Likeness.CCC)(np.ones((1, len(x))))[0], nan=-2.0)
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
    if min(cases, patients) < FEWEST_CASES:
        raise StudyError(f"{cases} cases of {patients} patients: {FEWEST_CASES} of each are needed", hint)
    reached = int(np.count_nonzero(reference >= cutoff))
    if min(reached, cases - reached) < FEWEST_ON_A_SIDE:
        raise StudyError(
            f"{reached} of {cases} cases reach {cutoff:g}: {FEWEST_ON_A_SIDE} are needed on either side", hint
        )
