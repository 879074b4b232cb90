"""VCF and BCF through pysam: one sample's alternative alleles with depth, fraction and annotation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysam

from cxpath.exchange.annotation_names import ASKED, known_by, with_databases
from cxpath.exchange.assembly import assembly_in, assembly_of
from cxpath.exchange.vcf_annotation import Annotation, annotation_of
from cxpath.values.errors import MissingFileError, VariantsFileError
from cxpath.values.genome_intervals import plain_chromosome
from cxpath.values.variants import Known, SampleVariants, Variant

_HINT = "give a VCF or BCF, plain or gzipped, as the variant caller wrote it"
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
                known=_known(file.header, annotation, samples.tumour),
                matched_normal=samples.matched_normal,
                assembly=_assembly(file.header, path),
                chromosome_lengths=_lengths(file.header),
            )
    except (OSError, ValueError, IndexError) as error:  # IndexError: a line without the sample's column
        if isinstance(error, VariantsFileError):
            raise
        raise VariantsFileError(f"{path}: not readable as VCF: {error}", _HINT) from error
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


def _known(header: Any, annotation: Annotation | None, tumour: str | None) -> frozenset[Known]:
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
