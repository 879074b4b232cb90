"""Variant files: VCF with VEP or snpEff annotation, MAF and BED."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cxpath.data import GenomeIntervals, Known, SampleVariants, Variant, plain_chromosome
from cxpath.errors import VariantsFileError
from cxpath.io.atomic import read_content, text_lines
from cxpath.io.variant_annotation import (
    ASKED,
    NO_STATUS,
    NOT_STATED,
    counted,
    counted_words,
    is_somatic,
    known_by,
    printable,
    with_databases,
)
from cxpath.io.variant_terms import consequence_of_class, is_maf_class

# Which genome assembly a file speaks of.


_NAMES = {
    "NCBI36": r"ncbi[_ -]?36|hg18|\bb36\b|^36(\.[0-9])?$",
    "GRCh37": r"grch37|hg19|b37|hs37d5|\b37\b",
    "GRCh38": r"grch38|hg38|\b38\b",
    "T2T-CHM13": r"chm13|(?<![a-z0-9])(t2t|hs1)(?![a-z0-9])",
}
_LENGTHS = {
    247_249_719: "NCBI36",
    249_250_621: "GRCh37",
    248_956_422: "GRCh38",
    248_387_328: "T2T-CHM13",
    248_387_497: "T2T-CHM13",
}
"""Of chromosome 1, in T2T-CHM13 of versions 2.0 and 1.1 (NCBI's assembly reports)."""
_REFSEQ = re.compile(r"NC_0000(\d\d)\.(\d+)", re.IGNORECASE)
_REFSEQ_38 = (11, 12, 12, 12, 10, 12, 14, 11, 12, 11, 11, 12, 11, 9, 10, 10, 11, 10, 10, 11, 9, 11, 11, 10)
"""Versions of NC_000001 to NC_000024 in GRCh38; in GRCh37 each is one less (NCBI's assembly reports)."""


def assembly_in(text: str) -> str | None:
    """Return the one assembly that a text names; None where it names none, or both."""
    found = {name for name, pattern in _NAMES.items() if re.search(pattern, text, re.IGNORECASE)}
    return found.pop() if len(found) == 1 else None


def assembly_of(chromosome_lengths: Mapping[str, int]) -> str | None:
    """Return the assembly whose chromosome 1 has this length."""
    return _LENGTHS.get(chromosome_lengths.get("1", 0))


def assembly_of_accessions(names: Iterable[str]) -> str | None:
    """Return the one assembly that RefSeq accessions with versions, such as "NC_000001.11", belong to."""
    found = {_assembly_of_accession(name) for name in names} - {None}
    return found.pop() if len(found) == 1 else None


def _assembly_of_accession(name: str) -> str | None:
    match = _REFSEQ.fullmatch(name.strip())
    if match is None or not 1 <= int(match[1]) <= len(_REFSEQ_38):
        return None
    behind = _REFSEQ_38[int(match[1]) - 1] - int(match[2])
    return {0: "GRCh38", 1: "GRCh37"}.get(behind)


# BED: stretches of a genome, 0-based and half-open; overlapping lines count once.


_HEADERS = ("#", "track", "browser")
_INTERVAL = re.compile(r"\s*(\S+)\s+([0-9]{1,12})\s+([0-9]{1,12})(?:\s|$)")
_NOT_CALLABLE = frozenset(
    {"REF_N", "NO_COVERAGE", "LOW_COVERAGE", "EXCESSIVE_COVERAGE", "POOR_MAPPING_QUALITY"}
)
"""States that CallableLoci of GATK writes into column 4 besides CALLABLE; mosdepth's labels are alike."""
_STRANDS = frozenset({"+", "-"})
_DEPTH_COLUMNS = 4
"""Columns of bedGraph, and of mosdepth's depths."""
_BLOCKS = 9
"""Place of the number of blocks, such as exons, in a line of 12 columns."""
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
        When a line is not an interval, or none is there.
    """
    lines = text_lines(read_content(path, VariantsFileError, _HINT))
    header = " ".join(line for line in lines if line.startswith(_HEADERS))
    _refuse_other_files(lines, path)
    found = list(_intervals(lines, path))
    accessions = assembly_of_accessions({name for name, _, _ in found})
    intervals = GenomeIntervals.merged(found, accessions or assembly_in(f"{path.name} {header}"))
    if not intervals.bases:
        raise VariantsFileError(f"{path}: no interval in the file", _HINT)
    return intervals


def _intervals(lines: list[str], path: Path) -> Iterator[tuple[str, int, int]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_HEADERS):
            continue
        match = _INTERVAL.match(line)
        if match is None:
            raise VariantsFileError(f"{path}: line {number} is not an interval", _HINT)
        first, last = int(match[2]), int(match[3])
        if not 0 <= first < last <= _LAST_BASE:
            raise VariantsFileError(f"{path}: line {number}: {first} to {last} is not an interval", _HINT)
        _refuse_other_meanings(line.split(), f"{path}: line {number}")
        yield match[1], first, last


def _refuse_other_files(lines: Sequence[str], path: Path) -> None:
    """Refuse several tracks, only one of which can be meant, and depths, only some of which suffice."""
    tracks = [line for line in lines if line.startswith("track")]
    if len(tracks) > 1:
        raise VariantsFileError(
            f"{path}: contains {len(tracks)} tracks, such as targets and probes; only one can be meant",
            "keep the lines of the track of targets",
        )
    rows = [line.split() for line in lines if line.strip() and not line.startswith(_HEADERS)]
    depths = {row[-1] for row in rows if len(row) == _DEPTH_COLUMNS and row[-1].isdecimal()}
    of_depth = all(len(row) == _DEPTH_COLUMNS and row[-1].isdecimal() for row in rows)
    if any("bedgraph" in track.lower() for track in tracks) or (rows and of_depth and "0" in depths):
        raise VariantsFileError(
            f"{path}: contains depths (column 4), and also lists regions that are not covered",
            "keep the lines that are deep enough",
        )


def _refuse_other_meanings(fields: Sequence[str], where: str) -> None:
    """Refuse lines whose further columns say that not all bases from start to end are meant."""
    if len(fields) > 3 and fields[3].upper() in _NOT_CALLABLE:
        raise VariantsFileError(
            f"{where} is {fields[3]} (column 4): the file also lists regions that are not callable",
            "keep the lines that are callable",
        )
    if len(fields) > 3 and fields[3] in _STRANDS:
        raise VariantsFileError(
            f"{where} has the strand in column 4: an interval list of Picard, which is 1-based",
            "convert it: IntervalListToBed of Picard",
        )
    if len(fields) > _BLOCKS and fields[_BLOCKS].isdecimal() and int(fields[_BLOCKS]) > 1:
        raise VariantsFileError(
            f"{where} consists of {fields[_BLOCKS]} blocks (BED12), with gaps that are not targets",
            "write a line for each block, as bedtools bed12tobed6 does",
        )


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
_COUNTS = ("t_depth", "t_alt_count", "t_ref_count")
_OPTIONAL = (
    *("Tumor_Seq_Allele1", "Matched_Norm_Sample_Barcode", "NCBI_Build", "FILTER", "Mutation_Status"),
    *("tumor_f", *_COUNTS, *ASKED),
    *("GDC_FILTER", "Validation_Status"),
)
_NOT_VALIDATED = frozenset({"invalid", "wildtype"})
"""`Validation_Status` of what a second experiment did not find."""
_WHOLE = re.compile(r"([0-9]{1,12})(?:\.0*)?")
"""A whole number, also as pandas writes it in a column with gaps: "9.0"."""
_ALLELE = re.compile(r"[ACGTUNRYKMSWBDHV]*|<.*>|.*[\[\]].*")
_HOW_TO_WRITE_ALLELES = 'write bases, or "-" where there are none'
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u00ad"
_NO_NORMAL = NOT_STATED | {"normal"}

Row = Mapping[str, str]


@dataclass
class _Words:
    """Words of a MAF that are not its own, with how often each occurs."""

    classes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    marks: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unchanged: int = 0

    def cautions(self) -> Iterator[str]:
        """Yield how each was taken."""
        if self.classes:
            yield (
                "Variant_Classification contains words that are not MAF's, taken as: "
                + counted_words({_taken(word): count for word, count in self.classes.items()})
            )
        if self.statuses:
            yield f"Mutation_Status contains unknown words (rows are kept): {counted_words(self.statuses)}"
        for column, words in self.marks.items():
            yield f"{column} casts doubt on rows, which are kept: {counted_words(words)}"
        if self.unchanged:
            rows = counted(self.unchanged, "row states", "rows state")
            yield f"{rows} the reference as both of the tumour's alleles, which is not a variant"


def read_maf(path: Path) -> list[SampleVariants]:
    """Read all samples of a MAF, plain or gzipped, in the order of the file.

    Raises
    ------
    MissingFileError
        When there is no such file.
    VariantsFileError
        When a column is missing or there twice, a row is longer than the header, an entry is not a position
        or no number of reads, a class is of no known vocabulary, or the names of samples look alike.
    """
    rows = list(_rows(path))
    if not rows:
        raise VariantsFileError(f"{path}: no variant in the file, so that no sample is named", _MAF_HINT)
    _require_known_classes(rows, path)
    by_sample: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_sample[row[SAMPLE]].append(row)
    _require_distinct(by_sample, path)
    return [_sample(name, of_it, path) for name, of_it in by_sample.items()]


def _rows(path: Path) -> Iterator[Row]:
    """Yield the rows as the columns that are read, with blanks and quotation marks around entries removed."""
    lines = text_lines(read_content(path, VariantsFileError, _MAF_HINT))
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    header = [_plain(name) for name in numbered[0][1].split("\t")] if numbered else []
    places = _places(header, path)
    for number, line in numbered[1:]:
        entries = [_plain(entry) for entry in line.split("\t")]
        if len(entries) > len(header) and any(entries[len(header) :]):
            raise VariantsFileError(
                f"{path}: line {number} has {len(entries)} entries, the header {len(header)}", _MAF_HINT
            )
        row = {name: entries[at] if at < len(entries) else "" for name, at in places.items()}
        for name in (SAMPLE, "Chromosome"):
            if row[name].lower() in NOT_STATED:
                raise VariantsFileError(f"{path}: line {number} has no {name}", "fill it in, in every row")
        yield row


def _places(header: Sequence[str], path: Path) -> dict[str, int]:
    """Return where each column stands; the case of their names makes no difference."""
    lower = [name.lower() for name in header]
    if lacking := [name for name in REQUIRED if name.lower() not in lower]:
        raise VariantsFileError(f"{path}: not a MAF: no column {lacking[0]}", _MAF_HINT)
    wanted = [name for name in (*REQUIRED, *_OPTIONAL) if name in header or name.lower() in lower]
    for name in wanted:
        if header.count(name) > 1 or (name not in header and lower.count(name.lower()) > 1):
            raise VariantsFileError(f"{path}: the column {name} is there twice", "keep one of them")
    return {name: header.index(name) if name in header else lower.index(name.lower()) for name in wanted}


def _plain(entry: str) -> str:
    stripped = entry.strip().strip(_INVISIBLE).strip()
    quoted = len(stripped) > 1 and stripped[0] == stripped[-1] == '"'
    return stripped[1:-1].strip() if quoted else stripped


def _require_known_classes(rows: Sequence[Row], path: Path) -> None:
    words = Counter(row["Variant_Classification"] for row in rows)
    strange = {word: count for word, count in words.items() if consequence_of_class(word) is None}
    if strange:
        raise VariantsFileError(
            f"{path}: Variant_Classification contains words of no known vocabulary: {counted_words(strange)}",
            "use MAF's own, such as Missense_Mutation",
        )


def _require_distinct(samples: Mapping[str, object], path: Path) -> None:
    """Refuse samples whose names look alike: they may be one, whose burden would be split."""
    seen: dict[str, str] = {}
    for name in samples:
        if (other := seen.setdefault(_looks(name), name)) != name:
            raise VariantsFileError(
                f"{path}: the samples {other!r} and {name!r} differ by case or invisible letters only",
                "write one name alike everywhere",
            )


def _looks(name: str) -> str:
    """Return a name without case, form of letters, blanks and invisible letters."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(one for one in letters if not one.isspace() and one not in _INVISIBLE)


def _sample(name: str, rows: Sequence[Row], path: Path) -> SampleVariants:
    normals = {row.get("Matched_Norm_Sample_Barcode", "").lower() for row in rows} - _NO_NORMAL
    return SampleVariants(
        sample=name,
        variants=tuple(_variant(row, path) for row in rows),
        known=_known(rows[0]),
        status_field="Mutation_Status" if "Mutation_Status" in rows[0] else "",
        matched_normal=True if normals else None,
        assembly=_assembly(name, rows, path),
        cautions=tuple(_strange_words(rows).cautions()),
    )


def _assembly(name: str, rows: Sequence[Row], path: Path) -> str | None:
    builds = {build for row in rows if (build := assembly_in(row.get("NCBI_Build", "")))}
    if len(builds) > 1:
        raise VariantsFileError(
            f"{path}: NCBI_Build of {name} is {' and '.join(sorted(builds))}", "give one assembly a file"
        )
    return builds.pop() if builds else assembly_of_accessions(row["Chromosome"] for row in rows)


def _strange_words(rows: Sequence[Row]) -> _Words:
    words = _Words()
    for row in rows:
        if not is_maf_class(row["Variant_Classification"]):
            words.classes[row["Variant_Classification"]] += 1
        status = row.get("Mutation_Status", "")
        if is_somatic(status) is None and status.lower() not in NO_STATUS:
            words.statuses[status] += 1
        if (mark := row.get("GDC_FILTER", "")).lower() not in NOT_STATED | {"pass"}:
            words.marks["GDC_FILTER"][mark] += 1
        if (mark := row.get("Validation_Status", "")).lower() in _NOT_VALIDATED:
            words.marks["Validation_Status"][mark] += 1
        words.unchanged += _is_unchanged(row)
    return words


def _is_unchanged(row: Row) -> bool:
    alleles = {row[name].upper() for name in ("Reference_Allele", "Tumor_Seq_Allele2")}
    return len(alleles | {row.get("Tumor_Seq_Allele1", "").upper() or row["Reference_Allele"].upper()}) == 1


def _taken(word: str) -> str:
    return f"{word} as {consequence_of_class(word)}"


def _variant(row: Row, path: Path) -> Variant:
    depth, reads, others = (_count(row, name, path) for name in _COUNTS)
    if depth is None and reads is not None and others is not None:
        depth = reads + others
    position, reference, alternate = _alleles(row, path)
    variant = Variant(
        chromosome=plain_chromosome(row["Chromosome"]),
        position=position,
        reference=reference,
        alternate=alternate,
        passed=_passed(row),
        somatic=is_somatic(row.get("Mutation_Status", "")),
        consequence=consequence_of_class(row["Variant_Classification"]),
        depth=depth,
        alternate_reads=reads,
        allele_fraction=reads / depth if reads is not None and depth else _fraction(row, path),
    )
    named = {name: (row[name],) for name in ASKED if name in row}
    return with_databases(variant, named, f"{path}: {printable(row[SAMPLE])}")


def _alleles(row: Row, path: Path) -> tuple[int, str, str]:
    """Return position and alleles with MAF's "-" as nothing; an insertion lies before the position.

    The tumour's second allele is the changed one; where it is the reference, the first is taken, as by
    cBioPortal.
    """
    reference, first, second = (
        row.get(name, "").upper().replace("-", "")
        for name in ("Reference_Allele", "Tumor_Seq_Allele1", "Tumor_Seq_Allele2")
    )
    alternate = first if second == reference and row.get("Tumor_Seq_Allele1") else second
    if not (_ALLELE.fullmatch(reference) and _ALLELE.fullmatch(alternate)) or _is_blank(row):
        shown = f"{row['Reference_Allele'][:20]!r} to {row['Tumor_Seq_Allele2'][:20]!r}"
        raise VariantsFileError(
            f"{path}: {shown} of {printable(row[SAMPLE])} are not alleles", _HOW_TO_WRITE_ALLELES
        )
    match = _WHOLE.fullmatch(row["Start_Position"])
    if match is None:
        raise VariantsFileError(
            f"{path}: Start_Position {row['Start_Position']!r} of {printable(row[SAMPLE])} is not a position",
            _MAF_HINT,
        )
    return int(match[1]) + (0 if reference else 1), reference, alternate


def _is_blank(row: Row) -> bool:
    """Say whether an allele is not stated; "-" is stated: nothing stands there."""
    alleles = row["Reference_Allele"].lower(), row["Tumor_Seq_Allele2"].lower()
    return any(allele in NOT_STATED - {"-"} for allele in alleles)


def _passed(row: Row) -> bool | None:
    entry = row.get("FILTER", "")
    return None if entry.lower() in NOT_STATED else entry.upper() == "PASS"


def _count(row: Row, name: str, path: Path) -> int | None:
    """Return a count; None where it is not stated.

    Raises
    ------
    VariantsFileError
        When the entry is not a whole number, such as "20%".
    """
    entry = row.get(name, "")
    if entry.lower() in NOT_STATED:
        return None
    match = _WHOLE.fullmatch(entry)
    if match is None:
        raise VariantsFileError(
            f"{path}: {name} {entry[:20]!r} of {printable(row[SAMPLE])} is not a number of reads",
            "give whole numbers, or nothing",
        )
    return int(match[1])


def _fraction(row: Row, path: Path) -> float | None:
    """Return Oncotator's allele fraction."""
    entry = row.get("tumor_f", "")
    if entry.lower() in NOT_STATED:
        return None
    if not re.fullmatch(r"0*(0|1|0?\.[0-9]{1,20}|1\.0{1,20}|[0-9]\.[0-9]{1,20}[eE]-[0-9]{1,3})", entry):
        raise VariantsFileError(
            f"{path}: tumor_f {entry[:20]!r} of {printable(row[SAMPLE])} is not an allele fraction",
            "state it from 0 to 1",
        )
    return float(entry)


def _known(row: Row) -> frozenset[Known]:
    known = {Known.CONSEQUENCE} | known_by(row)
    if "FILTER" in row:
        known |= {Known.FILTER}
    if "Mutation_Status" in row:
        known |= {Known.SOMATIC}
    if "t_alt_count" in row:
        known |= {Known.ALTERNATE_READS}
    if "t_depth" in row or {"t_alt_count", "t_ref_count"} <= row.keys():
        known |= {Known.DEPTH}
    if {Known.ALTERNATE_READS, Known.DEPTH} <= known or "tumor_f" in row:
        known |= {Known.ALLELE_FRACTION}
    return frozenset(known)
