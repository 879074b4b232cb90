"""The same readers and cases read unaided and aided by software: agreement, changed sides, time, anchoring.

Anchoring is what a right reader loses by software that is wrong: the share of reads that were right unaided,
where the software was wrong, and that are wrong aided. Intervals are of a two-way bootstrap: readers and
patients are both drawn again, so that they are for other readers and other patients. It is conservative
(Owen 2007, Annals of Applied Statistics 1:386).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import (
    AgreementSettings,
    Draws,
    Floats,
    Interval,
    Statistic,
    draw_cases,
    expanded_tail,
    others_medians,
    reaching,
    with_width,
)
from cxpath.agreement.mrmc import (
    Figure,
    MrmcTest,
    auc_figure,
    jackknife,
    obuchowski_rockette,
    share_figure,
)
from cxpath.agreement.reads import ReadMatrix
from cxpath.errors import StudyError

Codes = NDArray[np.int64]
OTHERS = "the median of the other readers' unaided reads"
ANALYSIS = "unaided and aided"
FEWEST_PATIENTS = 5
"""Of a test over readers and patients."""


@dataclass(frozen=True, eq=False)
class AidedReads:
    """Reads of the same cases by the same readers, unaided and aided.

    Parameters
    ----------
    readers : tuple of str
    units : tuple
        Case and slide.
    cluster : int64 array, (N,)
        Patient of each case.
    unaided, aided : float64 array, (N, R)
        Scores; NaN without one.
    seconds : mapping of str to float64 array, (N, R)
        "unaided" and "aided"; empty where time was not taken.
    software : float64 array, (N,)
        What the aided reader was shown; NaN where unknown.
    truth : float64 array, (N, R)
        The right score, which may differ by reader; see `leave_one_out`.
    reference : str
        What the right score is, in words.
    """

    readers: tuple[str, ...]
    units: tuple[tuple[str, str], ...]
    cluster: Codes
    unaided: Floats
    aided: Floats
    software: Floats
    truth: Floats
    reference: str
    seconds: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.cluster))

    @property
    def common_truth(self) -> bool:
        """Whether the right score is the same for all readers."""
        return self.reference != OTHERS


def aided_reads(
    unaided: ReadMatrix,
    aided: ReadMatrix,
    software: Floats,
    reference: Floats | None = None,
    seconds: Mapping[str, Floats] | None = None,
) -> AidedReads:
    """Return the reads of two arms side by side.

    Parameters
    ----------
    unaided, aided : ReadMatrix
        Of the same units, as `read_matrix` gives them for two rounds of one table.
    software : float64 array, (N,)
    reference : float64 array, (N,), optional
        The right scores. Without, each reader is compared with the median of the others' unaided reads.
    seconds : mapping, optional
        See `AidedReads`; columns in the order of the readers that both arms share.

    Raises
    ------
    StudyError
        When no reader read in both arms, or the units differ.
    """
    if unaided.units != aided.units:
        raise StudyError("the arms are of different cases", "give both arms in one table")
    readers = [reader for reader in unaided.readers if reader in aided.readers]
    if not readers:
        raise StudyError("no reader has reads in both arms", "readers keep their names in all rounds")
    first, second = unaided.of_readers(readers), aided.of_readers(readers)
    truth = leave_one_out(first.values) if reference is None else np.tile(reference[:, None], len(readers))
    return AidedReads(
        readers=tuple(readers),
        units=unaided.units,
        cluster=unaided.cluster,
        unaided=first.values,
        aided=second.values,
        software=software,
        truth=truth,
        reference=OTHERS if reference is None else "the reference of the study",
        seconds=seconds or {},
    )


def leave_one_out(unaided: Floats) -> Floats:
    """Return for each reader the median of the others' unaided reads, (N, R); of one reader there is none."""
    if unaided.shape[1] < 2:
        return np.full(unaided.shape, np.nan)
    return others_medians(unaided)


# The two-way bootstrap: both readers and patients are drawn again.


TwoWay = Callable[[Floats, Floats], Floats]
"""Weights of cases, (B, N), and of readers, (B, R), to values, (B,)."""


