"""Thresholds and calibration chosen on held-out fields and slides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, logsumexp

from cxpath.data import FINE_CLASSES, STAIN_CLASSES, Calibration, Kind, StainBasis
from cxpath.metrics import (
    FIGURES,
    Decision,
    FieldTables,
    MatchingSettings,
    Observation,
    above,
    detection_f1,
    observe,
    predicted_cps,
    table_of,
    true_cps,
)
from cxpath.network import Detector, Device, Metric, Model
from cxpath.synth import SyntheticField
from cxpath.training.targets import MEMBERS, UNLABELLED, fine_labels

# Fitting a model's calibration on held-out truth, so that its probabilities add up to counts.
#
# Synthetic and restained real tissue weigh alike, however many cells of either there are.
#
# Temperatures minimise the log loss (Guo et al. 2017). The stain biases are then set on fields with few
# positive cells, where a small error in the logit is a large error in the score: there the probabilities
# must add up to the number of truly positive cells.


_FEWEST_OF_A_CLASS = 20
"""A class with fewer cells gets no bias of its own."""

_FEWEST_POSITIVE = 100
"""A bias is not refitted on fewer positive cells than this."""


class LabelledLogits(NamedTuple):
    """Logits with truth; `rare` marks those from fields with few positive cells; weights have mean 1."""

    logit: NDArray[np.float64]
    positive: NDArray[np.bool_]
    rare: NDArray[np.bool_]
    weight: NDArray[np.float64]


class LabelledClasses(NamedTuple):
    """Class logits (N, 10) with fine labels, of a class or of a set of classes; weights have mean 1."""

    logits: NDArray[np.float64]
    fine: NDArray[np.int64]
    weight: NDArray[np.float64]


def fit_calibration(
    observations: Sequence[Observation], low_cps: float, restained: Sequence[Observation] = ()
) -> Calibration:
    """Fit all numbers on evaluated pairs.

    Parameters
    ----------
    observations : sequence of Observation
        At the centre threshold that will be used.
    low_cps : float
        Fields with a smaller true CPS are those with few positive cells.
    restained : sequence of Observation
        Of real tissue; together they weigh as much as the others.
    """
    membrane_temperature, membrane_bias = fit_stain(stain_pairs(observations, low_cps, "membrane", restained))
    any_temperature, any_bias = fit_stain(stain_pairs(observations, low_cps, "any", restained))
    class_temperature, class_biases = fit_kinds(observations, restained)
    return Calibration(
        class_temperature=class_temperature,
        class_biases=class_biases,
        membrane_temperature=membrane_temperature,
        membrane_bias=membrane_bias,
        any_temperature=any_temperature,
        any_bias=any_bias,
    )


def fit_kinds(
    observations: Sequence[Observation], restained: Sequence[Observation] = ()
) -> tuple[float, tuple[float, ...]]:
    """Return temperature and biases that make the true fine classes, or sets of them, most likely.

    Cells whose fine class is not known leave them alone, and so does a class that few cells have. The
    biases add up to 0.
    """
    logits, fine, weight = fine_pairs(observations, restained)
    single = fine[fine < len(FINE_CLASSES)]
    free = np.flatnonzero(np.bincount(single, minlength=len(FINE_CLASSES)) >= _FEWEST_OF_A_CLASS)
    outside = np.where(MEMBERS[fine], 0.0, -np.inf)
    if len(free) < 2:
        return 1.0, ()

    def biases(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        each = np.zeros(len(FINE_CLASSES))
        each[free] = parameters[1:] - parameters[1:].mean()
        return each

    def log_loss(parameters: NDArray[np.float64]) -> float:
        """Return the mean log loss of the labels, with a faint pull of the parameters to 0."""
        likely = log_softmax(logits * np.exp(-parameters[0]) + biases(parameters), axis=1)
        # A faint pull to 0, so that a class which is never mistaken does not run away.
        of_label = logsumexp(likely + outside, axis=1)
        return float(-(weight * of_label).mean() + 1e-3 * (parameters**2).mean())

    bounds = [(-1.5, 1.5)] + [(-3.0, 3.0)] * len(free)
    best = minimize(log_loss, np.zeros(1 + len(free)), method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(best[0])), tuple(round(float(value), 4) for value in biases(best))


def fine_pairs(observations: Sequence[Observation], restained: Sequence[Observation]) -> LabelledClasses:
    """Collect the class logits of evaluated pairs whose class, or set of classes, is known."""
    logits, fine = [], []
    for seen in (*observations, *restained):
        pairs = seen.pairs[seen.scored_truth[seen.pairs[:, 0]]]
        every = fine_labels(seen.truth.kind, seen.truth.subkind) if seen.fine is None else seen.fine
        label = every[pairs[:, 0]]
        known = label != UNLABELLED
        logits.append(seen.peaks.class_logits[pairs[known, 1]].astype(np.float64))
        fine.append(label[known])
    weight = _even_weights([len(label) for label in fine], len(observations))
    return LabelledClasses(np.concatenate(logits), np.concatenate(fine), weight)


def _even_weights(cells: Sequence[int], first_group: int) -> NDArray[np.float64]:
    """Return weights of mean 1 with which the first fields weigh as much as all others together."""
    groups = [sum(cells[:first_group]), sum(cells[first_group:])]
    present = sum(number > 0 for number in groups)
    each = [sum(groups) / (present * number) if number else 0.0 for number in groups]
    return np.repeat(each, groups)


def fit_stain(seen: LabelledLogits) -> tuple[float, float]:
    """Return temperature and bias for one stain logit; (1, 0) when one of the two answers is missing."""
    if seen.positive.all() or not seen.positive.any():
        return 1.0, 0.0

    def log_loss(parameters: NDArray[np.float64]) -> float:
        logit = seen.logit * np.exp(-parameters[0]) + parameters[1]
        return float((seen.weight * np.logaddexp(0.0, np.where(seen.positive, -logit, logit))).mean())

    slope, bias = minimize(log_loss, np.zeros(2), method="L-BFGS-B", bounds=[(-2.0, 2.0), (-5.0, 5.0)]).x
    temperature = float(np.exp(slope))
    if seen.positive[seen.rare].sum() >= _FEWEST_POSITIVE:
        bias = _counting_bias(seen.logit[seen.rare] / temperature, int(seen.positive[seen.rare].sum()))
    return temperature, float(bias)


def stain_pairs(
    observations: Sequence[Observation], low_cps: float, stain: str, restained: Sequence[Observation] = ()
) -> LabelledLogits:
    """Collect the logits of one stain head over evaluated pairs whose true kind is decided by it.

    `membrane` decides tumour cells, `any` the immune ones.
    """
    decided, column = (Kind.TUMOUR if stain == "membrane" else Kind.IMMUNE), STAIN_CLASSES.index(stain)
    logit, positive, rare = [], [], []
    for seen in (*observations, *restained):
        pairs = seen.pairs[seen.scored_truth[seen.pairs[:, 0]]]
        pairs = pairs[seen.truth.kind[pairs[:, 0]] == decided]
        logit.append(seen.peaks.stain_logits[pairs[:, 1], column].astype(np.float64))
        positive.append(seen.truth.positive[pairs[:, 0]])
        rare.append(np.full(len(pairs), seen.truth.true_cps() < low_cps))
    weight = _even_weights([len(one) for one in logit], len(observations))
    return LabelledLogits(np.concatenate(logit), np.concatenate(positive), np.concatenate(rare), weight)


def _counting_bias(logit: NDArray[np.float64], positives: int) -> float:
    def surplus(bias: float) -> float:
        return float((1 / (1 + np.exp(-np.clip(logit + bias, -60, 60)))).sum() - positives)

    return float(brentq(surplus, -30.0, 30.0))


# Choosing the two cuts of a model's card on held-out fields.


FAINTEST_CENTRE = 0.1
"""Observations must have been made with a threshold no higher than this."""

FIELDS_TOGETHER = 8

HARDLY = 0.004
"""Thresholds whose F1 differs by less count as equally good."""

_CENTRE_GRID = np.round(np.arange(FAINTEST_CENTRE, 0.71, 0.05), 2)
_STAINED_GRID = np.round(np.arange(0.20, 0.96, 0.025), 3)


def choose_centre_threshold(
    observations: Sequence[Observation], radius_px: float, restained: Sequence[Observation] = ()
) -> float:
    """Return the lowest threshold whose F1 of finding cells is hardly below the best.

    Synthetic nuclei are found at almost any threshold, so their F1 is flat. Real ones, paler and softer than
    any synthetic, get lower scores: of thresholds that synthetic fields cannot distinguish the lowest serves
    them best. With restained real tissue, the mean of both F1 decides.
    """

    def f1(group: Sequence[Observation], threshold: float) -> float:
        seen = [above(one, threshold, radius_px) for one in group]
        return FieldTables(np.stack([table_of(one, Calibration(), 0.5) for one in seen])).figure(detection_f1)

    groups = [group for group in (observations, restained) if group]
    reached = np.mean([[f1(group, threshold) for threshold in _CENTRE_GRID] for group in groups], axis=0)
    return float(_CENTRE_GRID[np.flatnonzero(reached >= reached.max() - HARDLY)[0]])


def choose_stained_threshold(
    observations: Sequence[Observation], calibration: Calibration, low_cps: float
) -> float:
    """Return the threshold whose scores are nearest to the truth.

    Scores are made of fields of like CPS taken together (see `together`): a cut is for slides, and one
    field of a few dozen tumour cells says little about where it should lie.

    Parameters
    ----------
    observations : sequence of Observation
        At the centre threshold that will be used.
    calibration : Calibration
    low_cps : float
        See `score_error`.
    """

    def error(threshold: float) -> float:
        tables = np.stack([table_of(one, calibration, threshold) for one in observations])
        return score_error(together(tables), low_cps)

    return float(min(_STAINED_GRID, key=error))


def together(tables: NDArray[np.int64], size: int = FIELDS_TOGETHER) -> NDArray[np.int64]:
    """Return the summed counts of every `size` fields, in the order of their true CPS.

    Parameters
    ----------
    tables : int64 array, (N, 6, 6)
        Counts of fields; those without a tumour cell go last.
    size : int
        Fields in a group; the last group may have fewer.

    Returns
    -------
    int64 array, (ceil(N / size), 6, 6)
    """
    order = np.argsort([true_cps(table) for table in tables], kind="stable")
    return np.add.reduceat(tables[order], np.arange(0, len(tables), size), axis=0)


def score_error(tables: NDArray[np.int64], low_cps: float) -> float:
    """Return the error that `choose_stained_threshold` minimises.

    The mean error of log10(CPS + 1) of all fields, and once more that of the fields below `low_cps`,
    where calling too much puts a patient on the wrong side of 1. Fields weigh by their tumour cells; no
    single field can outweigh the others, since what a cut cannot mend should not move it.

    Parameters
    ----------
    tables : int64 array, (N, 6, 6)
        Counts of fields.
    low_cps : float
    """
    truth = np.array([true_cps(table) for table in tables])
    called = np.array([predicted_cps(table) for table in tables])
    known = np.isfinite(truth) & np.isfinite(called)
    weight = np.sqrt(tables[:, :2].sum(axis=(1, 2)))
    error = np.abs(np.log10(np.where(known, called, 0.0) + 1) - np.log10(np.where(known, truth, 0.0) + 1))
    low = known & (truth < low_cps)
    return sum(float(np.average(error[part], weights=weight[part])) for part in (known, low) if part.any())


# Evaluating a network on held-out synthetic fields: choose its cuts and calibration, then measure it.


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Counts of every field under one decision.

    Parameters
    ----------
    decision : Decision
    tables : int64 array, (N, 6, 6)
        See `confusion.tally`.
    """

    decision: Decision
    tables: NDArray[np.int64]

    def low_fields(self, low_cps: float) -> NDArray[np.int64]:
        """Return the tables of the fields with a true CPS below `low_cps`."""
        truth = np.array([true_cps(table) for table in self.tables])
        low: NDArray[np.int64] = self.tables[np.isfinite(truth) & (truth < low_cps)]
        return low

    def metrics(self, matching: MatchingSettings, what: str) -> dict[str, Metric]:
        """Return every figure of the card, and the CPS of the low fields pooled, true and called."""
        method = f"{what}, pairs within {matching.match_radius_um:g} µm"
        all_fields = FieldTables(self.tables)
        metrics = {name: all_fields.metric(figure, method) for name, figure in FIGURES.items()}
        low = self.low_fields(matching.low_cps)
        if len(low):
            method = f"{what} with true CPS below {matching.low_cps:g}, pooled"
            metrics["low_cps_true"] = FieldTables(low).metric(true_cps, method)
            metrics["low_cps_called"] = FieldTables(low).metric(predicted_cps, method)
        return {name: metric for name, metric in metrics.items() if metric is not None}


