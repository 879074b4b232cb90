"""Adapt a network's calls to one slide or laboratory by a few answers, only where held-out answers gain.

Two numbers for the class (shift and scale of the log-odds of tumour against all else), two for the staining
(the same of its log-odds: they move the threshold). Each pair is taken only where cross-validation on the
answers says that it predicts answers that it has not seen better than the network does. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import CellTable, Kind, Subkind
from cxpath.scores.audit_answers import AuditAnswer, CellAnswer
from cxpath.scores.audit_sample import AuditError, AuditFrame

FEWEST_ANSWERS = 20
FOLDS = 10
_SHIFT_SPREAD, _SCALE_SPREAD = 1.5, 0.5
"""Standard deviations of the shift about 0 and of the scale about 1 that are expected beforehand."""

_STRICTEST, _LAXEST = 0.02, 0.98
_MOST_LOG_ODDS = 9.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogOddsMap:
    """A straight line on log-odds; shift 0 and scale 1 are the network itself."""

    shift: float = 0.0
    scale: float = 1.0

    def __call__(self, log_odds: Array) -> Array:
        """Return the mapped log-odds."""
        return self.shift + self.scale * log_odds


@dataclass(frozen=True)
class Gain:
    """What held-out answers say of a map.

    Parameters
    ----------
    answers : int
    loss_network, loss_adapted : float
        Mean of minus the logarithm of the probability of the answer.
    error : float
        Standard error of the difference of the two.
    """

    answers: int
    loss_network: float
    loss_adapted: float
    error: float

    @property
    def offered(self) -> bool:
        """Whether the gain is more than its standard error (as Breiman et al. 1984 choose a model)."""
        return self.loss_network - self.loss_adapted > self.error


@dataclass(frozen=True)
class Adaptation:
    """What the answers make of a network's calls.

    Parameters
    ----------
    tumour : LogOddsMap
        Of the log-odds of tumour against all else; the network's own where it is not offered.
    stained_threshold : float
        The network's own where no other is offered.
    tumour_gain, stained_gain : Gain or None
        None where too few answers are there to say.
    """

    tumour: LogOddsMap
    stained_threshold: float
    tumour_gain: Gain | None
    stained_gain: Gain | None

    @property
    def offered(self) -> bool:
        """Whether anything is."""
        return any(gain is not None and gain.offered for gain in (self.tumour_gain, self.stained_gain))


def fit_adaptation(
    frame: AuditFrame, answers: Sequence[AuditAnswer], stained_threshold: float, seed: int = 1
) -> Adaptation:
    """Fit the adaptation of a slide's calls to answers about its cells.

    The cells were drawn by the network's own class and staining probability, which are what the maps take:
    the answers need no weights.

    Parameters
    ----------
    frame : AuditFrame
    answers : sequence of AuditAnswer
        "Cannot tell" says nothing here.
    stained_threshold : float
        In use.
    seed : int
        Of the folds.

    Raises
    ------
    AuditError
        When fewer than `FEWEST_ANSWERS` say what the cell is.
    """
    said = [answer for answer in answers if answer.answer is not CellAnswer.CANNOT_TELL]
    if len(said) < FEWEST_ANSWERS:
        raise AuditError(
            f"{len(said)} answers are too few to adapt by", f"answer {FEWEST_ANSWERS} cells at least"
        )
    rows = np.array([answer.row for answer in said], dtype=np.int64)
    tumour = np.array([answer.answer is CellAnswer.TUMOUR for answer in said])
    of_tumour, tumour_gain = _fitted(tumour_log_odds(frame.probabilities)[rows], tumour, seed)
    asked = [answer for answer in said if answer.stained is not None]
    stained_rows = np.array([answer.row for answer in asked], dtype=np.int64)
    stained = np.array([bool(answer.stained) for answer in asked], dtype=bool)
    of_stained, stained_gain = _fitted(frame.log_odds[stained_rows], stained, seed)
    threshold = stained_threshold
    if stained_gain is not None and stained_gain.offered:
        threshold = _even_odds(of_stained)
    offered = tumour_gain is not None and tumour_gain.offered
    return Adaptation(of_tumour if offered else LogOddsMap(), threshold, tumour_gain, stained_gain)


def tumour_log_odds(probabilities: Array) -> Array:
    """Return the log-odds of tumour against all else, (N,), from the probabilities of classes, (N, 3)."""
    share = np.clip(probabilities[:, Kind.TUMOUR], 1e-12, 1.0 - 1e-12)
    return np.asarray(np.clip(special.logit(share), -_MOST_LOG_ODDS, _MOST_LOG_ODDS))


def _fitted(log_odds: Array, yes: NDArray[np.bool_], seed: int) -> tuple[LogOddsMap, Gain | None]:
    """Return the map of all answers, and its gain; none where one side was hardly answered."""
    if len(yes) < FEWEST_ANSWERS or min(np.count_nonzero(yes), np.count_nonzero(~yes)) < 3:
        return LogOddsMap(), None
    fold = np.random.default_rng(seed).permutation(np.arange(len(yes)) % FOLDS)
    held_out = np.empty(len(yes))
    for number in range(FOLDS):
        seen = fold != number
        held_out[~seen] = _fit(log_odds[seen], yes[seen])(log_odds[~seen])
    network, adapted = _loss(log_odds, yes), _loss(held_out, yes)
    error = float(np.std(network - adapted, ddof=1) / np.sqrt(len(yes)))
    gain = Gain(len(yes), float(network.mean()), float(adapted.mean()), error)
    return _fit(log_odds, yes), gain


def _loss(log_odds: Array, yes: NDArray[np.bool_]) -> Array:
    return np.asarray(np.logaddexp(0.0, np.where(yes, -log_odds, log_odds)))


def _fit(log_odds: Array, yes: NDArray[np.bool_]) -> LogOddsMap:
    """Return shift and scale: logistic regression, shrunken towards the network's own."""
    design = np.stack([np.ones_like(log_odds), log_odds], axis=1)
    penalty = np.diag([_SHIFT_SPREAD**-2, _SCALE_SPREAD**-2])
    found = np.array([0.0, 1.0])
    for _ in range(60):
        share = special.expit(design @ found)
        gradient = design.T @ (yes - share) - penalty @ (found - [0.0, 1.0])
        curvature = (design * (share * (1.0 - share))[:, None]).T @ design + penalty
        step = np.clip(np.linalg.solve(curvature, gradient), -0.5, 0.5)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return LogOddsMap(float(found[0]), float(max(found[1], 0.05)))


