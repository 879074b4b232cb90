"""Variant files: VCF with VEP or snpEff annotation, MAF and BED."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pysam

from cxpath.data.variants import (
    Consequence,
    GenomeIntervals,
    Known,
    SampleVariants,
    Variant,
    plain_chromosome,
)
from cxpath.errors import MissingFileError, VariantsFileError
from cxpath.io.atomic import read_content

# Under which names files keep what a preset asks for, and how such an entry is read.


GERMLINE_FREQUENCY = ("MAX_AF", "gnomAD_AF", "gnomADe_AF", "gnomADg_AF", "ExAC_AF", "EXAC_AF")
GERMLINE_COUNT = ("gnomAD_AC", "gnomADe_AC", "gnomADg_AC", "ExAC_AC", "EXAC_AC")
COSMIC_COUNT = ("COSMIC_CNT", "COSMIC_COUNT", "cosmic_count")
DRIVER = ("HOTSPOT", "Hotspot", "hotspot", "DRIVER", "ONCOGENIC")
ASKED = (*GERMLINE_FREQUENCY, *GERMLINE_COUNT, *COSMIC_COUNT, *DRIVER)
"""Every name that is looked for."""

NAMES = {
    Known.GERMLINE_FREQUENCY: GERMLINE_FREQUENCY,
    Known.GERMLINE_COUNT: GERMLINE_COUNT,
    Known.COSMIC_COUNT: COSMIC_COUNT,
    Known.DRIVER: DRIVER,
}
_YES = frozenset({"1", "true", "yes", "y", "oncogenic", "likely oncogenic", "likely_oncogenic"})
_NOTHING = frozenset({"", ".", "-", "na", "nan", "none"})


def known_by(names: Iterable[str]) -> frozenset[Known]:
    """Return what columns or fields of these names say about variants."""
    present = frozenset(names)
    return frozenset(what for what, candidates in NAMES.items() if present & frozenset(candidates))


def with_databases(variant: Variant, named: Mapping[str, Sequence[str]]) -> Variant:
    """Return a variant with what databases say of it, read from all entries that stand under each name."""

    def under(names: Sequence[str]) -> list[str]:
        return [entry for name in names for entry in named.get(name, ())]

    return replace(
        variant,
        germline_frequency=_largest(under(GERMLINE_FREQUENCY)),
        germline_count=_whole(_largest(under(GERMLINE_COUNT))),
        cosmic_count=_whole(_largest(under(COSMIC_COUNT))),
        driver=_is_driver(under(DRIVER)),
    )


def _largest(entries: Iterable[str]) -> float | None:
    """Return the largest number among entries such as "0.001&0.0002"; None where there is none."""
    numbers = []
    for entry in entries:
        for part in entry.replace("&", ",").split(","):
            try:
                numbers.append(float(part))
            except ValueError:
                continue
    return max(numbers, default=None)


def _whole(number: float | None) -> int | None:
    """Return a count."""
    return None if number is None else int(number)


def _is_driver(entries: Iterable[str]) -> bool | None:
    """Say whether an entry calls the variant a driver; None where nothing is said."""
    said = [entry.strip().lower() for entry in entries if entry.strip().lower() not in _NOTHING]
    return any(entry in _YES for entry in said) if said else None


# Which genome assembly a file speaks of.


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


# BED: stretches of a genome, 0-based and half-open; overlapping lines count once.


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


# The words that annotators use for what a variant does to a protein.


NON_SYNONYMOUS_TERMS = frozenset(
    {
        "missense_variant",
        "stop_gained",
        "stop_lost",
        "start_lost",
        "initiator_codon_variant",
        "frameshift_variant",
        "inframe_insertion",
        "inframe_deletion",
        "conservative_inframe_insertion",
        "conservative_inframe_deletion",
        "disruptive_inframe_insertion",
        "disruptive_inframe_deletion",
        "protein_altering_variant",
        "splice_acceptor_variant",
        "splice_donor_variant",
        "transcript_ablation",
        "exon_loss_variant",
    }
)
"""Sequence Ontology, as VEP and snpEff write it; splice sites count as non-synonymous, as in MAF."""

SYNONYMOUS_TERMS = frozenset({"synonymous_variant", "stop_retained_variant", "start_retained_variant"})

NON_SYNONYMOUS_CLASSES = frozenset(
    {
        "Missense_Mutation",
        "Nonsense_Mutation",
        "Nonstop_Mutation",
        "Frame_Shift_Del",
        "Frame_Shift_Ins",
        "In_Frame_Del",
        "In_Frame_Ins",
        "Splice_Site",
        "Translation_Start_Site",
    }
)
"""`Variant_Classification` of MAF."""

SYNONYMOUS_CLASSES = frozenset({"Silent"})


def consequence_of_terms(terms: Iterable[str]) -> Consequence:
    """Return the gravest consequence among Sequence Ontology terms."""
    named = frozenset(terms)
    if named & NON_SYNONYMOUS_TERMS:
        return Consequence.NON_SYNONYMOUS
    return Consequence.SYNONYMOUS if named & SYNONYMOUS_TERMS else Consequence.NON_CODING


def consequence_of_class(name: str) -> Consequence:
    """Return the consequence that a MAF's `Variant_Classification` means."""
    if name in NON_SYNONYMOUS_CLASSES:
        return Consequence.NON_SYNONYMOUS
    return Consequence.SYNONYMOUS if name in SYNONYMOUS_CLASSES else Consequence.NON_CODING