@dataclass(frozen=True, eq=False)
class TwoWayDraws:
    """How often each replicate contains each case and each reader.

    Parameters
    ----------
    cases : Draws
    readers : float64 array, (B, R)
    """

    cases: Draws
    readers: Floats

    @property
    def method(self) -> str:
        """How an interval was made, in words."""
        return (
            f"expanded percentile two-way bootstrap, {len(self.readers)} draws of {self.cases.patients} "
            f"patients and {self.readers.shape[1]} readers"
        )

    def interval(self, statistic: TwoWay) -> Interval | None:
        """Return the interval of a statistic; None where most replicates have no value.

        It is expanded as a t interval with Satterthwaite's degrees of freedom would be: those of readers and
        of patients, each weighed by how far drawing it alone moves the statistic.
        """
        values = statistic(self.cases.weights, self.readers)
        known = values[np.isfinite(values)]
        if min(self.cases.patients, self.readers.shape[1]) < 2 or len(known) < len(values) / 2:
            return None
        tail = expanded_tail(1 + self._degrees(statistic), self.cases.level)
        low, high = np.quantile(known, [tail, 1 - tail])
        return Interval(float(low), float(high), self.method)

    def _degrees(self, statistic: TwoWay) -> float:
        """Return Satterthwaite's degrees of freedom (Satterthwaite 1946, Biometrics Bulletin 2:110)."""
        by_cases = np.nanvar(statistic(self.cases.weights, np.ones_like(self.readers)))
        by_readers = np.nanvar(statistic(np.ones_like(self.cases.weights), self.readers))
        own = self.cases.patients - 1, self.readers.shape[1] - 1
        parts = float(by_cases), float(by_readers)
        if not sum(parts) > 0:
            return float(min(own))
        spread = sum(part**2 / degrees for part, degrees in zip(parts, own, strict=True))
        return float(sum(parts) ** 2 / spread)


def draw_both_ways(cluster: Codes, readers: int, settings: AgreementSettings) -> TwoWayDraws:
    """Draw patients and readers with replacement."""
    cases = draw_cases(cluster, settings.replicates, settings.level, settings.seed)
    rng = np.random.default_rng([settings.seed, 1])
    drawn = rng.multinomial(readers, np.full(readers, 1 / readers), size=settings.replicates)
    return TwoWayDraws(cases, drawn.astype(np.float64))


def ratio(numerator: Floats, denominator: Floats) -> TwoWay:
    """Return the sum of one array over that of another, both (N, R), as a function of weights."""

    def of(cases: Floats, readers: Floats) -> Floats:
        above = np.einsum("br,br->b", cases @ numerator, readers)
        below = np.einsum("br,br->b", cases @ denominator, readers)
        return _quotient(above, below)

    return of


def _quotient(above: Floats, below: Floats) -> Floats:
    """Return NaN where there is nothing to divide by."""
    found: Floats = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


def difference(first: TwoWay, second: TwoWay) -> TwoWay:
    """Return the second less the first, of the same draws."""
    return lambda cases, readers: second(cases, readers) - first(cases, readers)


def pairwise_agreement(sides: Floats) -> TwoWay:
    """Return how often two readers are on the same side, over all pairs of different readers.

    Parameters
    ----------
    sides : float64 array, (N, R)
        1, 0 or NaN.
    """
    pairs = list(combinations(range(sides.shape[1]), 2))
    one, other = sides[:, [a for a, _ in pairs]], sides[:, [b for _, b in pairs]]
    both = (np.isfinite(one) & np.isfinite(other)).astype(np.float64)
    same = ((both > 0) & (one == other)).astype(np.float64)

    def of(cases: Floats, readers: Floats) -> Floats:
        """Return the weighted share of pairs of reads that agree, of each draw of cases and readers."""
        weight = readers[:, [a for a, _ in pairs]] * readers[:, [b for _, b in pairs]]
        above = np.einsum("bp,bp->b", cases @ same, weight)
        below = np.einsum("bp,bp->b", cases @ both, weight)
        return _quotient(above, below)

    return of


@dataclass(frozen=True)
class _Measure:
    key: str
    label: str
    statistic: TwoWay
    count: str


def _measured(one: _Measure, draws: TwoWayDraws, reads: AidedReads, source: str) -> Statistic:
    cases, readers = np.ones((1, len(reads.units))), np.ones((1, len(reads.readers)))
    value = float(one.statistic(cases, readers)[0])
    known = bool(np.isfinite(value))
    interval = draws.interval(one.statistic) if known else None
    intervals, note = with_width([interval])
    return Statistic(
        key=one.key,
        label=one.label,
        value=value,
        intervals=intervals,
        n=len(reads.units),
        readers=len(reads.readers),
        method=one.count,
        source=source,
        note=note if known else "not defined: no such read",
        context={"analysis": ANALYSIS},
    )


# What changed between the arms.


