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


@dataclass(frozen=True)
class BorderlineRule:
    """How likely the other side of a cut-off must be to ask for review.

    Parameters
    ----------
    tail : float
        Probability of the other side above which a cut-off is borderline that lies near the counted score:
        at most `fold` times above or below it.
    fold : float
    tail_beyond : float
        The same of a cut-off farther away, where few cells leave a doubt that a second look cannot take.
    """

    tail: float
    fold: float
    tail_beyond: float

    def tail_at(self, score: float, cutoff: float) -> float:
        """Return the probability that counts for a score and a cut-off."""
        return self.tail if cutoff / self.fold <= score <= cutoff * self.fold else self.tail_beyond


def judge(score: float, probability: float, cutoff: Cutoff, borderline: BorderlineRule) -> CutoffVerdict:
    """Compare an unrounded score with a cut-off.

    Parameters
    ----------
    score : float
        Unrounded.
    probability : float
        P(score >= cutoff).
    cutoff : Cutoff
    borderline : BorderlineRule
        When the truth is likely enough to lie on the other side of the cut-off than the counted score. Where
        calls are known to go wrong, that side may even be the likelier one.
    """
    met = score >= cutoff.value
    other_side = 1.0 - probability if met else probability
    asks = other_side > borderline.tail_at(score, cutoff.value)
    return CutoffVerdict(cutoff, met, probability, borderline=asks)
