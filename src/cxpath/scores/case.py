"""One score for several slides of a patient: all counts pooled, or the block that scores highest.

No source says how several blocks or cores are read together (clinical brief 1.1), so the rule is the user's
choice, is given next to the number, and each slide's part is shown. Slides that are not evaluable are the
caller's to name; they enter no count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cxpath.scores.counts import MAXIMUM, CellCounts, GroupedCounts, combined_positive_score
from cxpath.scores.intervals import DRAWS, SEED, ScoreDraws, sample_scores
from cxpath.scores.score import ScoreEstimate, estimate_cps, estimate_tps
from cxpath.scores.settings import Cutoff, ScoringSettings, slide_error_of


class CaseRule(StrEnum):
    """How the slides of a case become one score."""

    POOLED = "pooled"
    HIGHEST = "highest"

    @property
    def words(self) -> str:
        """The rule in a sentence."""
        return _WORDS[self]


_WORDS = {
    CaseRule.POOLED: "counts of all evaluable slides added up and divided once",
    CaseRule.HIGHEST: "the score of the evaluable slide with the highest CPS",
}


@dataclass(frozen=True)
class ReadSlide:
    """What a person's review made of a slide; it stands for the network's counts in the case's CPS.

    Parameters
    ----------
    basis : str
        "audited" or "edited".
    cps : float
        Unrounded.
    interval_slide, interval_tissue : tuple of float
    level : float
    tumour_cells : float
        Viable ones: the slide's weight where counts are pooled.
    """

    basis: str
    cps: float
    interval_slide: tuple[float, float]
    interval_tissue: tuple[float, float]
    level: float
    tumour_cells: float


@dataclass(frozen=True, eq=False)
class CaseSlide:
    """An evaluable slide of a case: its name, the network's counts and those of its fields, its review."""

    name: str
    counts: CellCounts
    fields: GroupedCounts
    read: ReadSlide | None = None


@dataclass(frozen=True)
class SlidePart:
    """What one slide brings to the case; shares run from 0 to 1."""

    name: str
    counts: CellCounts
    cps: float
    share_of_tumour_cells: float
    share_of_positive_cells: float | None
    stands_for_case: bool
    basis: str


@dataclass(frozen=True)
class CaseScore:
    """CPS and TPS of a case, and what each slide brought."""

    rule: CaseRule
    counts: CellCounts
    cps: ScoreEstimate
    tps: ScoreEstimate
    parts: tuple[SlidePart, ...]


def score_case(
    slides: Sequence[CaseSlide], rule: CaseRule, settings: ScoringSettings, cutoffs: Sequence[Cutoff] = ()
) -> CaseScore:
    """Score a case.

    A slide that a person reviewed enters with the CPS of that review, not with the network's; the counts and
    the TPS stay the network's.

    Pooled: the true counts of the slides, each with errors of its own, are added, and the fields of all
    are one sample of the tumour. Highest: the interval is that of the highest of the slides' true scores,
    of which the highest counted one need not be the one.

    Parameters
    ----------
    slides : sequence of CaseSlide
        At least one, each with tumour cells.
    rule : CaseRule
    settings : ScoringSettings
    cutoffs : sequence of Cutoff

    Raises
    ------
    ValueError
        Without a slide.
    """
    if not slides:
        raise ValueError("a case needs at least one evaluable slide")
    scores = [slide.read.cps if slide.read else _counted_cps(slide.counts) for slide in slides]
    highest = int(np.argmax(scores))
    value = None
    if rule is CaseRule.POOLED:
        counts = pooled_counts([slide.counts for slide in slides])
        cps_draws, tps_draws = sample_scores([slide.fields for slide in slides], slide_error_of(settings))
        standing = set(range(len(slides)))
        if any(slide.read for slide in slides):
            cps_draws, value = _pooled_reads(slides, scores, settings)
    else:
        counts, standing = slides[highest].counts, {highest}
        pairs = [
            sample_scores([slide.fields], slide_error_of(settings), seed=SEED + number)
            for number, slide in enumerate(slides)
        ]
        cps_draws = _highest(
            [
                _draws_of_read(slide.read, SEED + number) if slide.read else pair[0]
                for number, (slide, pair) in enumerate(zip(slides, pairs, strict=True))
            ]
        )
        value = scores[highest] if slides[highest].read else None
        tps_draws = pairs[highest][1]
    cps_estimate = estimate_cps(counts, cps_draws, settings, cutoffs, value)
    tps_estimate = estimate_tps(counts, tps_draws, settings)
    if cps_estimate is None or tps_estimate is None:
        raise ValueError("a case without tumour cells is not evaluable")
    return CaseScore(rule, counts, cps_estimate, tps_estimate, _parts(slides, scores, standing))