def aided_statistics(reads: AidedReads, settings: AgreementSettings) -> list[Statistic]:
    """Return every figure of unaided and aided reading, with two-way intervals.

    Parameters
    ----------
    reads : AidedReads
    settings : AgreementSettings
    """
    draws = draw_both_ways(reads.cluster, len(reads.readers), settings)
    found = [
        _measured(one, draws, reads, "Owen 2007").within(cutoff=f"≥ {cutoff:g}")
        for cutoff in settings.cutoffs
        for one in _of_cutoff(reads, cutoff)
    ]
    return found + [_measured(one, draws, reads, "Owen 2007") for one in _of_time(reads)]


def by_reader(reads: AidedReads, settings: AgreementSettings) -> list[Statistic]:
    """Return the figures of each reader alone; their intervals are over patients."""
    found: list[Statistic] = []
    for place, reader in enumerate(reads.readers):
        own = replace(
            reads,
            readers=(reader,),
            unaided=reads.unaided[:, [place]],
            aided=reads.aided[:, [place]],
            truth=reads.truth[:, [place]],
            seconds={arm: values[:, [place]] for arm, values in reads.seconds.items()},
        )
        cases = draw_cases(reads.cluster, settings.replicates, settings.level, settings.seed)
        draws = _OneReader(cases, np.ones((settings.replicates, 1)))
        for cutoff in settings.cutoffs:
            found += [
                _measured(one, draws, own, "Owen 2007").within(cutoff=f"≥ {cutoff:g}", reader=reader)
                for one in _of_cutoff(own, cutoff)
            ]
        found += [_measured(one, draws, own, "Owen 2007").within(reader=reader) for one in _of_time(own)]
    return found


class _OneReader(TwoWayDraws):
    """Draws of patients alone."""

    @property
    def method(self) -> str:
        """What the interval is, in words."""
        return f"expanded percentile bootstrap, {len(self.readers)} draws of {self.cases.patients} patients"

    def interval(self, statistic: TwoWay) -> Interval | None:
        """Return the interval of a statistic; None where most replicates have no value."""
        values = statistic(self.cases.weights, self.readers)
        known = values[np.isfinite(values)]
        if self.cases.patients < 3 or len(known) < len(values) / 2:
            return None
        tail = expanded_tail(self.cases.patients, self.cases.level)
        low, high = np.quantile(known, [tail, 1 - tail])
        return Interval(float(low), float(high), self.method)


def _of_cutoff(reads: AidedReads, cutoff: float) -> Iterator[_Measure]:
    before, after = reaching(reads.unaided, cutoff), reaching(reads.aided, cutoff)
    right = reaching(reads.truth, cutoff)
    software = np.tile(reaching(reads.software, cutoff)[:, None], len(reads.readers))
    yield from _agreement(before, after, right)
    yield from _changes(before, after)
    yield from _anchoring(before, after, right, software)
    if len(reads.readers) > 1:
        first, second = pairwise_agreement(before), pairwise_agreement(after)
        yield _Measure("readers_unaided", "Readers with each other, unaided", first, "mean pairwise OPA")
        yield _Measure("readers_aided", "Readers with each other, aided", second, "mean pairwise OPA")
        yield _Measure(
            "readers_gain", "Readers with each other, gain", difference(first, second), "aided less unaided"
        )


def _agreement(before: Floats, after: Floats, right: Floats) -> Iterator[_Measure]:
    both = np.isfinite(before) & np.isfinite(after) & np.isfinite(right)
    of = both.astype(np.float64)
    first = ratio((both & (before == right)).astype(np.float64), of)
    second = ratio((both & (after == right)).astype(np.float64), of)
    count = f"{int(of.sum())} pairs of reads"
    yield _Measure("right_unaided", "On the right side, unaided", first, count)
    yield _Measure("right_aided", "On the right side, aided", second, count)
    yield _Measure("right_gain", "On the right side, gain", difference(first, second), "aided less unaided")


def _changes(before: Floats, after: Floats) -> Iterator[_Measure]:
    both = np.isfinite(before) & np.isfinite(after)
    for key, label, changed in (
        ("side_changed", "Changed side", both & (before != after)),
        ("side_raised", "Changed from below to reaching", both & (before < after)),
        ("side_lowered", "Changed from reaching to below", both & (before > after)),
    ):
        count = f"{int(changed.sum())} of {int(both.sum())} pairs of reads"
        yield _Measure(key, label, ratio(changed.astype(float), both.astype(float)), count)


