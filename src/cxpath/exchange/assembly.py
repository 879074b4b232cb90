"""Which genome assembly a file speaks of."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAMES = {"GRCh37": r"grch37|hg19|b37|hs37d5|\b37\b", "GRCh38": r"grch38|hg38|\b38\b"}
_LENGTHS = {249_250_621: "GRCh37", 248_956_422: "GRCh38"}
"""Of chromosome 1."""


def assembly_in(text: str) -> str | None:
    """Return the one assembly that a text names; None where it names none, or both."""
    found = {name for name, pattern in _NAMES.items() if re.search(pattern, text, re.IGNORECASE)}
    return found.pop() if len(found) == 1 else None


def assembly_of(chromosome_lengths: Mapping[str, int]) -> str | None:
    """Return the assembly whose chromosome 1 has this length."""
    return _LENGTHS.get(chromosome_lengths.get("1", 0))
