"""`run.json`: how a result came about, enough to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from cxpath.documents.base import CodedText, ColourEntry, Document, Part

Colour = tuple[float, float, float]


class RunSlide(Part):
    """What is known of the slide file; see `SlideInfo`."""

    name: str
    stem: str
    digest: str
    quickhash: str
    width_px: int
    height_px: int
    mpp: float
    mpp_source: str
    reader: str
    vendor: str
    level_downsamples: tuple[float, ...]
    bounds_px: tuple[int, int, int, int]
    properties: Mapping[str, str]
    """Allow-listed ones only."""
    colour: ColourEntry | None = None
    """The slide's ICC profile and what was done with it; null without one."""


class RunModel(Part):
    """The weights, and the staining threshold of their card."""

    name: str
    version: str
    digest: str
    stained_threshold: float


class RunOptions(Part):
    """What was asked for; no paths."""

    assay: str
    tumour: str
    marker: str
    mode: str
    research: bool
    mpp: float | None
    """Null: the file's own."""
    regions_drawn: bool
    cells_given: bool
    pseudonym: bool


class RegionEntry(Part):
    """One drawn region; its area as drawn, glass included."""

    name: str
    meaning: str
    use: str
    area_mm2: float


class RegionsEntry(Part):
    """The drawn regions, and the digest of their file."""

    form: str
    digest: str
    areas: tuple[RegionEntry, ...]


class GivenCells(Part):
    """Cells that the user brought: the form of their file, and how many were scored."""

    form: str
    cells: int


class ReaderEntry(Part):
    """How pixels were read; see `ReaderPath`."""

    name: str
    fast_levels: tuple[int, ...]
    because: str
    fallen_back: int


class RunStains(Part):
    """White point (0 to 255) and optical-density directions, red, green, blue."""

    white_point: Colour
    hematoxylin: Colour
    dab: Colour


class RunTiles(Part):
    """Tiles of the plan, and those of them that were read."""

    planned: int
    read: int


class StageEntry(Part):
    """What one stage of finding cells did; seconds are summed over its workers."""

    workers: int
    elapsed_s: float
    busy_s: float
    waited_for_input_s: float
    waited_for_space_s: float
    busy_share: float


class RunDocument(Document):
    """How one slide was scored; nothing in it names a patient or a folder."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/run/2"] = Field(default="cxpath/run/2", alias="schema")
    started: str
    """ISO 8601, UTC."""
    versions: Mapping[str, str]
    slide: RunSlide
    model: RunModel
    options: RunOptions
    regions: RegionsEntry | None
    given_cells: GivenCells | None
    configuration: Mapping[str, JsonValue]
    """Every setting as given or by default."""
    configuration_digest: str
    device: str
    engine: str
    precision: str
    reader: str
    reader_path: ReaderEntry | None
    stains: RunStains
    tiles: RunTiles
    timings_s: Mapping[str, float]
    stages: Mapping[str, StageEntry]
    bottleneck: str | None
    warnings: tuple[CodedText, ...]
