"""The story of a TMB: variants, panel and preset in; the burden of each sample out, or one line why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxpath.data.settings import bundled, read_settings
from cxpath.data.variants import GenomeIntervals, SampleVariants
from cxpath.documents.tmb import SampleBurden, TmbDocument, TmbTable
from cxpath.errors import ConfigurationError, MissingFileError, VariantsFileError
from cxpath.io.atomic import is_gzipped, output_error
from cxpath.io.variants import read_bed, read_maf, read_vcf
from cxpath.patient.tmb import (
    STATED_NOTHING,
    Burden,
    Circumstances,
    Preset,
    mutational_burden,
    require_annotation,
)
from cxpath.version import __version__

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
    panel = _panel(request)
    megabases = request.megabases if panel is None else panel.bases / 1e6
    samples = _samples(request)
    burdens = []
    for sample in samples:
        require_annotation(sample, preset, request.variants)
        _require_one_assembly(sample, panel, request)
        burdens.append(mutational_burden(sample, preset, float(megabases or 0), panel, request.circumstances))
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


def _preset(name: str) -> Preset:
    if name not in list_presets():
        raise ConfigurationError(
            f"preset {name!r} is not known", f"known presets: {', '.join(list_presets())}"
        )
    return read_settings(Preset, bundled("configs") / "tmb" / f"{name}.toml", "restore the preset's file")


def _panel(request: TmbRequest) -> GenomeIntervals | None:
    if (request.bed is None) == (request.megabases is None):
        raise ConfigurationError("the size of what was sequenced is not clear", "pass --bed or --megabases")
    if request.megabases is not None and request.megabases <= 0:
        raise ConfigurationError("--megabases must be above 0", "pass the megabases that were sequenced")
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
            f"{request.callable_bed}: no base of it lies in {request.bed}",
            "check that both are of one assembly",
        )
    return common


def _samples(request: TmbRequest) -> list[SampleVariants]:
    path = request.variants
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    if _is_vcf(path):
        return [read_vcf(path, request.sample)]
    samples = read_maf(path)
    if request.sample is None:
        return samples
    wanted = [one for one in samples if one.sample == request.sample]
    if not wanted:
        shown = ", ".join(one.sample for one in samples[:5])
        raise VariantsFileError(f"{path}: no sample {request.sample!r}", f"it holds {shown}, …")
    return wanted


def _is_vcf(path: Path) -> bool:
    if path.name.lower().endswith(_VCF_ENDINGS):
        return True
    with path.open("rb") as file:
        start = file.read(16)
    return start.startswith(b"##fileformat=VCF") or (is_gzipped(start) and ".vcf" in path.name.lower())


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
