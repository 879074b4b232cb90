"""Manual reads and the monotone map between two scales of a score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# A reader's score of a case, as read from a table: a number, a bound such as "<1", or none with a reason.


class ReadState(StrEnum):
    """Whether there is a score."""

    SCORED = "scored"
    NOT_EVALUABLE = "not evaluable"
    MISSING = "missing"


@dataclass(frozen=True)
class ReadValue:
    """A score as it was stated.

    Parameters
    ----------
    number : float
        What stands for it where a number is needed: "<1" is half of 1, ">100" is 100; NaN without a score.
    low, high : float
        Between which it lies.
    low_excluded, high_excluded : bool
        Whether the bound itself is excluded: "<1" is not 1.
    state : ReadState
    """

    number: float
    low: float
    high: float
    low_excluded: bool = False
    high_excluded: bool = False
    state: ReadState = ReadState.SCORED

    @property
    def censored(self) -> bool:
        """Whether only a bound was stated."""
        return self.state is ReadState.SCORED and self.low != self.high


NO_READ = ReadValue(math.nan, math.nan, math.nan, state=ReadState.MISSING)
NOT_EVALUABLE = ReadValue(math.nan, math.nan, math.nan, state=ReadState.NOT_EVALUABLE)


def exactly(number: float) -> ReadValue:
    """Return a score stated as a plain number."""
    return ReadValue(number, number, number)


@dataclass(frozen=True)
class Read:
    """One row of a reads table.

    Parameters
    ----------
    case, slide, patient : str
        What was read; `slide` and `patient` are empty where the table does not tell them apart.
    reader : str
    round : int
    score : str
        "CPS", "TPS", ...
    value : ReadValue
    row : int
        Of the file, counted as a spreadsheet does; 0 for a read that comes from elsewhere.
    date, assay : str
    arm : str
        "unaided" or "aided" in a reader study; empty elsewhere. All reads of a round are of one arm.
    groups : mapping of str to str
        Site, scanner, histology and whatever else cases may be grouped by.
    percent : bool
        Whether it was written with a percent sign.
    """

    case: str
    reader: str
    value: ReadValue
    score: str = "CPS"
    round: int = 1
    slide: str = ""
    patient: str = ""
    row: int = 0
    date: str = ""
    assay: str = ""
    arm: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    percent: bool = False

    @property
    def unit(self) -> tuple[str, str]:
        """What is one thing to be read: the slide of the case, or the case."""
        return self.case, self.slide


# A laboratory's own scale: a rising map from the software's score to what its readers say.


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreMap:
    """Points of a map that never falls; between two of them it is straight on axes of log10(score + 1).

    Parameters
    ----------
    scores : tuple of float
        Of the software, rising, at least two.
    reads : tuple of float
        Of the readers, one for each score, never falling.

    Raises
    ------
    ValueError
        When the points are no such map.
    """

    scores: tuple[float, ...]
    reads: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) < 2 or len(self.scores) != len(self.reads):
            raise ValueError("a map needs two scores or more, and a read for each")
        if min(np.diff(self.scores)) <= 0 or min(np.diff(self.reads)) < 0:
            raise ValueError("scores must rise and reads must not fall")
        if self.scores[0] < 0 or self.reads[0] < 0:
            raise ValueError("scores and reads start from 0 at least")

    def of(self, scores: Floats) -> Floats:
        """Return what the readers would say, of the shape of `scores`; level beyond both ends."""
        own, reads = np.log10(np.add(self.scores, 1.0)), np.log10(np.add(self.reads, 1.0))
        mapped: Floats = 10.0 ** np.interp(np.log10(np.add(scores, 1.0)), own, reads) - 1
        return mapped

    def covers(self, score: float) -> bool:
        """Say whether a score lies among those the map rests on."""
        return self.scores[0] <= score <= self.scores[-1]
