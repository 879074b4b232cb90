"""Which real images judge a model, at what assumed µm/px, and what must be reached; `real.toml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cxpath.training.judging.bootstrap import BootstrapSettings
from cxpath.training.judging.figure import Target
from cxpath.values.settings import Settings

LabelForm = Literal["points", "components", "polygons"]
Counted = Literal["any", "tumour_or_immune"]


class LabelledSet(Settings):
    """Images with labelled nuclei."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    folder: str
    """Below the data folder."""
    form: LabelForm
    """Points in a CSV, components of a coloured map, or polygons in a JSON."""
    mpp: float = Field(gt=0.05, lt=5)
    mpp_source: Literal["assumed", "file"] = "assumed"
    counted: Counted = "any"
    """Which detections enter F1 and detections per label: all, or those called tumour or immune."""
    leave_out: tuple[str, ...] = ()
    """Stems of images that show a field already there."""
    brown: str
    """Label of nuclei that are brown, of which few may be called PD-L1 positive tumour."""
    brown_counted: bool = False
    """Whether they enter the pooled share that has a target."""
    tumour: tuple[str, ...] = ()
    """Labels of tumour nuclei, of which many should be called tumour; empty where labels do not say."""
    f1: Target
    detections_per_label: Target | None = None


class ScannerPair(Settings):
    """One field of tissue on two scanners; µm/px is in the files."""

    folder: str
    files: tuple[str, str]
    count_difference: Target
    share_difference_points: Target


class Pdl1Field(Settings):
    """One real PD-L1 field with a reader's category."""

    image: str
    category: str
    rank: int
    """Order of the categories, lowest first."""
    mask: str | None = None
    """Epithelium of a square crop, if the mask is not empty."""


class Pdl1Fields(Settings):
    """Real PD-L1 fields, shown and not gated."""

    folder: str
    mpp: float = Field(gt=0.05, lt=5)
    fields: tuple[Pdl1Field, ...]
    region_smoothing_um: float = Field(default=20.0, gt=0)
    """Width over which called cells are smoothed into a tumour region."""


class RealSettings(Settings):
    """Everything `configs/evaluation/real.toml` holds."""

    match_radius_um: float = Field(gt=0)
    pictures_per_set: int = Field(default=3, ge=0)
    """How many images of each set go onto the contact sheet."""
    brown_called_positive: Target
    bootstrap: BootstrapSettings = BootstrapSettings()
    labelled_set: tuple[LabelledSet, ...]
    scanner_pair: ScannerPair
    pdl1_fields: Pdl1Fields
