"""Adapt a network's calls to one slide or laboratory by a few answers, only where held-out answers gain.

Two numbers for the class (shift and scale of the log-odds of tumour against all else), two for the staining
(the same of its log-odds: they move the threshold). Where cells carry an embedding, a regularised logistic
regression on it for this slide alone. Each is taken only where cross-validation on the answers says that it
predicts answers that it has not seen better: the pair better than the network, the regression better than the
pair. Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cxpath.data import CellTable, Kind, Subkind
from cxpath.scores.audit_answers import AuditAnswer, CellAnswer
from cxpath.scores.audit_estimate import fit_logistic
from cxpath.scores.audit_sample import AuditError, AuditFrame, log_odds_of

FEWEST_ANSWERS = 20
FEWEST_FOR_EMBEDDING, FEWEST_OF_EACH = 50, 10
"""Answers, and answers on either side, that a regression on the embedding needs."""

FOLDS = 10
_SHIFT_SPREAD, _SCALE_SPREAD = 1.5, 0.5
"""Standard deviations of the shift about 0 and of the scale about 1 that are expected beforehand."""

_WEIGHT_SPREAD = 0.25
"""Standard deviation about 0 that is expected beforehand of the weight of a component, in its own spreads."""

_STRICTEST, _LAXEST = 0.02, 0.98

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LogOddsMap:
    """A straight line on log-odds; shift 0 and scale 1 are the network itself.

    Parameters
    ----------
    shift, scale : float
    weights : tuple of float
        Of the components of the embedding, standardised over the slide; none where it is not used.
    """

    shift: float = 0.0
    scale: float = 1.0
    weights: tuple[float, ...] = ()

    def __call__(self, log_odds: Array, components: Array | None = None) -> Array:
        """Return the mapped log-odds.

        Parameters
        ----------
        log_odds : float array, (N,)
        components : float array, (N, len(weights)), optional
            See `standardised`; needed where there are weights, and of no use without.

        Raises
        ------
        ValueError
            When there are weights and no components.
        """
        mapped = self.shift + self.scale * log_odds
        if not self.weights:
            return mapped
        if components is None:
            raise ValueError("a map with weights needs the components of the embedding")
        return np.asarray(mapped + components @ np.array(self.weights))


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
class Regression:
    """A regression on the embedding, and what held-out answers say of it.

    Parameters
    ----------
    of_answers : LogOddsMap
        Fitted to all answers.
    gain : Gain
        Over the pair of numbers where that is offered, else over the network: `loss_network` is that one's.
    """

    of_answers: LogOddsMap
    gain: Gain


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
    tumour_regression, stained_regression : Regression or None
        None where the cells carry no embedding, or too few answers are there to say.
    """

    tumour: LogOddsMap
    stained_threshold: float
    tumour_gain: Gain | None
    stained_gain: Gain | None
    tumour_regression: Regression | None = None
    stained_regression: Regression | None = None

    @property
    def offered(self) -> bool:
        """Whether a pair of numbers is, which a laboratory may keep for other slides."""
        return any(gain is not None and gain.offered for gain in (self.tumour_gain, self.stained_gain))

    @property
    def offered_for_slide(self) -> bool:
        """Whether anything is, a regression for this slide alone included."""
        found = (self.tumour_regression, self.stained_regression)
        return self.offered or any(one is not None and one.gain.offered for one in found)

    def adapted(self, cells: CellTable, embedding: NDArray[np.uint8] | None = None) -> CellTable:
        """Return the cells as they are called with all that is offered; the threshold travels with them.

        Parameters
        ----------
        cells : CellTable
        embedding : uint8 array, (N, D), optional
            Of these cells, as the fit was given it.
        """
        components = standardised(embedding) if embedding is not None else None
        tumour, threshold = self.tumour, self.stained_threshold
        regression = self.stained_regression
        if components is not None and regression is not None and regression.gain.offered:
            known = cells.stained.astype(np.float64)
            log_odds = regression.of_answers(log_odds_of(np.nan_to_num(known)), components)
            stained = np.where(np.isfinite(known), special.expit(log_odds), np.nan)
            cells, threshold = replace(cells, stained=stained.astype(np.float32)), 0.5
        regression = self.tumour_regression
        if components is not None and regression is not None and regression.gain.offered:
            return adapted_cells(cells, regression.of_answers, threshold, components)
        return adapted_cells(cells, tumour, threshold)


