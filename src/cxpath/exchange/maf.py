"""MAF, the table of mutations as published cohorts use it: a row a variant, many samples in one file."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cxpath.exchange.annotation_names import ASKED, known_by, with_databases
from cxpath.exchange.assembly import assembly_in
from cxpath.exchange.consequence_terms import consequence_of_class
from cxpath.exchange.file_content import read_content
from cxpath.values.errors import VariantsFileError
from cxpath.values.genome_intervals import plain_chromosome
from cxpath.values.variants import Known, SampleVariants, Variant

SAMPLE = "Tumor_Sample_Barcode"
REQUIRED = (
    "Chromosome",
    "Start_Position",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Variant_Classification",
    SAMPLE,
)
_HINT = f"a MAF has the columns {', '.join(REQUIRED)}, separated by tabs"

Row = Mapping[str, str]


def read_maf(path: Path) -> list[SampleVariants]:
    """Read all samples of a MAF, plain or gzipped, in the order of the file.

    Raises
    ------
    MissingFileError
        When there is no such file.
    VariantsFileError
        When a column is missing, or an entry is no position.
    """
    text = read_content(path, VariantsFileError, _HINT).decode("utf-8-sig", errors="replace")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    columns = [name.strip() for name in table.fieldnames or ()]
    if lacking := [name for name in REQUIRED if name not in columns]:
        raise VariantsFileError(f"{path}: not a MAF: no column {lacking[0]}", _HINT)
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in table:
        rows[row[SAMPLE]].append(row)
    known = _known(columns)
    return [_sample(name, of_it, known, path) for name, of_it in rows.items()]


def _sample(name: str, rows: Sequence[Row], known: frozenset[Known], path: Path) -> SampleVariants:
    normals = {row.get("Matched_Norm_Sample_Barcode", "").strip() for row in rows} - {"", ".", "NORMAL"}
    return SampleVariants(
        sample=name,
        variants=tuple(_variant(row, path) for row in rows),
        known=known,
        matched_normal=True if normals else None,
        assembly=assembly_in(rows[0].get("NCBI_Build", "")),
    )


def _variant(row: Row, path: Path) -> Variant:
    try:
        position = int(row["Start_Position"])
    except ValueError as error:
        raise VariantsFileError(
            f"{path}: Start_Position {row['Start_Position']!r} of {row[SAMPLE]} is no position", _HINT
        ) from error
    depth, reads = _count(row.get("t_depth")), _count(row.get("t_alt_count"))
    if depth is None and reads is not None and (others := _count(row.get("t_ref_count"))) is not None:
        depth = reads + others
    variant = Variant(
        chromosome=plain_chromosome(row["Chromosome"]),
        position=position,
        reference=row["Reference_Allele"],
        alternate=row["Tumor_Seq_Allele2"],
        passed=row["FILTER"].strip() in {"PASS", ".", ""} if "FILTER" in row else None,
        consequence=consequence_of_class(row["Variant_Classification"].strip()),
        depth=depth,
        alternate_reads=reads,
        allele_fraction=reads / depth if reads is not None and depth else None,
    )
    return with_databases(variant, {name: (row[name],) for name in ASKED if name in row})


def _count(entry: str | None) -> int | None:
    return int(entry) if entry and entry.strip().isdigit() else None


def _known(columns: Sequence[str]) -> frozenset[Known]:
    present = set(columns)
    known = {Known.CONSEQUENCE} | known_by(present)
    if "FILTER" in present:
        known |= {Known.FILTER}
    if "t_alt_count" in present:
        known |= {Known.ALTERNATE_READS}
    if "t_depth" in present or {"t_alt_count", "t_ref_count"} <= present:
        known |= {Known.DEPTH}
    if {Known.ALTERNATE_READS, Known.DEPTH} <= known:
        known |= {Known.ALLELE_FRACTION}
    return frozenset(known)
