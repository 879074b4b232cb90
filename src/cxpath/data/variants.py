"""Sequence variants and intervals on a genome."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

# Stretches of a genome: merged, 0-based and half-open, whatever order and overlap they came in.


Bounds = NDArray[np.int64]


_SEX_AND_MITOCHONDRIAL = {"23": "X", "24": "Y", "M": "MT", "NC_012920": "MT", "J01415": "MT"}
_REFSEQ = re.compile(r"NC_0000(\d\d)$")
_GENBANK = re.compile(r"CM000(\d\d\d)$")
_GENBANK_BEFORE_1 = 662
"""Chromosomes 1 to 22, X and Y are CM000663 to CM000686."""
_LAST_NUMBER = 24


@lru_cache(maxsize=4096)
def plain_chromosome(name: str) -> str:
    """Return a human chromosome's name as "1", "X" or "MT", so that all files agree on it.

    "chr" in any case, RefSeq ("NC_000001.11") and GenBank ("CM000663.2") accessions and the numbers 23
    and 24 are understood; any other name is returned in upper case.
    """
    upper = name.strip().upper().removeprefix("CHROMOSOME").removeprefix("CHR").lstrip("_")
    unversioned = re.sub(r"\.\d+$", "", upper)
    if upper != unversioned and unversioned.isdecimal() and not upper.rpartition(".")[2].strip("0"):
        upper = unversioned  # "1.0", as pandas writes it in a column with gaps
    number = _accession_number(unversioned)
    if number is not None:
        upper = unversioned = str(number)
    plain = upper.lstrip("0") if upper.isdecimal() and upper.strip("0") else upper
    return _SEX_AND_MITOCHONDRIAL.get(unversioned.lstrip("0"), plain)


def _accession_number(name: str) -> int | None:
    refseq, genbank = _REFSEQ.match(name), _GENBANK.match(name)
    number = int(refseq[1]) if refseq else int(genbank[1]) - _GENBANK_BEFORE_1 if genbank else 0
    return number if 1 <= number <= _LAST_NUMBER else None


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

    def contains(self, chromosome: str, position: int) -> bool:
        """Say whether a base lies inside; `position` is 1-based, as in VCF and MAF."""
        pairs = self.bounds.get(chromosome)
        if pairs is None:
            return False
        at = int(np.searchsorted(pairs[:, 0], position - 1, side="right")) - 1
        return at >= 0 and position - 1 < int(pairs[at, 1])

    def touches(self, chromosome: str, first: int, last: int) -> bool:
        """Say whether any base from `first` to `last` lies inside; both are 1-based."""
        return bool(_touching(self.bounds.get(chromosome), first - 1, last))

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
    SOMATIC = "somatic status"
    CONSEQUENCE = "consequence"
    DEPTH = "depth"
    ALTERNATE_READS = "alternate reads"
    ALLELE_FRACTION = "allele fraction"
    GERMLINE_FREQUENCY = "frequency in a germline database"
    GERMLINE_COUNT = "allele count in a germline database"
    COSMIC_COUNT = "COSMIC count"
    DRIVER = "driver or hotspot"


_MOST_BASES_AT_ONCE = 30
"""No caller joins more exchanges to one."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One alternative allele; None wherever the file says nothing.

    Parameters
    ----------
    chromosome : str
        Plain: "1", "X", "MT".
    position : int
        1-based, of the reference allele's first base.
    reference, alternate : str
        As in VCF; either may be empty once the shared bases are trimmed.
    structural : bool
        Whether the file itself calls the variant structural.
    somatic : bool or None
        False where the file calls the variant germline, loss of heterozygosity or wild type.
    """

    chromosome: str
    position: int
    reference: str
    alternate: str
    structural: bool = False
    passed: bool | None = None
    somatic: bool | None = None
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
        """What makes two trimmed entries the same variant."""
        return self.chromosome, self.position, self.reference, self.alternate

    @property
    def is_multi_nucleotide(self) -> bool:
        """Whether several bases are exchanged for as many."""
        return len(self.reference) == len(self.alternate) > 1

    def parts(self) -> Iterator[tuple[str, int, str, str]]:
        """Yield the places of the shorter exchanges that a multi-nucleotide exchange is made of."""
        differs = [a != b for a, b in zip(self.reference, self.alternate, strict=False)]
        is_short = self.is_multi_nucleotide and len(differs) <= _MOST_BASES_AT_ONCE
        edges = [at for at, one in enumerate(differs) if one] if is_short else []
        for first, last in combinations_with_replacement(edges, 2):
            if (first, last) != (edges[0], edges[-1]):
                span = slice(first, last + 1)
                yield self.chromosome, self.position + first, self.reference[span], self.alternate[span]

    @property
    def is_countable(self) -> bool:
        """Whether the allele is spelt out base by base, changes something and is not called structural.

        A long insertion that is spelt out counts, whatever its length: published cohorts have FLT3's
        internal tandem duplications in that way.
        """
        spelt_out = not any(sign in self.alternate for sign in "<>[]*.")
        return spelt_out and self.reference != self.alternate and not self.structural

    @property
    def bases(self) -> tuple[int, int]:
        """First and last base of the trimmed change, 1-based; an insertion's two neighbours."""
        if not self.reference:
            return self.position - 1, self.position
        return self.position, self.position + len(self.reference) - 1

    def trimmed(self) -> Variant:
        """Return the same change without the bases that both alleles share.

        Shared bases at the end go first, so that an indel moves as far to the left as the file's own
        spelling shows. No reference genome is read: two spellings that differ by more than their shared
        bases stay two variants.
        """
        if not self.is_countable:
            return self
        reference, alternate = self.reference.upper(), self.alternate.upper()
        end = _shared(reference[::-1], alternate[::-1])
        reference, alternate = reference[: len(reference) - end], alternate[: len(alternate) - end]
        start = _shared(reference, alternate)
        return replace(
            self,
            position=self.position + start,
            reference=reference[start:],
            alternate=alternate[start:],
        )


def _shared(one: str, other: str) -> int:
    """Return how many first bases two alleles share."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


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
    declared_chromosomes : frozenset of str
        Those that the header lists, with a length or without.
    cautions : tuple of str
        What was left out of the file or not understood, in words, for the first lines of a result.
    status_field : str
        Where the file says which variants are somatic; empty where it does not.
    """

    sample: str
    variants: tuple[Variant, ...]
    known: frozenset[Known]
    matched_normal: bool | None = None
    assembly: str | None = None
    chromosome_lengths: Mapping[str, int] = field(default_factory=dict)
    declared_chromosomes: frozenset[str] = frozenset()
    cautions: tuple[str, ...] = ()
    status_field: str = ""

    @property
    def chromosomes(self) -> frozenset[str]:
        """Every chromosome that the header declares or a variant lies on."""
        return self.declared_chromosomes | {variant.chromosome for variant in self.variants}