# MAF, the table of mutations as published cohorts use it: a row a variant, many samples in one file.


SAMPLE = "Tumor_Sample_Barcode"
REQUIRED = (
    "Chromosome",
    "Start_Position",
    "Reference_Allele",
    "Tumor_Seq_Allele2",
    "Variant_Classification",
    SAMPLE,
)
_MAF_HINT = f"a MAF has the columns {', '.join(REQUIRED)}, separated by tabs"

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
    text = read_content(path, VariantsFileError, _MAF_HINT).decode("utf-8-sig", errors="replace")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    columns = [name.strip() for name in table.fieldnames or ()]
    if lacking := [name for name in REQUIRED if name not in columns]:
        raise VariantsFileError(f"{path}: not a MAF: no column {lacking[0]}", _MAF_HINT)
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
            f"{path}: Start_Position {row['Start_Position']!r} of {row[SAMPLE]} is no position", _MAF_HINT
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


# Consequences in a VCF: VEP's CSQ and snpEff's ANN, entry by entry, for the right allele.


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


# VCF and BCF through pysam: one sample's alternative alleles with depth, fraction and annotation.


_VCF_HINT = "give a VCF or BCF, plain or gzipped, as the variant caller wrote it"
_NORMAL_NAMES = frozenset({"normal", "germline", "blood"})
_TUMOUR_NAMES = frozenset({"tumor", "tumour"})


@dataclass(frozen=True)
class _Samples:
    """Which sample is the tumour's, and whether a normal one is known."""

    tumour: str | None
    matched_normal: bool | None