def fit_adaptation(
    frame: AuditFrame,
    answers: Sequence[AuditAnswer],
    stained_threshold: float,
    seed: int = 1,
    embedding: NDArray[np.uint8] | None = None,
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
    embedding : uint8 array, (N, D), optional
        Principal components of what the network saw of each cell.

    Raises
    ------
    AuditError
        When fewer than `FEWEST_ANSWERS` say what the cell is.
    """
    said = [answer for answer in answers if answer.answer is not CellAnswer.CANNOT_TELL]
    if len(said) < FEWEST_ANSWERS:
        raise AuditError(
            f"{len(said)} answers are too few for an adaptation", f"answer at least {FEWEST_ANSWERS} cells"
        )
    components = standardised(embedding) if embedding is not None else None
    rows = np.array([answer.row for answer in said], dtype=np.int64)
    tumour = np.array([answer.answer is CellAnswer.TUMOUR for answer in said])
    seen = components[rows] if components is not None else None
    of_tumour = _fitted(_Answered(tumour_log_odds(frame.probabilities)[rows], tumour, seen), seed)
    asked = [answer for answer in said if answer.stained is not None]
    rows = np.array([answer.row for answer in asked], dtype=np.int64)
    stained = np.array([bool(answer.stained) for answer in asked], dtype=bool)
    seen = components[rows] if components is not None else None
    of_stained = _fitted(_Answered(frame.log_odds[rows], stained, seen), seed)
    threshold = _even_odds(of_stained.pair) if of_stained.offered else stained_threshold
    return Adaptation(
        tumour=of_tumour.pair if of_tumour.offered else LogOddsMap(),
        stained_threshold=threshold,
        tumour_gain=of_tumour.gain,
        stained_gain=of_stained.gain,
        tumour_regression=of_tumour.regression,
        stained_regression=of_stained.regression,
    )


def standardised(embedding: NDArray[np.uint8]) -> Array:
    """Return the components of an embedding with mean 0 and spread 1 over all cells of a slide, (N, D).

    Cells without one, whose components are all 0, get zeros: the mean of the others.
    """
    values, known = embedding.astype(np.float64), np.asarray((embedding > 0).any(axis=1))
    if not known.any():
        return np.zeros_like(values)
    spread = values[known].std(axis=0)
    components = (values - values[known].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(components * known[:, None])


def tumour_log_odds(probabilities: Array) -> Array:
    """Return the log-odds of tumour against all else, (N,), from the probabilities of classes, (N, 3)."""
    return log_odds_of(probabilities[:, Kind.TUMOUR])


@dataclass(frozen=True, eq=False)
class _Answered:
    """Answered cells: their log-odds, what the answers say, and their components where there are any."""

    log_odds: Array
    yes: NDArray[np.bool_]
    components: Array | None

    def taken(self, chosen: NDArray[np.bool_]) -> _Answered:
        """Return the answers that are chosen."""
        components = self.components[chosen] if self.components is not None else None
        return _Answered(self.log_odds[chosen], self.yes[chosen], components)

    def enough(self, answers: int, of_each: int) -> bool:
        """Say whether there are so many answers, and so many of each kind."""
        each = min(np.count_nonzero(self.yes), np.count_nonzero(~self.yes))
        return bool(len(self.yes) >= answers and each >= of_each)


@dataclass(frozen=True)
class _Fitted:
    """What was fitted to answers; no gain where too few are there to say."""

    pair: LogOddsMap = LogOddsMap()
    gain: Gain | None = None
    regression: Regression | None = None

    @property
    def offered(self) -> bool:
        """Whether held-out answers gain enough for the adaptation to be offered."""
        return self.gain is not None and self.gain.offered


def _fitted(answered: _Answered, seed: int) -> _Fitted:
    """Return the pair of numbers and the regression of all answers, each with its gain."""
    if not answered.enough(FEWEST_ANSWERS, 3):
        return _Fitted()
    plain = replace(answered, components=None)
    network, pair = _loss(answered.log_odds, answered.yes), _held_out_loss(plain, seed)
    found = _Fitted(_fit(plain), _gain(network, pair))
    if answered.components is None or not answered.enough(FEWEST_FOR_EMBEDDING, FEWEST_OF_EACH):
        return found
    gain = _gain(pair if found.offered else network, _held_out_loss(answered, seed))
    return replace(found, regression=Regression(_fit(answered), gain))


def _held_out_loss(answered: _Answered, seed: int) -> Array:
    """Return the loss of each answer by the map that was fitted without it, (M,)."""
    fold = np.random.default_rng(seed).permutation(np.arange(len(answered.yes)) % FOLDS)
    held_out = np.empty(len(answered.yes))
    for number in range(FOLDS):
        left_out = answered.taken(fold == number)
        found = _fit(answered.taken(fold != number))
        held_out[fold == number] = found(left_out.log_odds, left_out.components)
    return _loss(held_out, answered.yes)


def _gain(before: Array, after: Array) -> Gain:
    error = float(np.std(before - after, ddof=1) / np.sqrt(len(before)))
    return Gain(len(before), float(before.mean()), float(after.mean()), error)


def _loss(log_odds: Array, yes: NDArray[np.bool_]) -> Array:
    return np.asarray(np.logaddexp(0.0, np.where(yes, -log_odds, log_odds)))


def _fit(answered: _Answered) -> LogOddsMap:
    """Return shift, scale and weights: logistic regression, shrunken towards the network's own."""
    columns = [np.ones_like(answered.log_odds), answered.log_odds]
    if answered.components is not None:
        columns += list(answered.components.T)
    weights = len(columns) - 2
    centre = np.array([0.0, 1.0, *[0.0] * weights])
    spread = np.array([_SHIFT_SPREAD, _SCALE_SPREAD, *[_WEIGHT_SPREAD] * weights])
    shift, scale, *found = fit_logistic(np.stack(columns, axis=1), answered.yes, centre, spread)
    return LogOddsMap(float(shift), float(max(scale, 0.05)), tuple(float(one) for one in found))


def _even_odds(found: LogOddsMap) -> float:
    """Return the network's probability at which an answer is as likely to be stained as not."""
    return float(np.clip(special.expit(-found.shift / found.scale), _STRICTEST, _LAXEST))


def adapted_cells(
    cells: CellTable, tumour: LogOddsMap, stained_threshold: float, components: Array | None = None
) -> CellTable:
    """Return the cells as the adapted network calls them.

    A cell changes its class only where the adaptation changes which class is the most probable; the others
    keep what the network decided. Staining probabilities stay; the threshold travels with the cells.

    Parameters
    ----------
    cells : CellTable
    tumour : LogOddsMap
    stained_threshold : float
    components : float array, (N, D), optional
        Standardised components of the embedding, where the map has weights.
    """
    stated = np.stack([cells.p_tumour, cells.p_immune, cells.p_other], axis=1).astype(np.float64)
    known = np.isfinite(stated).all(axis=1) & (stated.sum(axis=1) > 0)
    log_odds = tumour_log_odds(np.where(known[:, None], stated, 1 / 3))
    share = special.expit(tumour(log_odds, components))
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
