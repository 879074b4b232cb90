"""VCF files: variants, depth and reads as several callers name them."""

from __future__ import annotations

import gzip
import math
import re
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cxpath.data import Known, SampleVariants, Variant, import_extra, plain_chromosome
from cxpath.errors import MissingFileError, VariantsFileError
from cxpath.io.atomic import is_gzipped
from cxpath.io.variant_annotation import (
    ASKED,
    NOT_STATED,
    Annotation,
    annotation_of,
    counted,
    counted_words,
    is_somatic,
    known_by,
    printable,
    status_field,
    with_databases,
)
from cxpath.io.variants import assembly_in, assembly_of, assembly_of_accessions

# Depth, reads and allele fraction of one sample's call, under the names that each variant caller gives them.
#
# | caller | depth | reads of the allele | fraction |
# |---|---|---|---|
# | Mutect2 and others of GATK | DP | AD (one a allele, the reference first) | AF |
# | Mutect 1 | DP | AD | FA |
# | VarScan 2 | DP | AD (the alternative's alone) next to RD | FREQ ("33.33%") |
# | FreeBayes | DP | AO (one an alternative) next to RO | |
# | Strelka, substitutions | DP | AU, CU, GU, TU: the first number, tier 1 | |
# | Strelka, indels | DP | TIR next to TAR: the first number, tier 1 | |
# | VarDict, Pisces, DeepVariant | DP | AD or VD | AF, VF or VAF |
#
# The fraction is the caller's own where it states one, else the allele's reads over those of all alleles;
# with Strelka over those of this allele and the reference, as its user guide has it.


_FRACTIONS = ("AF", "FA", "VAF", "VF", "FREQ")
_DECIMAL_COMMA = re.compile(r"([0-9]{1,3}),([0-9]{1,6}%)")
"""How VarScan writes a percentage on a computer whose language has decimal commas: "4,9%"."""
_ABOUT_ONE = 0.02
_STRELKA_BASES = frozenset({"AU", "CU", "GU", "TU"})
_READS_OF = (
    frozenset({"AD"}),
    frozenset({"AO", "RO"}),
    frozenset({"TAR", "TIR"}),
    _STRELKA_BASES,
    frozenset({"VD", "DP"}),
)
"""Fields that together give an allele's reads."""
_FRACTION_DECIMALS = 6
"""VCF in memory has single precision: 0.02 would be less than 0.02."""

NO_SUPPORT: tuple[None, None, None] = (None, None, None)


@dataclass(frozen=True)
class Allele:
    """One alternative allele of a line.

    Parameters
    ----------
    reference, alternate : str
    index : int
        1 for the line's first alternative.
    alternates : int
        How many the line has.
    reference_first : frozenset of str
        FORMAT fields that the header declares to have a number of the reference, too (Number=R).
    """

    reference: str
    alternate: str
    index: int
    alternates: int
    reference_first: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Reads:
    """Reads of an allele, of the alleles it is compared with, and of all alleles where they are known."""

    alternate: int
    compared: int
    all_alleles: int | None = None


def read_support(
    call: Mapping[str, Any], allele: Allele, place: str
) -> tuple[int | None, int | None, float | None]:
    """Return depth, reads of the allele and its fraction, each None where the call does not state it.

    Parameters
    ----------
    call : mapping
        The sample's FORMAT fields.
    allele : Allele
    place : str
        File and position, for an error.

    Raises
    ------
    VariantsFileError
        When a fraction is not between 0 and 1.
    """
    reads = next(_reads(call, allele), None)
    depth = _whole(call.get("DP"))
    if depth is None and reads is not None:
        depth = reads.all_alleles
    fraction = _stated_fraction(call, allele, place)
    if fraction is None and reads is not None and reads.compared:
        fraction = reads.alternate / reads.compared
    return depth, None if reads is None else reads.alternate, fraction


def known_support(formats: Collection[str]) -> frozenset[Known]:
    """Return what FORMAT fields of these names say about a call."""
    names = frozenset(formats)
    reads = any(fields <= names for fields in _READS_OF)
    known = {Known.DEPTH} if reads or "DP" in names else set()
    if reads:
        known |= {Known.ALTERNATE_READS, Known.ALLELE_FRACTION}
    if names & frozenset(_FRACTIONS):
        known |= {Known.ALLELE_FRACTION}
    return frozenset(known)