def read_vcf(path: Path, sample: str | None = None) -> SampleVariants:
    """Read the variants of one sample.

    Parameters
    ----------
    path : Path
    sample : str, optional
        The tumour's sample; found out where the header names it or there is only one.

    Raises
    ------
    MissingFileError
        When there is no such file.
    VariantsFileError
        When it is no VCF, breaks in the middle, or the tumour's sample is not clear.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    loud = pysam.set_verbosity(0)  # htslib's own lines on stderr say nothing to a user
    try:
        with pysam.VariantFile(str(path)) as file:
            samples = _samples(file.header, sample, path)
            annotation = annotation_of(file.header)
            asked = tuple(name for name in ASKED if name in file.header.info)
            variants = tuple(
                variant for record in file for variant in _variants(record, samples.tumour, annotation, asked)
            )
            return SampleVariants(
                sample=samples.tumour or path.name.split(".")[0],
                variants=variants,
                known=_known_consequence(file.header, annotation, samples.tumour),
                matched_normal=samples.matched_normal,
                assembly=_assembly(file.header, path),
                chromosome_lengths=_lengths(file.header),
            )
    except (OSError, ValueError, IndexError) as error:  # IndexError: a line without the sample's column
        if isinstance(error, VariantsFileError):
            raise
        raise VariantsFileError(f"{path}: not readable as VCF: {error}", _VCF_HINT) from error
    finally:
        pysam.set_verbosity(loud)


def _samples(header: Any, wanted: str | None, path: Path) -> _Samples:
    names = list(header.samples)
    stated = {record.key: record.value for record in header.records if record.type == "GENERIC"}
    normal = stated.get("normal_sample") in names or any(name.lower() in _NORMAL_NAMES for name in names)
    if wanted is not None:
        if wanted not in names:
            raise VariantsFileError(f"{path}: no sample {wanted!r}", f"samples: {', '.join(names) or 'none'}")
        return _Samples(wanted, normal or None)
    candidates = [name for name in names if name == stated.get("tumor_sample")]
    candidates = candidates or [name for name in names if name.lower() in _TUMOUR_NAMES]
    if len(names) <= 1 or len(candidates) == 1:
        only = names[0] if len(names) == 1 else None
        return _Samples(candidates[0] if candidates else only, normal or None)
    raise VariantsFileError(f"{path}: holds {len(names)} samples", f"pass --sample: {', '.join(names)}")


def _variants(
    record: Any, tumour: str | None, annotation: Annotation | None, asked: Sequence[str]
) -> Iterator[Variant]:
    call = record.samples[tumour] if tumour is not None else None
    called = _called(call, len(record.alleles or ()))
    info = {name: (_text(record.info[name]),) for name in asked if name in record.info}
    chromosome, passed = plain_chromosome(record.chrom), _passed(record)
    for index in called:
        alternate = str(record.alleles[index])
        if alternate in {"*", "<*>", "<NON_REF>"}:
            continue
        depth, reads, fraction = _support(call, index)
        consequence, named = annotation.read(record, index) if annotation is not None else (None, {})
        variant = Variant(
            chromosome=chromosome,
            position=record.pos,
            reference=str(record.ref),
            alternate=alternate,
            passed=passed,
            consequence=consequence,
            depth=depth,
            alternate_reads=reads,
            allele_fraction=fraction,
        )
        entries = {name: (*named.get(name, ()), *info.get(name, ())) for name in ASKED}
        yield with_databases(variant, entries)


def _called(call: Any, alleles: int) -> list[int]:
    """Return the alternative alleles that the sample has; all of them where no genotype is given."""
    genotype = call.get("GT") if call is not None and "GT" in call else None
    if genotype is None or all(allele is None for allele in genotype):
        return list(range(1, alleles))
    return sorted({allele for allele in genotype if allele})


def _support(call: Any, index: int) -> tuple[int | None, int | None, float | None]:
    """Return depth, reads of the allele and its fraction, from DP, AD and AF as far as they are there."""
    if call is None:
        return None, None, None
    counts: Any = call.get("AD") if "AD" in call else None
    usable = isinstance(counts, tuple) and len(counts) > index and all(isinstance(n, int) for n in counts)
    total = sum(counts) if usable else None
    stated_depth = call.get("DP") if "DP" in call else None
    depth = stated_depth if isinstance(stated_depth, int) else total
    reads = counts[index] if usable else None
    fraction = call.get("AF") if "AF" in call else None
    stated = fraction[index - 1] if isinstance(fraction, tuple) and len(fraction) >= index else fraction
    if isinstance(stated, int | float):
        return depth, reads, float(stated)
    return depth, reads, reads / total if reads is not None and total else None


def _passed(record: Any) -> bool:
    names = list(record.filter.keys())
    return not names or names == ["PASS"]


def _known_consequence(header: Any, annotation: Annotation | None, tumour: str | None) -> frozenset[Known]:
    names = set(header.info.keys()) | set(annotation.names if annotation else ())
    known = {Known.FILTER} | known_by(names)
    if annotation is not None:
        known |= {Known.CONSEQUENCE}
    formats = set(header.formats.keys()) if tumour is not None else set()
    if formats & {"DP", "AD"}:
        known |= {Known.DEPTH}
    if "AD" in formats:
        known |= {Known.ALTERNATE_READS}
    if formats & {"AF", "AD"}:
        known |= {Known.ALLELE_FRACTION}
    return frozenset(known)


def _assembly(header: Any, path: Path) -> str | None:
    named = " ".join(str(record) for record in header.records if record.key in {"reference", "assembly"})
    return assembly_of(_lengths(header)) or assembly_in(f"{path.name} {named}")


def _lengths(header: Any) -> dict[str, int]:
    return {plain_chromosome(name): contig.length for name, contig in header.contigs.items() if contig.length}


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
