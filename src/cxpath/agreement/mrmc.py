"""Readers and cases both sampled: the analysis of variance of reader studies (MRMC), and its planning.

Each reader reads each case in each arm. A figure of merit (AUC, share of reads on the right side of a
cut-off, ...) is computed for every reader and arm; the error covariances between them come from the jackknife
over cases. The Obuchowski-Rockette model with Hillis' degrees of freedom says whether arms differ for other
readers and other cases. The Dorfman-Berbaum-Metz analysis of pseudovalues is the same test on another scale,
and is computed as a check.

References
----------
Dorfman, Berbaum & Metz 1992, Investigative Radiology 27:723.
Obuchowski & Rockette 1995, Communications in Statistics: Simulation and Computation 24:285.
Hillis 2007, Statistics in Medicine 26:596 (degrees of freedom).
Hillis, Berbaum & Metz 2008, Academic Radiology 15:647 (how the two methods correspond).
Hillis, Obuchowski & Berbaum 2011, Academic Radiology 18:129 (power).
Hillis 2014, Statistics in Medicine 33:330 (intervals of one arm).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution, ncf, rankdata, t as t_distribution

from cxpath.agreement.base import Floats, Interval
from cxpath.errors import ConfigurationError, StudyError

Codes = NDArray[np.int64]
Figure = Callable[[NDArray[np.bool_]], Floats]
"""From the cases kept, (N,), to the figure of merit of every arm and reader, (T, R)."""


# Figures of merit: of every arm and reader, from some of the cases.


def auc_figure(scores: Floats, positive: NDArray[np.bool_]) -> Figure:
    """Return the empirical area under the ROC curve as a function of the cases kept.

    Parameters
    ----------
    scores : float64 array, (T, R, N)
        Arms by readers by cases, without gaps.
    positive : bool array, (N,)
        Truth.
    """

    def figure(kept: NDArray[np.bool_]) -> Floats:
        """Return the area under the curve of each arm and reader, of the cases that are kept."""
        truth = positive[kept]
        yes, no = int(truth.sum()), int((~truth).sum())
        if not yes or not no:
            return np.full(scores.shape[:2], np.nan)
        ranks = rankdata(scores[:, :, kept], axis=2)
        area: Floats = (ranks[:, :, truth].sum(axis=2) - yes * (yes + 1) / 2) / (yes * no)
        return area

    return figure


def share_figure(hits: NDArray[np.bool_], counted: NDArray[np.bool_] | None = None) -> Figure:
    """Return a share of cases as a function of the cases kept: agreement, sensitivity, specificity.

    Parameters
    ----------
    hits : bool array, (T, R, N)
        Where a read is right.
    counted : bool array, (N,), optional
        The cases that the share is of: the positive ones for sensitivity. All by default.
    """
    of = np.ones(hits.shape[2], dtype=bool) if counted is None else counted

    def figure(kept: NDArray[np.bool_]) -> Floats:
        """Return the share of hits of each arm and reader, of the cases that are kept."""
        chosen = kept & of
        if not chosen.any():
            return np.full(hits.shape[:2], np.nan)
        share: Floats = hits[:, :, chosen].mean(axis=2)
        return share

    return figure


# The jackknife over cases: covariances for Obuchowski-Rockette, pseudovalues for Dorfman-Berbaum-Metz.


def jackknife(figure: Figure, cluster: Codes) -> tuple[Floats, Floats]:
    """Return the figures of all cases, (T, R), and those without each patient, (n, T, R).

    Parameters
    ----------
    figure : callable
        From the cases kept to the figures.
    cluster : int64 array, (N,)
        The patient of each case: all cases of one patient are left out together.

    Raises
    ------
    StudyError
        When the figure is not defined without some patient.
    """
    whole = figure(np.ones(len(cluster), dtype=bool))
    without = np.stack([figure(cluster != patient) for patient in np.unique(cluster)])
    if not np.isfinite(whole).all() or not np.isfinite(without).all():
        raise StudyError(
            "the figure of merit rests on too few cases: without one patient it is not defined",
            "at least 2 cases on either side of the cut-off are needed",
        )
    return whole, without


@dataclass(frozen=True)
class Components:
    """Variance components of the Obuchowski-Rockette model.

    Parameters
    ----------
    reader, arm_reader : float
        Variance of readers, and of readers' own differences between arms; may be below zero.
    error : float
        Variance of one figure over cases.
    cov1, cov2, cov3 : float
        Error covariance of one reader in two arms, of two readers in one arm, of two readers in two arms.
    cases : int
        That error and covariances are of: they fall as 1 / cases.
    """

    reader: float
    arm_reader: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    cases: int


@dataclass(frozen=True)
class ArmMean:
    """The mean of all readers in one arm, for readers and cases in general (Hillis 2014)."""

    value: float
    standard_error: float
    degrees: float
    interval: Interval


@dataclass(frozen=True)
class MrmcTest:
    """The difference of two arms, the second less the first, for readers and cases in general.

    Parameters
    ----------
    figures : float64 array, (2, R)
        Of every arm and reader.
    difference, standard_error : float
    f, degrees, p_value : float
        F with 1 and `degrees` degrees of freedom.
    interval : Interval
        Of the difference.
    arms : tuple of ArmMean
    components : Components
    """

    figures: Floats
    difference: float
    standard_error: float
    f: float
    degrees: float
    p_value: float
    interval: Interval
    arms: tuple[ArmMean, ...]
    components: Components


def obuchowski_rockette(figures: Floats, without: Floats, level: float = 0.95) -> MrmcTest:
    """Compare two arms.

    Parameters
    ----------
    figures : float64 array, (2, R)
        Of all cases.
    without : float64 array, (n, 2, R)
        Without each patient in turn; see `jackknife`.
    level : float
        Of the intervals.

    Raises
    ------
    StudyError
        With fewer than two readers.
    """
    return from_covariance(figures, _covariance(without), len(without), level)


def _covariance(without: Floats) -> Floats:
    """Return the jackknife covariance of figures, (T, R, T, R)."""
    n = len(without)
    apart = without - without.mean(axis=0)
    covariance: Floats = (n - 1) / n * np.einsum("ntr,nus->trus", apart, apart)
    return covariance


def from_covariance(figures: Floats, covariance: Floats, cases: int, level: float = 0.95) -> MrmcTest:
    """Compare two arms whose error covariances are known.

    Parameters
    ----------
    figures : float64 array, (2, R)
    covariance : float64 array, (2, R, 2, R)
    cases : int
    level : float
    """
    arms, readers = figures.shape
    if readers < 2 or arms != 2:
        raise StudyError(
            "at least two readers and two arms are needed for a statement about readers in general", ""
        )
    error, cov1, cov2, cov3 = _mean_covariances(covariance)
    return from_components(figures, (error, cov1, cov2, cov3), cases, covariance, level)


def from_components(
    figures: Floats,
    covariances: tuple[float, float, float, float],
    cases: int,
    covariance: Floats | None = None,
    level: float = 0.95,
) -> MrmcTest:
    """Compare two arms from the figures and the mean error variance and covariances.

    Parameters
    ----------
    figures : float64 array, (2, R)
    covariances : tuple of float
        Error, Cov1, Cov2, Cov3, as papers print them.
    cases : int
    covariance : float64 array, (2, R, 2, R), optional
        Of every pair of figures, for the intervals of single arms; their means stand for it where it is not
        known.
    level : float
    """
    readers = figures.shape[1]
    error, cov1, cov2, cov3 = covariances
    ms_arm, ms_reader, ms_both = _mean_squares(figures)
    denominator = ms_both + readers * max(cov2 - cov3, 0.0)
    if denominator <= 0:
        raise StudyError(
            "readers do not differ at all between the arms: no test is possible", "add cases or readers"
        )
    degrees = denominator**2 / (ms_both**2 / (readers - 1)) if ms_both > 0 else math.inf
    f = ms_arm / denominator
    difference = float(figures[1].mean() - figures[0].mean())
    standard_error = math.sqrt(2 * denominator / readers)
    half = _t(level, degrees) * standard_error
    interval = Interval(difference - half, difference + half, "Obuchowski-Rockette, Hillis' df")
    within = [cov2] * 2 if covariance is None else [_off_diagonal(covariance[arm, :, arm]) for arm in (0, 1)]
    arm_reader = ms_both - (error - cov1 - (cov2 - cov3))
    reader = (ms_reader - ms_both) / 2 - (cov1 - cov3)
    return MrmcTest(
        figures=figures,
        difference=difference,
        standard_error=standard_error,
        f=f,
        degrees=degrees,
        p_value=float(f_distribution.sf(f, 1, degrees)) if math.isfinite(degrees) else _chi_square(f),
        interval=interval,
        arms=tuple(_arm_mean(figures[arm], within[arm], level) for arm in (0, 1)),
        components=Components(reader, arm_reader, error, cov1, cov2, cov3, cases),
    )


def _chi_square(f: float) -> float:
    return math.erfc(math.sqrt(f / 2))


def _t(level: float, degrees: float) -> float:
    degrees = degrees if math.isfinite(degrees) else 1e9
    return float(t_distribution.ppf((1 + level) / 2, degrees))


_ROUNDING = 1e-12
"""Readers whose figures move by the same from arm to arm differ by no more than this share of a figure."""


def _mean_squares(figures: Floats) -> tuple[float, float, float]:
    """Return the mean squares of arms, of readers and of both."""
    arms, readers = figures.shape
    arm, reader, whole = figures.mean(axis=1), figures.mean(axis=0), figures.mean()
    ms_arm = readers * float(np.sum((arm - whole) ** 2)) / (arms - 1)
    ms_reader = arms * float(np.sum((reader - whole) ** 2)) / (readers - 1)
    rest = figures - arm[:, None] - reader[None, :] + whole
    rest[np.abs(rest) <= _ROUNDING * np.abs(figures).max()] = 0.0  # else its square would be divided by
    return ms_arm, ms_reader, float(np.sum(rest**2)) / ((arms - 1) * (readers - 1))


def _mean_covariances(covariance: Floats) -> tuple[float, float, float, float]:
    """Return the mean variance, and the mean covariances of one reader, of one arm, and of neither."""
    arms, readers = covariance.shape[:2]
    same_arm = np.eye(arms, dtype=bool)[:, None, :, None]
    same_reader = np.eye(readers, dtype=bool)[None, :, None, :]
    shape = covariance.shape
    chosen = (
        same_arm & same_reader,
        ~same_arm & same_reader,
        same_arm & ~same_reader,
        ~same_arm & ~same_reader,
    )
    error, cov1, cov2, cov3 = (float(covariance[np.broadcast_to(one, shape)].mean()) for one in chosen)
    return error, cov1, cov2, cov3


def _off_diagonal(covariance: Floats) -> float:
    """Return the mean covariance of two readers in one arm."""
    return float(covariance[~np.eye(len(covariance), dtype=bool)].mean())


def _arm_mean(figures: Floats, cov2: float, level: float) -> ArmMean:
    readers = len(figures)
    ms_reader = float(figures.var(ddof=1))
    denominator = ms_reader + readers * max(cov2, 0.0)
    degrees = denominator**2 / (ms_reader**2 / (readers - 1)) if ms_reader > 0 else math.inf
    error = math.sqrt(denominator / readers)
    half = _t(level, degrees) * error
    value = float(figures.mean())
    return ArmMean(value, error, degrees, Interval(value - half, value + half, "Obuchowski-Rockette"))


# Planning: the power of a study of so many readers and cases.


@dataclass(frozen=True)
class ReaderStudyPlan:
    """What is expected of a study with two arms.

    Parameters
    ----------
    difference : float
        Of the figure of merit, between the arms.
    components : Components
        Of a pilot study, or conjectured.
    level : float
        1 less the significance level of the two-sided test.
    """

    difference: float
    components: Components
    level: float = 0.95


MOST_READERS, MOST_CASES = 100, 20_000
"""Nobody plans larger reader studies."""


def power_of(plan: ReaderStudyPlan, readers: int, cases: int) -> float:
    """Return the chance that a study of so many readers and cases finds the difference.

    Hillis, Obuchowski & Berbaum 2011: error and covariances of the pilot study are scaled by its cases over
    those of the planned study, and F has a noncentral distribution. Components below zero count as zero.

    Parameters
    ----------
    plan : ReaderStudyPlan
    readers : int
        At least 2.
    cases : int

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ConfigurationError
        When the components leave no error.
    """
    part, scale = plan.components, plan.components.cases / cases
    arm_reader, between = max(part.arm_reader, 0.0), max(part.cov2 - part.cov3, 0.0)
    own = max(part.error - part.cov1, 0.0)
    denominator = arm_reader + scale * (own + (readers - 1) * between)
    residual = arm_reader + scale * max(own - between, 0.0)
    if denominator <= 0 or residual <= 0:
        raise ConfigurationError("the components leave no error at all", "state those of a pilot study")
    degrees = denominator**2 / (residual**2 / (readers - 1))
    shift = readers * plan.difference**2 / 2 / denominator
    critical = f_distribution.ppf(plan.level, 1, degrees)
    return float(ncf.sf(critical, 1, degrees, shift))


def cases_for_power(plan: ReaderStudyPlan, readers: int, power: float = 0.8) -> int | None:
    """Return the smallest number of cases that reaches a power.

    Parameters
    ----------
    plan : ReaderStudyPlan
    readers : int
        From 2 to `MOST_READERS`.
    power : float
        Between 0 and 1, both excluded.

    Returns
    -------
    int or None
        None where no number of cases up to `MOST_CASES` reaches it.

    Raises
    ------
    ConfigurationError
        When readers or power are out of range.
    """
    if not 2 <= readers <= MOST_READERS or not 0 < power < 1 or plan.difference == 0:
        raise ConfigurationError(
            f"2 to {MOST_READERS} readers, a power between 0 and 1 and a difference are needed", ""
        )
    low, high = 1, 8
    while power_of(plan, readers, high) < power:
        if high >= MOST_CASES:
            return None
        low, high = high, min(2 * high, MOST_CASES)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(plan, readers, middle) >= power else (middle, high)
    return high
