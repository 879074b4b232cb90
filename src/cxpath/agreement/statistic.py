"""One statistic of a study: its value, its intervals, what it rests on and where its formula comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Interval:
    """An interval and how it was made.

    Parameters
    ----------
    low, high : float
    method : str
        "F-based", "bootstrap BCa over 109 cases", ...
    """

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Statistic:
    """One number of the study.

    Parameters
    ----------
    key, label : str
        Its stable name, and the same as a paper prints it.
    value : float
        NaN where the data do not define it; `note` then says why.
    intervals : tuple of Interval
        The one to quote first.
    n : int
        Cases it rests on.
    method, source : str
        How, and by which publication.
    readers : int
        Readers it rests on.
    p_value : float, optional
    note : str
        What a reader of the number must know.
    context : mapping
        Which part of the study: `analysis`, `round`, `scale`, `cutoff`, `compared`, `reference`, ...
    """

    key: str
    label: str
    value: float
    intervals: tuple[Interval, ...]
    n: int
    method: str
    source: str
    readers: int = 2
    p_value: float | None = None
    note: str = ""
    context: Mapping[str, str] = field(default_factory=dict)

    def within(self, **context: str) -> Statistic:
        """Return the same statistic with its place in the study added."""
        return replace(self, context={**self.context, **context})

    def noting(self, note: str) -> Statistic:
        """Return the same statistic with a note added."""
        return replace(self, note=f"{self.note}; {note}" if self.note else note)

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of `agreement.json`; what is not defined is null."""
        first = self.intervals[0] if self.intervals else None
        return {
            **self.context,
            "key": self.key,
            "label": self.label,
            "estimate": _finite(self.value),
            "interval": [_finite(first.low), _finite(first.high)] if first else None,
            "interval_method": first.method if first else None,
            "other_intervals": [
                {"interval": [_finite(one.low), _finite(one.high)], "method": one.method}
                for one in self.intervals[1:]
            ],
            "n": self.n,
            "readers": self.readers,
            "p_value": _finite(self.p_value) if self.p_value is not None else None,
            "method": self.method,
            "source": self.source,
            "note": self.note,
        }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
