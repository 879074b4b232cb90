"""Cut-offs of a score: on which side it lies, how surely, and whether that is near enough to doubt."""

from __future__ import annotations

from dataclasses import dataclass

REVIEW = "near the cut-off: pathologist review"


@dataclass(frozen=True)
class Cutoff:
    """A value that an assay's label or a trial compares the score with.

    Parameters
    ----------
    value : float
        On the score's scale.
    basis : str
        Such as "label" or "trial stratum, not a label".
    """

    value: float
    basis: str


@dataclass(frozen=True)
class CutoffVerdict:
    """One cut-off against one score; the *unrounded* score decides `met`.

    A borderline verdict carries the words `REVIEW`.
    """

    cutoff: Cutoff
    met: bool
    probability: float
    borderline: bool


def judge(score: float, probability: float, cutoff: Cutoff, borderline_tail: float) -> CutoffVerdict:
    """Compare an unrounded score with a cut-off.

    Parameters
    ----------
    score : float
        Unrounded.
    probability : float
        P(score >= cutoff).
    cutoff : Cutoff
    borderline_tail : float
        Borderline means borderline_tail < probability < 1 - borderline_tail, or a counted score on the side
        that the probability speaks against: where calls are known to go wrong, both can be sure and differ.
    """
    met = score >= cutoff.value
    unsure = borderline_tail < probability < 1.0 - borderline_tail
    return CutoffVerdict(cutoff, met, probability, borderline=unsure or met != (probability >= 0.5))
