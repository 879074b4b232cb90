"""The settings of a run, and the options of `cxpath score`: read, merged and checked before any work."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cxpath.data import Reason, ReasonCode, Settings, bundled, parse_toml, refuse_pipe
from cxpath.errors import AssayError, ConfigurationError, MissingFileError
from cxpath.io import RegionClasses
from cxpath.network import NetworkSettings
from cxpath.pipeline import CellSettings, PipelineSettings, TileSettings
from cxpath.scores import (
    ASSAY_BOUND,
    COMPARTMENTS,
    Assay,
    Cutoff,
    SamplingSettings,
    ScoringSettings,
    require_intensity_thresholds,
)
from cxpath.slide import SlideSettings, pseudonym, pseudonym_key
from cxpath.tissue import ControlSettings, TissueSettings

# Reading the assay files that travel with cxpath.


UNKNOWN = "unknown"


def list_assays() -> list[str]:
    """Return the names of all known assays."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def read_assay(name: str) -> Assay:
    """Read an assay by name, whatever its case, dashes and spaces: "22C3", "28-8" and "288" are found.

    Raises
    ------
    AssayError
        When there is no such assay, with the names there are.
    """
    wanted = _plain(name)
    for known in list_assays():
        if _plain(known) == wanted:
            path = _folder() / f"{known}.toml"
            return _read(path, path.stat().st_mtime_ns)
    raise AssayError(f"assay {name!r} is not known", f"known assays: {', '.join(list_assays())}")


def _folder() -> Path:
    return bundled("configs") / "assays"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(maxsize=64)