def _reads(call: Mapping[str, Any], allele: Allele) -> Iterator[_Reads]:
    """Yield what each caller's fields say, the surest first."""
    for one in (_allele_depths(call, allele), _freebayes(call, allele), _strelka(call, allele)):
        if one is not None:
            yield one
    if (alone := _lone(call.get("VD"), allele)) is not None and (depth := _whole(call.get("DP"))) is not None:
        yield _Reads(alone, depth)


def _allele_depths(call: Mapping[str, Any], allele: Allele) -> _Reads | None:
    """Read AD: one number an allele, or VarScan's of the alternative alone next to RD."""
    depths = _numbers(call.get("AD"))
    if len(depths) == allele.alternates + 1 and (reads := depths[allele.index]) is not None:
        total = sum(depth or 0 for depth in depths)
        return _Reads(reads, total, total)
    alone, reference = _lone(call.get("AD"), allele), _whole(call.get("RD"))
    if alone is None or reference is None:
        return None
    return _Reads(alone, alone + reference, alone + reference)


def _freebayes(call: Mapping[str, Any], allele: Allele) -> _Reads | None:
    alternates, reference = _numbers(call.get("AO")), _whole(call.get("RO"))
    if len(alternates) != allele.alternates or reference is None:
        return None
    reads, total = alternates[allele.index - 1], reference + sum(one or 0 for one in alternates)
    return None if reads is None else _Reads(reads, total, total)


def _strelka(call: Mapping[str, Any], allele: Allele) -> _Reads | None:
    """Read tier 1 of Strelka's counts; the depth stays DP, which counts other bases, too."""
    fields = f"{allele.reference}U".upper(), f"{allele.alternate}U".upper()
    if not (_STRELKA_BASES.issuperset(fields) and all(name in call for name in fields)):
        fields = ("TAR", "TIR")
    reference, reads = (next(iter(_numbers(call.get(name))), None) for name in fields)
    if reference is None or reads is None:
        return None
    return _Reads(reads, reads + reference, reads + reference)


def _stated_fraction(call: Mapping[str, Any], allele: Allele, place: str) -> float | None:
    for name in _FRACTIONS:
        entries = _with_points(_entries(call.get(name)))
        has_reference = len(entries) == allele.alternates + 1 and _begins_with_reference(
            name, entries, allele
        )
        if len(entries) != allele.alternates and not has_reference:
            continue
        entry = entries[allele.index - 1 + has_reference]
        fraction = _fraction(entry)
        if fraction is None:
            continue
        if not 0 <= fraction <= 1:
            raise VariantsFileError(
                f"{place}: {name} {entry} is not an allele fraction",
                "state it from 0 to 1, or with a percent sign",
            )
        return fraction
    return None


def _with_points(entries: Sequence[str]) -> Sequence[str]:
    """Return one percentage with a decimal comma, which was split at it, as one entry."""
    match = _DECIMAL_COMMA.fullmatch(",".join(entries))
    return [f"{match[1]}.{match[2]}"] if match else entries


def _begins_with_reference(name: str, entries: Sequence[str], allele: Allele) -> bool:
    """Say whether the first of the fractions is the reference's: so declared, or all together make 1.

    A line that was split without its fractions keeps those of alleles that are no longer there.
    """
    fractions = [fraction for entry in entries if (fraction := _fraction(entry)) is not None]
    return name in allele.reference_first or (
        len(fractions) == len(entries) and abs(sum(fractions) - 1) <= _ABOUT_ONE
    )


def _fraction(entry: Any) -> float | None:
    text = str(entry).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if math.isnan(number):
        return None
    return round(number / 100 if text.endswith("%") else number, _FRACTION_DECIMALS)


def _lone(value: Any, allele: Allele) -> int | None:
    """Return a number that a caller gives once a line; of several alternatives it says nothing."""
    numbers = _numbers(value)
    return numbers[0] if len(numbers) == 1 and allele.alternates == 1 else None


def _whole(value: Any) -> int | None:
    numbers = _numbers(value)
    return numbers[0] if len(numbers) == 1 else None


def _numbers(value: Any) -> list[int | None]:
    return [int(text) if text.isascii() and text.isdigit() else None for text in _entries(value)]


def _entries(value: Any) -> Sequence[str]:
    """Return a field's entries as text: a field that the header does not declare comes as one text."""
    if value is None:
        return ()
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return [part for part in str(value).split(",") if part.lower() not in NOT_STATED]


