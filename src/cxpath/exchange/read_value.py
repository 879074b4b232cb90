"""How a score may be written in a table of reads: "12", "0,5", "<1", ">100", "5 %", "NE", nothing."""

from __future__ import annotations

import re

from cxpath.values.reads import NO_READ, NOT_EVALUABLE, ReadValue, exactly

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "none", "null", "missing", "not read", "-", "--", "."})
NOT_EVALUABLE_WORDS = frozenset(
    {"ne", "n.e.", "n/e", "not evaluable", "not_evaluable", "inadequate", "insufficient", "inevaluable"}
)
LARGEST_OF_SCORE = {"h-score": 300.0, "hscore": 300.0, "h_score": 300.0}
"""The largest value that a score can have, where it is not 100."""
LARGEST = 100.0

_SHAPE = re.compile(r"^(<=|>=|<|>|≤|≥)?\s*(\d+(?:[.,]\d+)?|[.,]\d+)\s*%?$")


def largest_of(score: str) -> float:
    """Return the largest value that a score can have."""
    return LARGEST_OF_SCORE.get(score.strip().casefold(), LARGEST)


def read_value(text: str, largest: float = LARGEST) -> ReadValue:
    """Return the score that a text states.

    Parameters
    ----------
    text : str
        A number with decimal point or comma, a bound, a word for not evaluable or for not read.
    largest : float
        No plain number may be above it. A bound may say so: ">100" stands for 100.

    Raises
    ------
    ValueError
        With the reason, when it states no possible score.
    """
    plain = " ".join(text.replace("\u00a0", " ").split()).casefold()
    if plain in MISSING_WORDS:
        return NO_READ
    if plain in NOT_EVALUABLE_WORDS:
        return NOT_EVALUABLE
    found = _SHAPE.match(plain)
    if found is None:
        raise ValueError("is negative" if re.match(r"^-\s*\d", plain) else "is no score")
    number = float(found[2].replace(",", "."))
    if found[1] is None:
        if number > largest:
            raise ValueError(f'is above {largest:g} (write {largest:g} or ">{largest:g}")')
        return exactly(number)
    return _bound(found[1], number, largest)


def _bound(sign: str, number: float, largest: float) -> ReadValue:
    """Return a bound: half of what a score is below stands for it, the bound for what it is above."""
    if sign in {"<", "<=", "≤"}:
        if number > largest or (number == 0 and sign == "<"):
            raise ValueError("says nothing" if number else "is negative")
        return ReadValue(number / 2, 0.0, number, high_excluded=sign == "<")
    if number >= largest:
        return exactly(largest)
    return ReadValue(number, number, largest, low_excluded=sign == ">")
