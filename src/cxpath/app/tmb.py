"""The story of a TMB: variants, panel and preset in; the burden of each sample out, or one line why not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cxpath import __version__
from cxpath.data import GenomeIntervals, SampleVariants, bundled, read_settings
from cxpath.documents import SampleBurden, TmbDocument, TmbTable
from cxpath.errors import ConfigurationError, MissingFileError, VariantsFileError
from cxpath.io import is_gzipped, output_error, read_bed, read_maf, read_vcf
from cxpath.patient import (
    STATED_NOTHING,
    Burden,
    Circumstances,
    Preset,
    mutational_burden,
    require_annotation,
)

_GENOME_MEGABASES = 3200
"""A human genome has 3,100 to 3,200 Mb, with what no assembly places."""
_VCF_ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")


@dataclass(frozen=True)
class TmbRequest:
    """What `cxpath tmb` was asked for.

    Parameters
    ----------
    variants : Path
        VCF, BCF or MAF.
    preset : str
    bed, callable_bed : Path or None
        The panel; where the depth was enough.
    megabases : float or None
        In place of a BED.
    sample : str or None
    circumstances : Circumstances
    """

    variants: Path
    preset: str
    bed: Path | None = None
    callable_bed: Path | None = None
    megabases: float | None = None
    sample: str | None = None
    circumstances: Circumstances = STATED_NOTHING


def list_presets() -> list[str]:
    """Return the names of all presets."""
    return sorted(path.stem for path in (bundled("configs") / "tmb").glob("*.toml"))


def tmb_document(request: TmbRequest) -> TmbDocument | TmbTable:
    """Compute the burden of a sample, or of every sample of a MAF, as `tmb.json` states it.

    Raises
    ------
    ConfigurationError
        When the preset is unknown, or neither or both of BED and megabases are given.
    VariantsFileError, MissingFileError
        When a file cannot be used, with the reason.
    """
    preset = _preset(request.preset)
    _require_share(request.circumstances.purity)
    panel = _panel(request)
    megabases = request.megabases if panel is None else panel.bases / 1e6
    samples = _read_samples(request)
    _require_common_chromosomes(samples, panel, request)
    burdens = []
    for sample in _chosen(samples, request):
        require_annotation(sample, preset, request.variants)
        _require_one_assembly(sample, panel, request)
        cautioned = replace(sample, cautions=(*_outside(sample, panel), *sample.cautions))
        burdens.append(
            mutational_burden(cautioned, preset, float(megabases or 0), panel, request.circumstances)
        )
    return _document(burdens)


def write_tmb(out: Path, document: TmbDocument | TmbTable) -> Path:
    """Write `tmb.json` into a folder; returns its path."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    document.write(out / "tmb.json")
    return out / "tmb.json"


def _document(burdens: Sequence[Burden]) -> TmbDocument | TmbTable:
    samples = tuple(map(SampleBurden.of_burden, burdens))
    if len(samples) == 1:
        return TmbDocument(cxpath=__version__, **dict(samples[0]))
    return TmbTable(cxpath=__version__, samples=samples)


def _require_share(purity: float | None) -> None:
    if purity is not None and not 0 <= purity <= 1:
        raise ConfigurationError(f"--purity is {purity}", "pass the share of tumour cells, from 0 to 1")


def _preset(name: str) -> Preset:
    if name not in list_presets():
        raise ConfigurationError(
            f"preset {name!r} is not known", f"known presets: {', '.join(list_presets())}"
        )
    return read_settings(Preset, bundled("configs") / "tmb" / f"{name}.toml", "restore the preset's file")