def _even_odds(found: LogOddsMap) -> float:
    """Return the network's probability at which an answer is as likely to be stained as not."""
    return float(np.clip(special.expit(-found.shift / found.scale), _STRICTEST, _LAXEST))


def adapted_cells(cells: CellTable, tumour: LogOddsMap, stained_threshold: float) -> CellTable:
    """Return the cells as the adapted network calls them.

    A cell changes its class only where the adaptation changes which class is the most probable; the others
    keep what the network decided. Staining probabilities stay; the threshold travels with the cells.

    Parameters
    ----------
    cells : CellTable
    tumour : LogOddsMap
    stained_threshold : float
    """
    stated = np.stack([cells.p_tumour, cells.p_immune, cells.p_other], axis=1).astype(np.float64)
    known = np.isfinite(stated).all(axis=1) & (stated.sum(axis=1) > 0)
    share = special.expit(tumour(tumour_log_odds(np.where(known[:, None], stated, 1 / 3))))
    others = np.maximum(stated[:, 1:].sum(axis=1, keepdims=True), 1e-12)
    adapted = np.concatenate([share[:, None], stated[:, 1:] / others * (1.0 - share)[:, None]], axis=1)
    before, after = (np.where(known, one.argmax(axis=1), 0) for one in (np.nan_to_num(stated), adapted))
    moved = known & (before != after)
    kind = np.where(moved, after, cells.kind).astype(np.uint8)
    shares = np.where(known[:, None], adapted, stated).astype(np.float32)
    return replace(
        cells,
        facts=replace(cells.facts, stained_threshold=stained_threshold),
        kind=kind,
        subkind=np.where(kind == cells.kind, cells.subkind, Subkind.UNKNOWN).astype(np.uint8),
        p_tumour=shares[:, 0],
        p_immune=shares[:, 1],
        p_other=shares[:, 2],
    )
