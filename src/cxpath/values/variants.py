"""Variants of one tumour as a file gives them, with what the file says about each and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