def _read(path: Path, _changed_ns: int) -> Assay:
    """Read an assay's file once, until it changes: a worklist of thousands names it in every row."""
    try:
        return Assay.model_validate(parse_toml(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise AssayError(f"{path}: {str(error).splitlines()[0]}", "restore the assay file") from error


# The configuration of a run: defaults, then a TOML file, then single settings; checked as a whole.


class ReportSettings(Settings):
    """Section `[report]`: what is pictured."""

    fields: int = Field(default=12, ge=0, le=50)
    """How many of the most influential fields are pictured; their side is `scoring.field_um`."""

    bucket_fields: int = Field(default=2, ge=0, le=20)
    """How many fields of each range of local CPS (0, below 1, below 10, 10 and more) are pictured with them,
    sampled at random in proportion to tumour cells."""

    field_mpp: float = Field(default=0.5, gt=0.05, le=4)
    """Resolution of the pictures of fields, µm/px."""

    heatmap_um: float = Field(default=150.0, gt=10)
    """Side of a square of the heat map, µm."""

    heatmap_fewest_tumour_cells: int = Field(default=5, ge=1)
    """A square with fewer shows no local CPS."""


class PictureSettings(ReportSettings):
    """Section `[report]`, and the side of a field as scores know it."""

    field_um: float
    """As `scoring.field_um`: what is pictured is what was ranked."""


class Configuration(Settings):
    """All sections of `configs/default.toml`."""

    slide: SlideSettings = SlideSettings()
    tissue: TissueSettings = TissueSettings()
    controls: ControlSettings = ControlSettings()
    regions: RegionClasses = RegionClasses()
    tiles: TileSettings = TileSettings()
    network: NetworkSettings = NetworkSettings()
    cells: CellSettings = CellSettings()
    scoring: ScoringSettings = ScoringSettings()
    adaptive: SamplingSettings = SamplingSettings()
    report: ReportSettings = ReportSettings()

    @property
    def pipeline(self) -> PipelineSettings:
        """The sections that lead from a slide to its cells."""
        return PipelineSettings(tiles=self.tiles, network=self.network, cells=self.cells)

    @property
    def pictures(self) -> PictureSettings:
        """What is pictured, in fields of the size that scores use."""
        return PictureSettings(**self.report.model_dump(), field_um=self.scoring.field_um)

    def digest(self) -> str:
        """Return the SHA-256 of all effective values, as JSON with sorted keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def load_configuration(file: Path | None = None, settings: Sequence[str] = ()) -> Configuration:
    """Read a configuration.

    Parameters
    ----------
    file : Path, optional
        TOML with any of the sections of `configs/default.toml`.
    settings : sequence of str
        Single values as "section.key=VALUE" or "section.part.key=VALUE", the value in TOML; they win over
        the file.

    Raises
    ------
    ConfigurationError
        On an unknown key or a value out of range, naming it.
    MissingFileError
        When the file does not exist.
    """
    values: dict[str, Any] = _read_toml(file) if file else {}
    for setting in settings:
        values = _merge(values, _parse_setting(setting))
    return _validate(values, str(file) if file else "--set")


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        refuse_pipe(file)
        return parse_toml(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError(f"{file}: no such configuration file", "check the path") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file}: not readable as TOML: {error}", "see configs/default.toml"
        ) from error


def _parse_setting(setting: str) -> dict[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or key.count(".") not in {1, 2}:
        raise ConfigurationError(f"--set {setting!r} is not section.key=VALUE", "such as scoring.level=0.9")
    try:
        return parse_toml(f"{key.strip()} = {value}")
    except ValueError:
        pass
    try:  # a bare word is meant as text: --set tissue.stain_check=off
        return parse_toml(f"{key.strip()} = {json.dumps(value.strip())}")
    except ValueError as error:
        raise ConfigurationError(f"--set {setting!r}: {error}", "write the value as in TOML") from error


def _merge(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _validate(values: dict[str, Any], source: str) -> Configuration:
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = "no such setting" if first["type"] == "extra_forbidden" else first["msg"].lower()
        raise ConfigurationError(f"{source}: {where}: {reason}", "see configs/default.toml") from error


# What a user asks for when scoring one slide: the options of `cxpath score`, checked before any work.

PDL1 = "pdl1"
WHOLE, ADAPTIVE = "whole", "adaptive"
CERVIX = "cervix"
REFERENCE_ASSAY = "22c3"
"""Whose cut-offs are shown for an unstated assay, with a warning."""


@dataclass(frozen=True)
class ScoreRequest:
    """One slide and how to score it.

    Parameters
    ----------
    slide : Path
    out : Path, optional
        Results folder; `./cxpath-out/<stem>` by default.
    overwrite : bool
        Replace an earlier result.
    mpp : float, optional
        Micrometres per pixel, where the file does not say or is wrong.
    assay : str
        Name of an assay, or "unknown".
    tumour : str
        "cervix", or another tumour with `research`.
    research : bool
        Compute scores that the assay does not support.
    regions : Path, optional
        Annotated regions (QuPath GeoJSON, or XML of ASAP, ImageScope or HALO).
    cells : Path, optional
        Cells to score instead of running the network (Parquet, CSV, QuPath GeoJSON or measurement table).
    profile : Path, optional
        A laboratory's profile (`cxpath review adapt --save-profile`), by which the calls are adapted.
    class_map : Path, optional
        What the class names of those cells mean (TOML); the bundled map by default.
    ignore_classes : tuple of str
        Classes of drawn regions and of given cells that are left out.
    marker : str
        "pdl1", "her2", "egfr" or "vegf".
    mode : str
        "whole" reads all tissue; "adaptive" only so many fields that the score is narrow or clear enough.
    model : str
        Name of a bundled model, or a folder.
    device : str
        "auto", "cpu" or "cuda".
    pseudonym : bool
        Replace the slide's name by a keyed hash everywhere.
    configuration : Configuration
    """

    slide: Path
    out: Path | None = None
    overwrite: bool = False
    mpp: float | None = None
    assay: str = UNKNOWN
    tumour: str = CERVIX
    research: bool = False
    regions: Path | None = None
    cells: Path | None = None
    profile: Path | None = None
    class_map: Path | None = None
    ignore_classes: tuple[str, ...] = ()
    marker: str = PDL1
    mode: str = WHOLE
    model: str = "small"
    device: str = "auto"
    pseudonym: bool = False
    configuration: Configuration = field(default_factory=Configuration)

    @property
    def shown_name(self) -> str | None:
        """The pseudonym, or None to show the file's own name."""
        if not self.pseudonym:
            return None
        return pseudonym(self.slide.name, pseudonym_key())

    @property
    def folder(self) -> Path:
        """Where the results go."""
        stem = self.shown_name or self.slide.stem or self.slide.name
        return self.out or Path("cxpath-out") / stem

    def check(self) -> Assay | None:
        """Refuse what cannot be asked, before anything is read; return the assay when it was stated.

        Raises
        ------
        AssayError
            Unknown assay, or one that does not support the score asked of it.
        ConfigurationError
            Unknown marker, mode or tumour, or a marker without the lab's intensity cuts.
        """
        if self.class_map and not self.cells:
            raise ConfigurationError(
                "--class-map without --cells", "pass the cells whose classes it explains"
            )
        self._check_mode()
        self._check_profile()
        if self.marker != PDL1:
            if self.marker not in COMPARTMENTS:
                known = ", ".join((PDL1, *COMPARTMENTS))
                raise ConfigurationError(f"marker {self.marker!r} is unknown", f"known markers: {known}")
            require_intensity_thresholds(self.marker, self.configuration.scoring)
        if self.tumour != CERVIX and not self.research:
            raise ConfigurationError(
                f"tumour {self.tumour!r} is not supported: cxpath scores {CERVIX}",
                "pass --research to score it nevertheless, for research only",
            )
        if self.assay.lower() == UNKNOWN:
            return None
        assay = read_assay(self.assay)
        if not self.research and self.marker == PDL1:
            assay.require("cps", self.tumour)
        return assay

    def _check_mode(self) -> None:
        if self.mode not in (WHOLE, ADAPTIVE):
            raise ConfigurationError(f"mode {self.mode!r} is unknown", f"known modes: {WHOLE}, {ADAPTIVE}")
        if self.mode == ADAPTIVE and (self.cells or self.marker != PDL1):
            raise ConfigurationError(
                "--mode adaptive decides what cxpath reads for a CPS", "drop --mode, or --cells and --marker"
            )

    def _check_profile(self) -> None:
        if self.profile is None:
            return
        if self.cells or self.marker != PDL1 or self.mode != WHOLE:
            raise ConfigurationError(
                "--profile adapts the network's own PD-L1 calls on a whole slide",
                "drop --profile, or --cells, --marker and --mode",
            )
        scoring = self.configuration.scoring
        if scoring.stained_threshold is not None or scoring.laboratory_map is not None:
            raise ConfigurationError(
                "--profile sets the staining threshold, and a laboratory's map was fitted without it",
                "leave out scoring.stained_threshold and scoring.laboratory_map",
            )

    def cutoffs(self, assay: Assay | None) -> tuple[Cutoff, ...]:
        """Return what to compare the CPS with: the assay's cut-offs, 22C3's for an unstated one."""
        return (assay or read_assay(REFERENCE_ASSAY)).cutoffs("cps", self.tumour)

    def refused_scores(self, assay: Assay | None) -> dict[str, str]:
        """Return the scores that are not made, with the reason; with `research` all are."""
        if self.research:
            return {}
        if assay is None:
            return dict.fromkeys(ASSAY_BOUND, "assay not stated: pass --assay, or --research")
        hint = "--research computes it, for research only"
        return {name: f"{why} ({hint})" for name, why in assay.refusals(ASSAY_BOUND, self.tumour).items()}

    def warnings(self, assay: Assay | None) -> tuple[Reason, ...]:
        """Return what a reader of the report must know about the request."""
        found = []
        if assay is None:
            text = "assay not stated: cut-offs shown are those of 22C3 in cervix"
            found.append(Reason(ReasonCode.ASSAY_NOT_STATED, text))
        elif not assay.supports("cps", self.tumour):
            text = f"assay {assay.name} does not support CPS in {self.tumour}: computed for research only"
            found.append(Reason(ReasonCode.ASSAY_UNSUPPORTED, text))
        if self.configuration.tissue.stain_check == "off":
            found.append(Reason(ReasonCode.STAIN_CHECK_OFF, "the stain check was switched off"))
        if self.cells:
            text = "cells were read from a file, not found by cxpath's network"
            found.append(Reason(ReasonCode.CELLS_FROM_FILE, text))
        return tuple(found)
