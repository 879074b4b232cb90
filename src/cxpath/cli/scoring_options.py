"""The options by which one slide, or every slide of a batch, is scored."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cxpath.runs.configuration import Configuration


class StainCheck(StrEnum):
    """Choices of `--stain-check`."""

    ON = "on"
    OFF = "off"


class Marker(StrEnum):
    """Choices of `--marker`."""

    PDL1 = "pdl1"
    HER2 = "her2"
    EGFR = "egfr"
    VEGF = "vegf"


MppOption = Annotated[float | None, typer.Option(help="Micrometres per pixel, if the file does not say.")]
AssayOption = Annotated[str, typer.Option(help="22c3, 28-8, sp142, sp263 or unknown.")]
TumourOption = Annotated[str, typer.Option(help="Tumour site.")]
ResearchOption = Annotated[
    bool, typer.Option("--research", help="Compute scores the assay does not support.")
]
MarkerOption = Annotated[Marker, typer.Option(help="Other markers give an H-score.")]
ModelOption = Annotated[str, typer.Option(help="Name of a bundled model, or a model folder.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
ConfigOption = Annotated[Path | None, typer.Option(help="Settings (TOML); see configs/default.toml.")]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="One setting: section.key=VALUE. Repeatable.")
]
StainCheckOption = Annotated[StainCheck | None, typer.Option(help="off scores a slide whatever its colours.")]
PseudonymOption = Annotated[bool, typer.Option("--pseudonym", help="Replace a slide's name by a keyed hash.")]


def effective_configuration(
    config: Path | None, settings: Sequence[str] | None, stain_check: StainCheck | None
) -> Configuration:
    """Return the settings of the file, then those of `--set`, then that of `--stain-check`.

    Raises
    ------
    ConfigurationError
        When a key is unknown or a value is not allowed.
    MissingFileError
        When there is no such file.
    """
    from cxpath.runs.configuration import load_configuration

    checks = [f"tissue.stain_check={stain_check.value}"] if stain_check else []
    return load_configuration(config, [*(settings or []), *checks])
