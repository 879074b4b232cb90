"""A reader's score of a case, as read from a table: a number, a bound such as "<1", or none with a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    groups : mapping of str to str
        Site, scanner, histology and whatever else cases may be grouped by.
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
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> tuple[str, str]:
        """What is one thing to be read: the slide of the case, or the case."""
        return self.case, self.slide
