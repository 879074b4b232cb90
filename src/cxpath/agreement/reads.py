"""Reads as one table of numbers a round: units (slides or cases) by readers, in a stated order.

Units of one patient are one cluster. Not evaluable is not the same as not read: the former is counted, both
ways, wherever a category is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.base import Floats
from cxpath.data import Read, ReadState
from cxpath.errors import StudyError


@dataclass(frozen=True, eq=False)
class ReadMatrix:
    """All reads of one score and one round.

    Parameters
    ----------
    units : tuple of (str, str)
        Case and slide, N of them.
    cluster : int64 array, (N,)
        Patient of each unit.
    readers : tuple of str
        R of them.
    values : float64 array, (N, R)
        NaN without a score.
    low, high : float64 array, (N, R)
        Bounds; `high` is the largest number below an excluded bound.
    not_evaluable : bool array, (N, R)
    groups : mapping of str to tuple of str
        For each grouping, the group of each unit; "" where unknown.
    """

    units: tuple[tuple[str, str], ...]
    cluster: NDArray[np.int64]
    readers: tuple[str, ...]
    values: Floats
    low: Floats
    high: Floats
    not_evaluable: NDArray[np.bool_]
    groups: dict[str, tuple[str, ...]]

    def column(self, reader: str) -> int:
        """Return the place of a reader.

        Raises
        ------
        StudyError
            When there is none of that name.
        """
        if reader not in self.readers:
            raise StudyError(f"no reader named {reader!r}", f"readers are: {', '.join(self.readers)}")
        return self.readers.index(reader)

    def of_readers(self, readers: Sequence[str]) -> ReadMatrix:
        """Return the same units with some readers only."""
        place = [self.column(reader) for reader in readers]
        return replace(
            self,
            readers=tuple(readers),
            values=self.values[:, place],
            low=self.low[:, place],
            high=self.high[:, place],
            not_evaluable=self.not_evaluable[:, place],
        )

    def reaches(self, cutoff: float) -> Floats:
        """Return 1 where a score is at least the cut-off, 0 where it is below, NaN where unknown."""
        yes, no = self.low >= cutoff, self.high < cutoff
        return np.where(yes, 1.0, np.where(no, 0.0, np.nan))

    def indeterminate(self, cutoff: float) -> NDArray[np.bool_]:
        """Say where a read was made that leaves the side of the cut-off open."""
        read = np.isfinite(self.values) | self.not_evaluable
        open_side: NDArray[np.bool_] = read & np.isnan(self.reaches(cutoff))
        return open_side

    def levels(self, cutoffs: Sequence[float]) -> Floats:
        """Return the number of cut-offs reached, from 0; NaN where that is unknown."""
        levels: Floats = np.sum([self.reaches(cutoff) for cutoff in cutoffs], axis=0)
        return levels


def read_matrix(reads: Iterable[Read], round_number: int) -> ReadMatrix:
    """Arrange the reads of one round.

    Parameters
    ----------
    reads : iterable of Read
        Of one score.
    round_number : int

    Raises
    ------
    StudyError
        When two patients are named for one case.
    """
    everything = list(reads)
    units = tuple(dict.fromkeys(read.unit for read in everything))
    own = [read for read in everything if read.round == round_number]
    readers = tuple(dict.fromkeys(read.reader for read in own))
    shape = (len(units), len(readers))
    values, low, high = (np.full(shape, np.nan) for _ in range(3))
    not_evaluable = np.zeros(shape, dtype=bool)
    unit_place = {unit: place for place, unit in enumerate(units)}
    for read in own:
        place = unit_place[read.unit], readers.index(read.reader)
        value = read.value
        values[place] = value.number
        low[place] = np.nextafter(value.low, np.inf) if value.low_excluded else value.low
        high[place] = np.nextafter(value.high, -np.inf) if value.high_excluded else value.high
        not_evaluable[place] = value.state is ReadState.NOT_EVALUABLE
    return ReadMatrix(
        units=units,
        cluster=_clusters(everything, units),
        readers=readers,
        values=values,
        low=low,
        high=high,
        not_evaluable=not_evaluable,
        groups=_groups(everything, units),
    )


def _clusters(reads: Sequence[Read], units: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """Return the patient of each unit as a number; the case stands for a patient who is not named."""
    patient: dict[tuple[str, str], str] = {}
    for read in reads:
        if not read.patient:
            continue
        if patient.setdefault(read.unit, read.patient) != read.patient:
            raise StudyError(
                f"case {read.case} is of patient {patient[read.unit]!r} and of {read.patient!r}",
                "correct the column patient",
            )
    names = [("patient", patient[unit]) if unit in patient else ("case", unit[0]) for unit in units]
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], dtype=np.int64)


def _groups(reads: Sequence[Read], units: Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return for each grouping the group of each unit: what most of its reads say, the first of equals."""
    names = dict.fromkeys(name for read in reads for name in read.groups)
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        said: dict[tuple[str, str], list[str]] = {}
        for read in reads:
            if read.groups.get(name):
                said.setdefault(read.unit, []).append(read.groups[name])
        found[name] = tuple(
            max(dict.fromkeys(said[unit]), key=said[unit].count) if unit in said else "" for unit in units
        )
    return found


def level_names(cutoffs: Sequence[float]) -> str:
    """Return "< 1 / 1 to < 10 / ≥ 10"."""
    between = [f"{low:g} to < {high:g}" for low, high in pairwise(cutoffs)]
    return " / ".join([f"< {cutoffs[0]:g}", *between, f"≥ {cutoffs[-1]:g}"])