# VCF and BCF through pysam: one sample's alternative alleles with depth, fraction and annotation.


_VCF_HINT = "give a VCF or BCF, plain or gzipped, as the variant caller wrote it"
_NORMAL_NAMES = frozenset({"normal", "germline", "blood"})
_TUMOUR_NAMES = frozenset({"tumor", "tumour"})
_NO_VARIANT = frozenset({"*", "<*>", "<NON_REF>", "."})
"""Alternatives that stand for an allele that is missing, any other, or none."""
_STRUCTURAL_FROM_BASES = 50
"""Gain or loss from which dbVar calls a variant structural."""
_ALWAYS_STRUCTURAL = frozenset({"BND", "TRA", "CNV"})
_MOST_SAMPLES = 20
_BGZF_EXTRA = slice(12, 14)
_ALWAYS_UNPACKED_BYTES = 64 << 20
_MOST_UNPACKED_BYTES = 8 << 30
_HIGHEST_RATIO = 200
"""Files of variants pack to between a fifth and a fiftieth; a bomb to a thousandth."""
_FOREIGN = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    NotImplementedError,
    OverflowError,
    EOFError,
)
"""What pysam raises at damaged files; IndexError at a line without the sample's column."""


@dataclass(frozen=True)
class _Samples:
    """Which sample is the tumour's, whether a normal one is known, and what is odd about the choice."""

    tumour: str | None
    matched_normal: bool | None
    caution: str = ""


@dataclass
class _Lines:
    """What was met while the lines were read, for the cautions."""

    variants: int = 0
    of_sample: int = 0
    no_calls: int = 0
    flagged_somatic: int = 0


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
    pysam = import_extra("pysam", "tmb")
    loud = pysam.set_verbosity(0)  # htslib's own lines on stderr say nothing to a user
    try:
        with _readable(path) as readable, pysam.VariantFile(readable) as file:
            return _read(file, path, sample)
    except VariantsFileError:
        raise
    except (*_FOREIGN, zlib.error) as error:
        problem = _one_line(error, path)
        raise VariantsFileError(f"{path}: not readable as VCF: {problem}", _VCF_HINT) from error
    finally:
        pysam.set_verbosity(loud)


@contextmanager
def _readable(path: Path) -> Iterator[str]:
    """Yield a path that htslib can read: it reads bgzip, but not every gzip file that is none."""
    with path.open("rb") as file:
        start = file.read(16)
    if not is_gzipped(start) or start[_BGZF_EXTRA] == b"BC":
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="cxpath-") as folder:
        unpacked = Path(folder) / "unpacked.vcf"
        _unpack(path, unpacked)
        yield str(unpacked)


def _unpack(path: Path, unpacked: Path) -> None:
    """Unpack a gzip file that contains a VCF or BCF, and no more of it than such a file can contain.

    Raises
    ------
    VariantsFileError
        When it contains something else, or far more than variants pack to.
    """
    most = max(_ALWAYS_UNPACKED_BYTES, min(_MOST_UNPACKED_BYTES, _HIGHEST_RATIO * path.stat().st_size))
    with gzip.open(path, "rb") as packed, unpacked.open("wb") as out:
        while block := packed.read(1 << 20):
            if not out.tell() and not block.startswith((b"##fileformat=VCF", b"BCF")):
                raise VariantsFileError(f"{path}: not readable as VCF: no VCF is packed in it", _VCF_HINT)
            out.write(block)
            if out.tell() > most:
                raise VariantsFileError(
                    f"{path}: unpacks to more than {most >> 20} MiB, too much for a file of variants",
                    "unpack it and look at it",
                )


def _read(file: Any, path: Path, wanted: str | None) -> SampleVariants:
    samples = _samples(file.header, wanted, path)
    reader = _Reader(
        tumour=samples.tumour,
        annotation=annotation_of(file.header, path),
        asked=tuple(name for name in ASKED if name in file.header.info),
        status=status_field(file.header),
        reference_first=frozenset(name for name, one in file.header.formats.items() if one.number == "R"),
        flags_somatic="SOMATIC" in file.header.info and file.header.info["SOMATIC"].type == "Flag",
        file=path,
    )
    lengths, names = _lengths(file.header), list(file.header.contigs)
    variants = tuple(variant for record in file for variant in reader.variants(record))
    return SampleVariants(
        sample=samples.tumour or path.name.split(".")[0],
        variants=variants,
        known=reader.known(file.header),
        status_field=reader.status[1] if reader.status is not None else "",
        matched_normal=samples.matched_normal,
        assembly=assembly_of(lengths) or assembly_of_accessions(names) or _named_assembly(file.header, path),
        chromosome_lengths=lengths,
        declared_chromosomes=frozenset(map(plain_chromosome, names)),
        cautions=(*filter(None, [samples.caution]), *reader.cautions()),
    )


