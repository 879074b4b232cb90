"""Consequences in a VCF: VEP's CSQ and snpEff's ANN, entry by entry, for the right allele."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxpath.exchange.consequence_terms import consequence_of_terms
from cxpath.values.variants import Consequence

_CONSEQUENCE = {"CSQ": "Consequence", "ANN": "Annotation"}


@dataclass(frozen=True)
class Annotation:
    """Which field holds the annotation, and what stands where in it."""

    field: str
    names: tuple[str, ...]

    def read(self, record: Any, index: int) -> tuple[Consequence | None, Mapping[str, Sequence[str]]]:
        """Return an allele's gravest consequence over all transcripts, and its other entries by name.

        A variant that the annotator passed over has no consequence: None.
        """
        named: dict[str, list[str]] = defaultdict(list)
        alternates = record.alleles[1:]
        for entry in _entries(record.info.get(self.field)):
            values = dict(zip(self.names, entry.split("|"), strict=False))
            if len(alternates) == 1 or values.get("Allele", "") in _spellings(
                record.ref, alternates[index - 1]
            ):
                for name, value in values.items():
                    named[name].append(value)
        terms = [term for entry in named.get(_CONSEQUENCE[self.field], ()) for term in entry.split("&")]
        return (consequence_of_terms(terms) if terms else None), named


def annotation_of(header: Any) -> Annotation | None:
    """Return the annotation that the header declares; None in a file without any."""
    if "CSQ" in header.info:
        described = str(header.info["CSQ"].description).partition("Format:")[2]
        return Annotation("CSQ", _names(described))
    if "ANN" in header.info:
        described = str(header.info["ANN"].description).partition(":")[2]
        return Annotation("ANN", _names(described))
    return None


def _names(described: str) -> tuple[str, ...]:
    return tuple(name.strip().strip("'\"") for name in described.strip().strip("'\"").split("|"))


def _entries(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def _spellings(reference: str, alternate: str) -> frozenset[str]:
    """Return how an allele may be written: as in the file, or as VEP does, without the shared first base."""
    shared = reference[:1] == alternate[:1] and len(reference) != len(alternate)
    return frozenset({alternate, (alternate[1:] or "-") if shared else alternate})
