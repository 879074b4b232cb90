"""BED: stretches of a genome, 0-based and half-open; overlapping lines count once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxpath.exchange.assembly import assembly_in
from cxpath.exchange.file_content import read_content
from cxpath.values.errors import VariantsFileError
from cxpath.values.genome_intervals import GenomeIntervals

_HEADERS = ("#", "track", "browser")
_LAST_BASE = 2**31 - 1
"""No human chromosome is an eighth as long."""

_HINT = "BED has a chromosome, a start and an end in each line, separated by tabs, 0-based"


def read_bed(path: Path) -> GenomeIntervals:
    """Read a BED file, plain or gzipped.

    Raises
    ------
    MissingFileError
        When there is no such file.
    VariantsFileError
        When a line is no interval, or none is there.
    """
    text = read_content(path, VariantsFileError, _HINT).decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    header = " ".join(line for line in lines if line.startswith(_HEADERS))
    intervals = GenomeIntervals.merged(_intervals(lines, path), assembly_in(f"{path.name} {header}"))
    if not intervals.bases:
        raise VariantsFileError(f"{path}: no interval in the file", _HINT)
    return intervals


def _intervals(lines: list[str], path: Path) -> Iterator[tuple[str, int, int]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_HEADERS):
            continue
        try:
            name, start, end = line.split()[:3]
            first, last = int(start), int(end)
        except ValueError as error:
            raise VariantsFileError(f"{path}: line {number} is no interval", _HINT) from error
        if not 0 <= first < last <= _LAST_BASE:
            raise VariantsFileError(f"{path}: line {number}: {first} to {last} is no interval", _HINT)
        yield name, first, last