def _panel(request: TmbRequest) -> GenomeIntervals | None:
    if (request.bed is None) == (request.megabases is None):
        raise ConfigurationError("the size of the sequenced region is not clear", "pass --bed or --megabases")
    if request.megabases is not None and not 0 < request.megabases <= _GENOME_MEGABASES:
        raise ConfigurationError(
            f"--megabases must be above 0 and at most {_GENOME_MEGABASES}, the whole genome",
            "pass the megabases that were sequenced",
        )
    if request.bed is None:
        if request.callable_bed is not None:
            raise ConfigurationError("--callable needs --bed", "pass the panel with --bed")
        return None
    panel = read_bed(request.bed)
    if request.callable_bed is None:
        return panel
    common = panel.within(read_bed(request.callable_bed))
    if not common.bases:
        raise VariantsFileError(
            f"{request.callable_bed}: none of its bases lies in {request.bed}",
            "check that both are of one assembly",
        )
    return common


def _read_samples(request: TmbRequest) -> list[SampleVariants]:
    path = request.variants
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    return [read_vcf(path, request.sample)] if _is_vcf(path) else read_maf(path)


def _chosen(samples: list[SampleVariants], request: TmbRequest) -> list[SampleVariants]:
    """Return the sample that was asked for; all where none was, or where a VCF has been read for it."""
    if request.sample is None or _is_vcf(request.variants):
        return samples
    wanted = [one for one in samples if one.sample == request.sample.strip()]
    if not wanted:
        shown = _some(one.sample for one in samples)
        raise VariantsFileError(f"{request.variants}: no sample {request.sample!r}", f"samples: {shown}")
    return wanted


def _is_vcf(path: Path) -> bool:
    if path.name.lower().endswith(_VCF_ENDINGS):
        return True
    return _start(path).removeprefix(b"\xef\xbb\xbf").startswith((b"##fileformat=VCF", b"BCF"))


def _start(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked where it is gzipped."""
    with path.open("rb") as file:
        start = file.read(32)
    if not is_gzipped(start):
        return start
    try:
        with gzip.open(path, "rb") as packed:
            return packed.read(32)
    except (OSError, EOFError, zlib.error):
        return b""


def _require_common_chromosomes(
    samples: Sequence[SampleVariants], panel: GenomeIntervals | None, request: TmbRequest
) -> None:
    """Refuse a BED that contains no chromosome of the variants' file: the burden would be 0 in any case."""
    present = frozenset(name for sample in samples for name in sample.chromosomes)
    if panel is None or not present or present & panel.bounds.keys():
        return
    raise VariantsFileError(
        f"{request.bed}: contains no chromosome of {request.variants} "
        f"({_some(panel.bounds)} against {_some(present)})",
        "give the BED of the assembly and the names that the variants were called with",
    )


def _outside(sample: SampleVariants, panel: GenomeIntervals | None) -> Iterator[str]:
    """Yield a caution where bases of the BED lie on chromosomes that the header does not declare."""
    if panel is None or not sample.declared_chromosomes:
        return
    strange = [name for name in panel.bounds if name not in sample.chromosomes]
    if strange:
        bases = GenomeIntervals({name: panel.bounds[name] for name in strange}).bases
        yield (
            f"{bases / 1e6:.3g} of the BED's {panel.bases / 1e6:.4g} Mb lie on chromosomes that the file of "
            f"variants does not declare ({_some(strange)}): no variant can be found there"
        )


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join([*ordered[:4], *(["…"] if len(ordered) > 4 else [])])


def _require_one_assembly(sample: SampleVariants, panel: GenomeIntervals | None, request: TmbRequest) -> None:
    if panel is None:
        return
    if sample.assembly and panel.assembly and sample.assembly != panel.assembly:
        raise VariantsFileError(
            f"{request.bed}: is of {panel.assembly}, but {request.variants} is of {sample.assembly}",
            "give the panel's BED of the same assembly",
        )
    for name, bounds in panel.bounds.items():
        length = sample.chromosome_lengths.get(name)
        if length is not None and int(bounds[-1, 1]) > length:
            raise VariantsFileError(
                f"{request.bed}: reaches beyond the end of chromosome {name} of {request.variants}",
                "give the panel's BED of the same assembly",
            )