def _pooled_reads(
    slides: Sequence[CaseSlide], scores: Sequence[float], settings: ScoringSettings
) -> tuple[ScoreDraws, float]:
    """Return draws and value of the pooled CPS: each slide's, weighted by its viable tumour cells."""
    error = slide_error_of(settings)
    draws = [
        _draws_of_read(slide.read, SEED + number)
        if slide.read
        else sample_scores([slide.fields], error, seed=SEED + number)[0]
        for number, slide in enumerate(slides)
    ]
    tumour = [slide.read.tumour_cells if slide.read else float(slide.counts.tumour) for slide in slides]
    weight = np.array(tumour) / sum(tumour)
    pooled = ScoreDraws(
        np.tensordot(weight, np.stack([one.slide for one in draws]), axes=1),
        np.tensordot(weight, np.stack([one.tissue for one in draws]), axes=1),
    )
    return pooled, float(weight @ np.array(scores))


def _draws_of_read(read: ReadSlide, seed: int) -> ScoreDraws:
    """Draw a reviewed slide's score: normal on the logarithm, with a spread for each side."""
    rng = np.random.default_rng(seed)
    deviates = rng.standard_normal((2, DRAWS))
    quantile = float(stats.norm.ppf((1 + read.level) / 2))
    ends = (read.interval_slide, read.interval_tissue)
    return ScoreDraws(
        *(_spread(read.cps, *pair, one / quantile) for pair, one in zip(ends, deviates, strict=True))
    )


def _spread(cps: float, low: float, high: float, deviate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score at deviates that are -1 and 1 at the interval's ends."""
    if cps <= 0:  # no answer was in the numerator: half of a normal spread above 0
        return np.asarray(np.minimum(MAXIMUM, high * np.abs(deviate)))
    below = np.log(cps / max(low, 1e-9))
    above = np.log(high / cps)
    return np.asarray(np.minimum(MAXIMUM, cps * np.exp(deviate * np.where(deviate < 0, below, above))))


def pooled_counts(counts: Sequence[CellCounts]) -> CellCounts:
    """Add counts up."""
    parts = (_total([one.lymphocyte for one in counts]), _total([one.macrophage for one in counts]))
    whole = [item.name for item in fields(CellCounts) if item.name not in {"lymphocyte", "macrophage"}]
    sums = {name: sum(getattr(one, name) for one in counts) for name in whole}
    return CellCounts(**sums, lymphocyte=parts[0], macrophage=parts[1])


def _total(numbers: Sequence[int | None]) -> int | None:
    """Return the sum; None where one of the numbers is not known."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _counted_cps(counts: CellCounts) -> float:
    value = combined_positive_score(counts)
    if value is None:
        raise ValueError("a slide without tumour cells is not evaluable")
    return value


def _highest(draws: Sequence[ScoreDraws]) -> ScoreDraws:
    return ScoreDraws(
        np.max([one.slide for one in draws], axis=0), np.max([one.tissue for one in draws], axis=0)
    )


def _parts(slides: Sequence[CaseSlide], scores: Sequence[float], standing: set[int]) -> tuple[SlidePart, ...]:
    tumour = sum(slide.counts.tumour for slide in slides)
    positive = sum(slide.counts.positive for slide in slides)
    return tuple(
        SlidePart(
            slide.name,
            slide.counts,
            score,
            slide.counts.tumour / tumour,
            slide.counts.positive / positive if positive else None,
            number in standing,
            slide.read.basis if slide.read else "network",
        )
        for number, (slide, score) in enumerate(zip(slides, scores, strict=True))
    )
