"""Sequence variants and intervals on a genome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

# Stretches of a genome: merged, 0-based and half-open, whatever order and overlap they came in.


Bounds = NDArray[np.int64]


def plain_chromosome(name: str) -> str:
    """Return a chromosome's name without "chr", so that all files agree on it; "M" is "MT"."""
    plain = name.removeprefix("chr").removeprefix("Chr").upper()
    return "MT" if plain == "M" else plain


@dataclass(frozen=True, eq=False)
class GenomeIntervals:
    """Intervals by chromosome.

    Parameters
    ----------
    bounds : mapping of str to int array, (N, 2)
        First base and the one after the last, 0-based; rising and apart from each other.
    assembly : str or None
        Such as "GRCh38", where the file says so.
    """

    bounds: Mapping[str, Bounds] = field(default_factory=dict)
    assembly: str | None = None

    @classmethod
    def merged(
        cls, intervals: Iterable[tuple[str, int, int]], assembly: str | None = None
    ) -> GenomeIntervals:
        """Merge intervals, so that what overlaps counts once."""
        by_chromosome: dict[str, list[tuple[int, int]]] = {}
        for name, start, end in intervals:
            by_chromosome.setdefault(plain_chromosome(name), []).append((start, end))
        merged = {name: _merge(sorted(pairs)) for name, pairs in by_chromosome.items()}
        return cls({name: np.asarray(pairs, dtype=np.int64) for name, pairs in merged.items()}, assembly)

    @property
    def bases(self) -> int:
        """Number of bases."""
        return sum(int((pairs[:, 1] - pairs[:, 0]).sum()) for pairs in self.bounds.values())

    def holds(self, chromosome: str, position: int) -> bool:
        """Say whether a base lies inside; `position` is 1-based, as in VCF and MAF."""
        pairs = self.bounds.get(chromosome)
        if pairs is None:
            return False
        at = int(np.searchsorted(pairs[:, 0], position - 1, side="right")) - 1
        return at >= 0 and position - 1 < int(pairs[at, 1])

    def within(self, other: GenomeIntervals) -> GenomeIntervals:
        """Return the part that lies inside other intervals, too."""
        common = [
            (name, max(start, low), min(end, high))
            for name, pairs in self.bounds.items()
            for start, end in pairs.tolist()
            for low, high in _touching(other.bounds.get(name), start, end)
        ]
        return GenomeIntervals.merged(common, self.assembly)


def _merge(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in pairs:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _touching(pairs: Bounds | None, start: int, end: int) -> list[tuple[int, int]]:
    if pairs is None:
        return []
    first = int(np.searchsorted(pairs[:, 1], start, side="right"))
    last = int(np.searchsorted(pairs[:, 0], end, side="left"))
    return [(int(low), int(high)) for low, high in pairs[first:last].tolist()]


# Variants of one tumour as a file gives them, with what the file says about each and what it does not.


class Consequence(StrEnum):
    """What a variant does to a protein."""

    NON_SYNONYMOUS = "non-synonymous"
    SYNONYMOUS = "synonymous"
    NON_CODING = "non-coding"


class Known(StrEnum):
    """What a file can say about its variants."""

    FILTER = "filter"
    CONSEQUENCE = "consequence"
    DEPTH = "depth"
    ALTERNATE_READS = "alternate reads"
    ALLELE_FRACTION = "allele fraction"
    GERMLINE_FREQUENCY = "frequency in a germline database"
    GERMLINE_COUNT = "allele count in a germline database"
    COSMIC_COUNT = "COSMIC count"
    DRIVER = "driver or hotspot"


@dataclass(frozen=True, slots=True)
class Variant:
    """One alternative allele; None wherever the file says nothing.

    Parameters
    ----------
    chromosome : str
        Plain: "1", "X", "MT".
    position : int
        1-based, of the reference allele's first base.
    """

    chromosome: str
    position: int
    reference: str
    alternate: str
    passed: bool | None = None
    consequence: Consequence | None = None
    depth: int | None = None
    alternate_reads: int | None = None
    allele_fraction: float | None = None
    germline_frequency: float | None = None
    germline_count: int | None = None
    cosmic_count: int | None = None
    driver: bool | None = None

    @property
    def place(self) -> tuple[str, int, str, str]:
        """What makes two entries the same variant."""
        return self.chromosome, self.position, self.reference, self.alternate

    @property
    def is_multi_nucleotide(self) -> bool:
        """Whether several bases are exchanged for as many."""
        return len(self.reference) == len(self.alternate) > 1


@dataclass(frozen=True)
class SampleVariants:
    """All variants of one sample.

    Parameters
    ----------
    sample : str
    variants : tuple of Variant
    known : frozenset of Known
        What the file says about its variants at all, be there any or not.
    matched_normal : bool or None
        Whether a normal sample of the patient was called against, as far as the file says.
    assembly : str or None
    chromosome_lengths : mapping of str to int
    """

    sample: str
    variants: tuple[Variant, ...]
    known: frozenset[Known]
    matched_normal: bool | None = None
    assembly: str | None = None
    chromosome_lengths: Mapping[str, int] = field(default_factory=dict)
