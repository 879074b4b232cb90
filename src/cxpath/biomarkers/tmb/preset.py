"""A preset: which variants count, after the example of a published method, and never the same as it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cxpath.values.settings import Settings
from cxpath.values.variants import Known


class Preset(Settings):
    """One file of `configs/tmb`; a filter that is not set does nothing."""

    name: str = Field(pattern=r"_like$|_nonsyn$")
    title: str
    """As printed; always "-like"."""
    counts: Literal["coding", "non-synonymous"]
    """Coding: synonymous variants, too."""
    multi_nucleotide: bool = True
    """Whether exchanges of several bases count."""
    minimum_depth: int | None = None
    minimum_alternate_reads: int | None = None
    minimum_allele_fraction: float | None = None
    minimum_allele_fraction_hotspot: float | None = None
    germline_frequency_from: float | None = None
    """Variants as frequent in a germline database, or more so, are left out."""
    germline_count_from: int | None = None
    cosmic_count_above: int | None = None
    leave_out_drivers: bool = False
    expects_matched_normal: bool = False
    needs: tuple[Known, ...] = ()
    """What the file must say, or the preset is refused."""
    not_reproduced: tuple[str, ...] = ()
    """What the method does, too, and this does not."""
    source: str
    as_of: str
    certainty: str