def _samples(header: Any, wanted: str | None, path: Path) -> _Samples:
    names = list(header.samples)
    normals = [n for n in names if n in _stated(header, "normal_sample") or n.lower() in _NORMAL_NAMES]
    if wanted is not None and wanted not in names:
        raise VariantsFileError(f"{path}: no sample {wanted!r}", f"samples: {_listed(names) or 'none'}")
    candidates = [name for name in names if name in _stated(header, "tumor_sample")]
    candidates = candidates or [name for name in names if name.lower() in _TUMOUR_NAMES]
    if wanted is None and len(names) > 1 and len(candidates) != 1:
        raise VariantsFileError(f"{path}: contains {len(names)} samples", f"pass --sample: {_listed(names)}")
    chosen = wanted or next(iter(candidates or names), None)
    caution = f"by its header, {printable(chosen or '')} is the normal sample, not the tumour's"
    others = [name for name in normals if name != chosen]
    return _Samples(chosen, True if others else None, caution if chosen in normals else "")


def _stated(header: Any, key: str) -> frozenset[str]:
    """Return what the lines of this key in the header state, such as "##tumor_sample=T1"."""
    return frozenset(str(one.value) for one in header.records if one.type == "GENERIC" and one.key == key)


def _listed(names: list[str]) -> str:
    shown = [printable(name) for name in names[:_MOST_SAMPLES]]
    return ", ".join([*shown, *(["…"] if len(names) > len(shown) else [])])


@dataclass(frozen=True)
class _Reader:
    """What is read from each line, and for whom."""

    tumour: str | None
    annotation: Annotation | None
    asked: tuple[str, ...]
    status: tuple[str, str] | None
    reference_first: frozenset[str]
    flags_somatic: bool
    file: Path
    lines: _Lines = field(default_factory=_Lines)

    def variants(self, record: Any) -> Iterator[Variant]:
        """Yield the alleles of a line that the sample has."""
        call = dict(record.samples[self.tumour].items()) if self.tumour is not None else None
        alternates = len(record.alleles or ())
        self.lines.variants += any(name not in _NO_VARIANT for name in (record.alleles or ())[1:])
        for index in _called(call, alternates):
            if record.alleles[index] in _NO_VARIANT:
                continue
            variant = self._variant(record, index, call)
            if _is_no_call(call, variant):
                self.lines.no_calls += 1
                continue
            self.lines.of_sample += 1
            self.lines.flagged_somatic += self.flags_somatic and "SOMATIC" in record.info
            yield variant

    def _variant(self, record: Any, index: int, call: Mapping[str, Any] | None) -> Variant:
        annotation = self.annotation
        consequence, named = annotation.read(record, index) if annotation is not None else (None, {})
        alternate, alternates = str(record.alleles[index]), len(record.alleles) - 1
        allele = Allele(str(record.ref), alternate, index, alternates, self.reference_first)
        place = f"{self.file}: {record.chrom}:{record.pos}"
        depth, reads, fraction = read_support(call, allele, place) if call is not None else NO_SUPPORT
        variant = Variant(
            chromosome=plain_chromosome(record.chrom),
            position=record.pos,
            reference=allele.reference,
            alternate=allele.alternate,
            structural=_is_structural(record, allele),
            passed=_passed(record),
            somatic=self._somatic(record, call),
            consequence=consequence,
            depth=depth,
            alternate_reads=reads,
            allele_fraction=fraction,
        )
        info = {name: _of_allele(record, name, index) for name in self.asked if name in record.info}
        entries = {name: (*named.get(name, ()), *info.get(name, ())) for name in ASKED}
        return with_databases(variant, entries, place)

    def _somatic(self, record: Any, call: Mapping[str, Any] | None) -> bool | None:
        if self.status is None:
            return None
        section, name = self.status
        value = record.info.get(name) if section == "INFO" else (call or {}).get(name)
        return None if value is None else is_somatic(_text(value))

    def known(self, header: Any) -> frozenset[Known]:
        """Return what the file says about its variants at all."""
        annotation = self.annotation
        known = {Known.FILTER} | known_by(set(header.info) | set(annotation.names if annotation else ()))
        if annotation is not None:
            known |= {Known.CONSEQUENCE}
        if self.status is not None:
            known |= {Known.SOMATIC}
        return frozenset(known) | known_support(header.formats if self.tumour is not None else ())

    def cautions(self) -> Iterator[str]:
        """Yield what did not fit.

        Raises
        ------
        VariantsFileError
            When no entry of the annotation is in the words of the Sequence Ontology.
        """
        yield from self._cautions_of_calls()
        if self.annotation is None:
            return
        misfits = self.annotation.misfits
        if misfits.terms and not misfits.understood:
            raise VariantsFileError(
                f"{self.file}: INFO {self.annotation.info_field} has no term of the Sequence Ontology, but "
                f"{counted_words(misfits.terms)}",
                "annotate with VEP or snpEff, without their older words",
            )
        yield from misfits.cautions(f"INFO {self.annotation.info_field}")

    def _cautions_of_calls(self) -> Iterator[str]:
        lines = self.lines
        if lines.no_calls:
            alleles = counted(lines.no_calls, "allele is", "alleles are")
            yield f"{alleles} left out: the sample has no call there (GT ./.) and no reads of it are stated"
        if lines.variants and not lines.of_sample:
            yield (
                f"the sample {printable(self.tumour or '')} has none of the {lines.variants} variants of the "
                "file: is it the tumour's?"
            )
        if 0 < lines.flagged_somatic < lines.of_sample:
            yield (
                f"INFO SOMATIC marks {lines.flagged_somatic} of {lines.of_sample} variants; the others are "
                "kept, although they may be germline"
            )