def decide(
    observations: Sequence[Observation],
    matching: MatchingSettings,
    mpp: float,
    restained: Sequence[Observation] = (),
    centre_threshold: float | None = None,
) -> Decision:
    """Choose thresholds and calibration from observations at `FAINTEST_CENTRE`.

    Parameters
    ----------
    observations : sequence of Observation
        Of synthetic fields; they alone choose the staining threshold.
    matching : MatchingSettings
    mpp : float
    restained : sequence of Observation
        Of restained real tissue.
    centre_threshold : float, optional
        Instead of the one that would be chosen; at least `FAINTEST_CENTRE`. All else is fitted at it.
    """
    radius_px = matching.match_radius_um / mpp
    centre = centre_threshold or choose_centre_threshold(observations, radius_px, restained)
    seen = [above(one, centre, radius_px) for one in observations]
    real = [above(one, centre, radius_px) for one in restained]
    calibration = fit_calibration(seen, matching.low_cps, real)
    return Decision(calibration, centre, choose_stained_threshold(seen, calibration, matching.low_cps))


def evaluate(
    observations: Iterable[Observation], decision: Decision, matching: MatchingSettings, mpp: float
) -> Evaluation:
    """Measure observations under a decision that was made on other fields."""
    radius_px = matching.match_radius_um / mpp
    tables = [
        table_of(
            above(one, decision.centre_threshold, radius_px), decision.calibration, decision.stained_threshold
        )
        for one in observations
    ]
    return Evaluation(decision, np.stack(tables))


def card_decision(model: Model) -> Decision:
    """Return the decision that a packed model carries."""
    thresholds = model.card.thresholds
    return Decision(
        model.card.calibration.as_value(), thresholds.centre_threshold, thresholds.stained_threshold
    )


def observe_faintly(
    model: Model, device: Device, fields: Iterable[SyntheticField], matching: MatchingSettings
) -> list[Observation]:
    """Observe fields with a threshold low enough to choose any cut later."""
    detector = Detector(model, device, StainBasis(), centre_threshold=FAINTEST_CENTRE)
    return observe(detector, fields, matching)


FIRST_DECISION = Decision(Calibration(), 0.3, 0.5)
"""Placeholder of a draft card until `decide` has been asked."""
