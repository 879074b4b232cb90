"""PD-L1 against a cut-off: only a confirmed score by the right assay, clear of the cut-off, decides.

The rules (clinical brief 0.5, 2.5, 6): a borderline score is indeterminate, and so is one that no person
has confirmed, whose assay is not stated or not the criterion's, or that has too few tumour cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cxpath.biomarkers.pdl1 import REQUIRED_TUMOUR_CELLS, Pdl1Score
from cxpath.biomarkers.profile import BiomarkerProfile
from cxpath.therapy.clause import Clause
from cxpath.therapy.found import Found, unknown

PDL1_FACTS = {"pdl1.cps": "CPS", "pdl1.tps": "TPS"}


def find_pdl1(profile: BiomarkerProfile, clause: Clause) -> Found:
    """Return the score to compare with the clause's cut-off, or why none counts.

    Parameters
    ----------
    profile : BiomarkerProfile
    clause : Clause
        Its fact a key of `PDL1_FACTS`, its value the cut-off, its `assay` those that count.
    """
    kind = PDL1_FACTS[clause.fact].lower()
    scores = [score for score in profile.pdl1 if score.score == kind]
    by = " or ".join(name.upper() for name in clause.assay) or "a stated assay"
    if not scores:
        return unknown("unknown", f"{kind.upper()} by {by}, confirmed by a pathologist")
    doubted = [(score, list(_doubts(score, clause, by))) for score in scores]
    usable = [score for score, doubts in doubted if not doubts]
    if usable:
        near = [score for score, doubts in doubted if doubts and all(doubt.is_near for doubt in doubts)]
        return _agreed(usable, near, clause)
    score, doubts = min(doubted, key=lambda one: len(one[1]))
    why = "; ".join(doubt.why for doubt in doubts)
    return unknown(f"{score.words}; {why}", "; ".join(doubt.settle for doubt in doubts))


@dataclass(frozen=True)
class _Doubt:
    """Why a score does not count, and what would settle it; a near one speaks against other scores, too."""

    why: str
    settle: str
    is_near: bool = False


def _doubts(score: Pdl1Score, clause: Clause, by: str) -> Iterator[_Doubt]:
    name = score.score.upper()
    if score.assay is None:
        yield _Doubt("its assay is not stated", "which assay stained the slide")
    elif clause.assay and score.assay not in clause.assay:
        yield _Doubt(f"only {by} counts here", f"{name} by {by}, confirmed by a pathologist")
    if score.not_evaluable_because:
        yield _Doubt(f"not evaluable: {score.not_evaluable_because[0]}", f"{name} by {by} on another block")
    if score.value is None and score.below is None:
        yield _Doubt("no value is stated", f"the {name} as read")
    if score.below is not None and score.below > _cutoff(clause):
        yield _Doubt(f"<{score.below:g} does not say on which side it lies", f"the {name} as a number")
    if not score.adequate:
        cells = f"{score.viable_tumour_cells} viable tumour cells, {REQUIRED_TUMOUR_CELLS} are required"
        yield _Doubt(f"only {cells}", f"{name} by {by} on another block")
    if not score.confirmed:
        yield _Doubt("no person has confirmed it", f"a pathologist's confirmation of this {name}, with date")
    if near := score.why_near(_cutoff(clause)):
        yield _Doubt(
            f"near the cut-off: {near}", "a second read near the cut-off (set near_cutoff)", is_near=True
        )


def _agreed(usable: list[Pdl1Score], near: list[Pdl1Score], clause: Clause) -> Found:
    """Return a score that all usable ones agree with; a near one beside them speaks against deciding."""
    sides = {clause.holds(_compared(score)) for score in usable}
    words = "; ".join(score.words for score in [*usable, *near])
    if len(sides) > 1 or near:
        return unknown(f"{words}: these disagree", "which of the scores stands for the case")
    value = usable[0].value
    shown = value if value is not None else f"<{usable[0].below:g}"
    return Found(shown, words, compared=_compared(usable[0]))


def _compared(score: Pdl1Score) -> float:
    """Return the value; of a score known only as below a number, the largest number below it."""
    return score.value if score.value is not None else math.nextafter(score.below or 0.0, 0.0)


def _cutoff(clause: Clause) -> float:
    return float(clause.value) if isinstance(clause.value, int | float) else 0.0