def _is_no_call(call: Mapping[str, Any] | None, variant: Variant) -> bool:
    """Say whether the genotype is missing and nothing shows that the sample has the allele.

    Merged files have such lines for what was called in another sample.
    """
    genotype = call.get("GT") if call is not None else None
    if not isinstance(genotype, tuple) or any(allele is not None for allele in genotype):
        return False
    reads = variant.depth if variant.alternate_reads is None else variant.alternate_reads
    return not reads and not variant.allele_fraction


def _called(call: Mapping[str, Any] | None, alleles: int) -> list[int]:
    """Return the alternative alleles that the sample has; all of them where no genotype is given."""
    genotype = call.get("GT") if call is not None else None
    if not isinstance(genotype, tuple) or all(allele is None for allele in genotype):
        return list(range(1, alleles))
    return sorted({allele for allele in genotype if allele and allele < alleles})


def _passed(record: Any) -> bool | None:
    """Say whether a line passed the caller's filters; None where none was run (".")."""
    names = list(record.filter.keys())
    return [name.upper() for name in names] == ["PASS"] if names else None


def _is_structural(record: Any, allele: Allele) -> bool:
    """Say whether INFO SVTYPE calls an allele structural; Pindel gives it to short indels, too."""
    if "SVTYPE" not in record.info:
        return False
    length_change = abs(len(allele.alternate) - len(allele.reference))
    return length_change >= _STRUCTURAL_FROM_BASES or _text(record.info["SVTYPE"]) in _ALWAYS_STRUCTURAL


def _of_allele(record: Any, name: str, index: int) -> tuple[str, ...]:
    """Return an INFO field's entries for one allele: by the declared Number, or by how many there are."""
    value = record.info[name]
    if not isinstance(value, tuple):
        return (str(value),)
    alternates = len(record.alleles) - 1
    declared = record.header.info[name].number
    if declared == "R" and len(value) == alternates + 1:
        return (str(value[index]),)
    if len(value) == alternates and declared in {"A", "."}:
        return (str(value[index - 1]),)
    return tuple(map(str, value))


def _named_assembly(header: Any, path: Path) -> str | None:
    named = " ".join(str(record) for record in header.records if record.key in {"reference", "assembly"})
    return assembly_in(f"{path.name} {named}")


def _lengths(header: Any) -> dict[str, int]:
    return {plain_chromosome(name): contig.length for name, contig in header.contigs.items() if contig.length}


def _one_line(error: BaseException, path: Path) -> str:
    """Return an error's text without line ends and without the place where a copy was unpacked."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"\S*cxpath-\S*unpacked\.vcf", path.name, text)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
