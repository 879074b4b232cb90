"""The settings of a run: files, single settings and assays, read, merged and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cxpath.data import Settings, bundled, parse_toml
from cxpath.errors import AssayError, ConfigurationError, MissingFileError
from cxpath.io import RegionClasses
from cxpath.network import NetworkSettings
from cxpath.pipeline import CellSettings, PipelineSettings, TileSettings
from cxpath.scores import Assay, SamplingSettings, ScoringSettings
from cxpath.slide import SlideSettings
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
    """How many fields of each class of local CPS are pictured with them, drawn at random."""

    field_mpp: float = Field(default=0.5, gt=0.05, le=4)
    """Resolution of the pictures of fields."""

    heatmap_um: float = Field(default=150.0, gt=10)
    """Side of a square of the heat map."""

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