def _anchoring(before: Floats, after: Floats, right: Floats, software: Floats) -> Iterator[_Measure]:
    """Yield what software that is wrong spoils, and what software that is right mends."""
    known = np.isfinite(before) & np.isfinite(after) & np.isfinite(right) & np.isfinite(software)
    at_risk = known & (before == right) & (software != right)
    spoilt = at_risk & (after != right)
    wrong = known & (before != right) & (software == right)
    mended = wrong & (after == right)
    for key, label, events, of in (
        ("anchored", "Right unaided, software wrong: changed to wrong", spoilt, at_risk),
        ("anchored_of_all", "Right unaided, changed to the software's wrong side: of all", spoilt, known),
        ("corrected", "Wrong unaided, software right: changed to right", mended, wrong),
    ):
        count = f"{int(events.sum())} of {int(of.sum())} pairs of reads"
        yield _Measure(key, label, ratio(events.astype(float), of.astype(float)), count)


def _of_time(reads: AidedReads) -> Iterator[_Measure]:
    if set(reads.seconds) != {"unaided", "aided"}:
        return
    before, after = reads.seconds["unaided"], reads.seconds["aided"]
    both = np.isfinite(before) & np.isfinite(after) & (before > 0) & (after > 0)
    of = both.astype(np.float64)
    first = ratio(np.where(both, before, 0.0), of)
    second = ratio(np.where(both, after, 0.0), of)
    logs = ratio(np.where(both, np.log(np.where(both, after / np.where(both, before, 1), 1)), 0.0), of)
    count = f"{int(of.sum())} pairs of reads"
    yield _Measure("seconds_unaided", "Seconds a slide, unaided (mean)", first, count)
    yield _Measure("seconds_aided", "Seconds a slide, aided (mean)", second, count)
    yield _Measure("seconds_saved", "Seconds saved a slide", difference(second, first), count)
    yield _Measure(
        "time_ratio",
        "Time aided / unaided (geometric mean)",
        lambda cases, readers: np.exp(logs(cases, readers)),
        count,
    )


# Multi-reader multi-case tests of the difference between the arms.


@dataclass(frozen=True)
class ArmsTest:
    """A figure of merit in both arms, tested for readers and cases in general.

    Parameters
    ----------
    figure, cutoff : str
    test : MrmcTest or None
    cases, left_out : int
        Cases that all readers read in both arms, and the others.
    why : str
        Why there is no test.
    """

    figure: str
    cutoff: str
    test: MrmcTest | None
    cases: int
    left_out: int
    why: str = ""


def arms_tests(reads: AidedReads, settings: AgreementSettings) -> list[ArmsTest]:
    """Return Obuchowski-Rockette tests of each figure of merit at each cut-off."""
    scores = np.stack([reads.unaided.T, reads.aided.T])
    complete = np.isfinite(scores).all(axis=(0, 1)) & np.isfinite(reads.truth).all(axis=1)
    left_out = int((~complete).sum())
    cluster = np.unique(reads.cluster[complete], return_inverse=True)[1].astype(np.int64)
    found = []
    for cutoff in settings.cutoffs:
        for name, figure in _figures(scores[:, :, complete], reads.truth[complete].T, cutoff, reads):
            found.append(_tested(name, f"≥ {cutoff:g}", figure, cluster, left_out, settings.level))
    return found


def _figures(scores: Floats, truth: Floats, cutoff: float, reads: AidedReads) -> Iterator[tuple[str, Figure]]:
    positive = truth >= cutoff
    hits = (scores >= cutoff) == positive[None]
    yield "share of reads on the right side", share_figure(hits)
    if reads.common_truth and len(positive):
        yield "sensitivity", share_figure(hits, positive[0])
        yield "specificity", share_figure(hits, ~positive[0])
        yield "area under the ROC curve", auc_figure(scores, positive[0])


def _tested(name: str, cutoff: str, figure: Figure, cluster: Codes, left_out: int, level: float) -> ArmsTest:
    cases = len(cluster)
    if len(np.unique(cluster)) < FEWEST_PATIENTS:
        why = f"fewer than {FEWEST_PATIENTS} patients were read by all readers in both arms"
        return ArmsTest(name, cutoff, None, cases, left_out, why)
    try:
        figures, without = jackknife(figure, cluster)
        return ArmsTest(name, cutoff, obuchowski_rockette(figures, without, level), cases, left_out)
    except StudyError as error:
        return ArmsTest(name, cutoff, None, cases, left_out, error.message)
