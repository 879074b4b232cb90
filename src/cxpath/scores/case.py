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

from cxpath.scores.counts import CellCounts, GroupedCounts, combined_positive_score
from cxpath.scores.intervals import SEED, ScoreDraws, sample_scores
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
    CaseRule.HIGHEST: "the evaluable slide with the highest CPS stands for the case",
}


@dataclass(frozen=True, eq=False)
class CaseSlide:
    """An evaluable slide of a case: its name, its counts, and those of its fields."""

    name: str
    counts: CellCounts
    fields: GroupedCounts


@dataclass(frozen=True)
class SlidePart:
    """What one slide brings to the case; shares run from 0 to 1."""

    name: str
    counts: CellCounts
    cps: float
    share_of_tumour_cells: float
    share_of_positive_cells: float | None
    stands_for_case: bool


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
    scores = [_counted_cps(slide.counts) for slide in slides]
    highest = int(np.argmax(scores))
    if rule is CaseRule.POOLED:
        counts = pooled_counts([slide.counts for slide in slides])
        cps_draws, tps_draws = sample_scores([slide.fields for slide in slides], slide_error_of(settings))
        standing = set(range(len(slides)))
    else:
        counts, standing = slides[highest].counts, {highest}
        pairs = [
            sample_scores([slide.fields], slide_error_of(settings), seed=SEED + number)
            for number, slide in enumerate(slides)
        ]
        cps_draws = _highest([pair[0] for pair in pairs])
        tps_draws = pairs[highest][1]
    cps_estimate = estimate_cps(counts, cps_draws, settings, cutoffs)
    tps_estimate = estimate_tps(counts, tps_draws, settings)
    if cps_estimate is None or tps_estimate is None:
        raise ValueError("a case without tumour cells is not evaluable")
    return CaseScore(rule, counts, cps_estimate, tps_estimate, _parts(slides, scores, standing))


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
        )
        for number, (slide, score) in enumerate(zip(slides, scores, strict=True))
    )
