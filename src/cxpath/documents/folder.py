"""`run.json`, and the folder that a run has left, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue

from cxpath.data import CellTable
from cxpath.documents.base import (
    COMMIT_MARK,
    RUN_NAME,
    CodedText,
    ColourEntry,
    Document,
    MicrometresPerPixel,
    Part,
    PixelSide,
)
from cxpath.documents.score import PDL1, FieldEntry, FieldsDocument, ScoreDocument
from cxpath.errors import DocumentError, MissingFileError
from cxpath.io import read_cells, read_table
from cxpath.scores import FieldLattice, ScoringSettings, score_fields

# `run.json`: how a result came about, enough to repeat it.

Colour = tuple[float, float, float]


class RunSlide(Part):
    """What is known of the slide file; see `SlideInfo`."""

    name: str
    """File name, or its pseudonym."""
    stem: str
    """The name without suffix."""
    digest: str
    """SHA-256 of the file."""
    quickhash: str
    """OpenSlide's own hash; empty where it has none."""
    width_px: PixelSide
    """Width in level-0 pixels."""
    height_px: PixelSide
    """Height in level-0 pixels."""
    mpp: MicrometresPerPixel
    """Micrometres per level-0 pixel."""
    mpp_source: str
    """Where that came from."""
    reader: str
    """Which reader opened the file: `openslide`, `picture` or `ome-tiff`."""
    vendor: str
    """The scanner's vendor, as the file states it."""
    level_downsamples: tuple[float, ...]
    """Downsampling of each stored level."""
    bounds_px: tuple[int, int, int, int]
    """The scanned part: x, y, width and height in level-0 pixels."""
    properties: Mapping[str, str]
    """Properties of the file on an allow list: never a user, a date or a barcode."""
    colour: ColourEntry | None = None
    """The slide's ICC profile and what was done with it; null without one."""


class RunModel(Part):
    """The weights, and the staining threshold of their card."""

    name: str
    """Name of the model."""
    version: str
    """Its version."""
    digest: str
    """SHA-256 of its weights."""
    stained_threshold: float
    """The staining threshold of its card."""


class RunOptions(Part):
    """What was asked for; no paths."""

    assay: str
    """The stated assay."""
    tumour: str
    """The stated tumour site."""
    marker: str
    """The marker."""
    mode: str
    """`whole` or `adaptive`."""
    research: bool
    """Whether unsupported scores were asked for."""
    mpp: float | None
    """The stated µm/px; null where the file's own was taken."""
    regions_drawn: bool
    """Whether regions were given."""
    cells_given: bool
    """Whether cells were given."""
    pseudonym: bool
    """Whether the slide's name was replaced."""


class RegionEntry(Part):
    """One drawn region; its area as drawn, glass included."""

    name: str
    """Its class."""
    meaning: str
    """What the class means."""
    use: str
    """Whether it includes or excludes tissue."""
    area_mm2: float
    """Its area as drawn, glass included, mm²."""


class RegionsEntry(Part):
    """The drawn regions, and the digest of their file."""

    form: str
    """`QuPath GeoJSON`, `ASAP XML`, `ImageScope XML` or `HALO XML`."""
    digest: str
    """SHA-256 of the file."""
    areas: tuple[RegionEntry, ...]
    """The regions."""


class GivenCells(Part):
    """Cells that the user brought: the form of their file, and how many were scored."""

    form: str
    """`Parquet`, `table of cells`, `QuPath GeoJSON` or `QuPath measurement table`."""
    cells: int
    """How many of them were scored."""


class ReaderEntry(Part):
    """How pixels were read; see `ReaderPath`."""

    name: str
    """`jpeg-tiles` for the fast path, otherwise the reader's name."""
    fast_levels: tuple[int, ...]
    """Stored levels read by the fast path."""
    because: str
    """Why other levels, or regions, were left to the reader; empty when none were."""
    fallen_back: int
    """Regions of fast levels that were left to the reader."""


class RunStains(Part):
    """White point (0 to 255) and optical-density directions, red, green, blue."""

    white_point: Colour
    """Red, green and blue of empty glass, 0 to 255."""
    hematoxylin: Colour
    """Optical-density direction of haematoxylin: red, green, blue."""
    dab: Colour
    """Optical-density direction of DAB: red, green, blue."""


class RunTiles(Part):
    """Tiles of the plan, and those of them that were read."""

    planned: int
    """Tiles of the plan."""
    read: int
    """Tiles with tissue to score; 0 where no cells were looked for."""


class StageEntry(Part):
    """What one stage of finding cells did; seconds are summed over its workers."""

    workers: int
    """Threads of the stage."""
    elapsed_s: float
    """Seconds of all stages together; they run in parallel."""
    busy_s: float
    """Seconds at work, summed over the workers."""
    waited_for_input_s: float
    """Seconds with nothing to do, summed over the workers."""
    waited_for_space_s: float
    """Seconds with a result that the next stage had not taken, summed over the workers."""
    busy_share: float
    """Share of the time at work."""


class RunDocument(Document):
    """How one slide was scored; nothing in it names a patient or a folder."""

    HINT: ClassVar[str] = "score the slide again, or give a folder that cxpath score wrote"

    schema_name: Literal["cxpath/run/2"] = Field(default="cxpath/run/2", alias="schema")
    started: str
    """When the run began, ISO 8601, UTC."""
    versions: Mapping[str, str]
    """Versions of cxpath, Python and the libraries that decide a result."""
    slide: RunSlide
    """What is known of the slide file."""
    model: RunModel
    """The model that found the cells."""
    options: RunOptions
    """What was asked for; no paths."""
    regions: RegionsEntry | None
    """The drawn regions; null without `--regions`."""
    given_cells: GivenCells | None
    """The cells that were given; null without `--cells`."""
    configuration: Mapping[str, JsonValue]
    """Every setting, as given or by default; null means the model card's value, or none."""
    configuration_digest: str
    """SHA-256 of the configuration."""
    device: str
    """What the network ran on, such as `cpu (8 threads)`."""
    engine: str
    """What ran it: `torch` or `openvino`."""
    precision: str
    """Number format of its convolutions: `float32`, `bfloat16` or `int8`."""
    reader: str
    """Which reader opened the file."""
    reader_path: ReaderEntry | None
    """How its pixels were read."""
    stains: RunStains
    """White point and stain vectors of this slide."""
    tiles: RunTiles
    """Tiles planned and read."""
    timings_s: Mapping[str, float]
    """Seconds spent in each part: `open`, `tissue`, `detect`, `score`, `write`, `pictures` and `total`. The
    report is built afterwards."""
    stages: Mapping[str, StageEntry]
    """How long each stage of finding cells was at work and waited: `read`, `network`, `cells`, `write`. Empty
    where no cells were looked for."""
    bottleneck: str | None
    """The stage whose workers were busiest, which is what to speed up first; null where there is none."""
    warnings: tuple[CodedText, ...]
    """As in `score.json`."""


# A results folder read back: its result, how it came about, its table of tiles, its gallery, its cells.


@dataclass(frozen=True)
class RunFolder:
    """What a run left.

    Parameters
    ----------
    path : Path
        The folder.
    score : ScoreDocument
    run : RunDocument
    tiles : mapping of str to array, or None
        Columns of `tiles.parquet`.
    fields : tuple of FieldEntry
        The gallery; empty without one.
    """

    path: Path
    score: ScoreDocument
    run: RunDocument
    tiles: Mapping[str, NDArray[np.generic]] | None
    fields: tuple[FieldEntry, ...]

    def picture(self, name: str) -> Path | None:
        """Return the path of a picture, or None when the run left none of that name."""
        path = self.path / name
        return path if path.is_file() else None


def read_run_folder(path: Path) -> RunFolder:
    """Read a run's folder.

    Raises
    ------
    MissingFileError
        When there is no such folder, or no `score.json` or `run.json` in it.
    DocumentError
        When a document is not what its name says.
    """
    score, run = read_score(path), RunDocument.read(path / RUN_NAME)
    tiles_path, fields_path = path / "tiles.parquet", path / "fields" / "fields.json"
    tiles = _read_tiles(tiles_path) if tiles_path.is_file() else None
    fields = FieldsDocument.read(fields_path).fields if fields_path.is_file() else ()
    return RunFolder(path, score, run, tiles, fields)


TILE_COUNTS = ("tumour_positive", "tumour_negative", "immune_positive", "immune_negative", "other", "cps")
"""Columns of `tiles.parquet` that the report counts with."""


def _read_tiles(path: Path) -> Mapping[str, NDArray[Any]]:
    tiles = read_table(path)[0]
    missing = [name for name in TILE_COUNTS if name not in tiles or tiles[name].dtype.kind not in "iuf"]
    if missing:
        raise DocumentError(
            f"{path}: columns missing or without numbers: {', '.join(missing)}", ScoreDocument.HINT
        )
    return tiles


def read_score(path: Path) -> ScoreDocument:
    """Read `score.json` of a results folder; raises as `read_run_folder` does."""
    if not path.is_dir():
        raise MissingFileError(f"{path}: no such folder", ScoreDocument.HINT)
    return ScoreDocument.read(path / COMMIT_MARK)


@dataclass(frozen=True)
class ScoredFolder:
    """What `cxpath score` left, for further counting.

    Parameters
    ----------
    path : Path
    score : ScoreDocument
    """

    path: Path
    score: ScoreDocument

    @property
    def name(self) -> str:
        """The slide's name, as the run shows it."""
        return self.score.slide.name

    @property
    def scoring(self) -> ScoringSettings:
        """The settings of scoring that were in effect."""
        return self.score.scoring

    def cells(self) -> CellTable:
        """Read `cells.parquet`."""
        return read_cells(self.path / "cells.parquet")

    def fields(self) -> FieldLattice:
        """Return the fields of the slide, counted as the score did."""
        return score_fields(self.cells(), self.scoring)


def read_scored_folder(path: Path) -> ScoredFolder:
    """Read a results folder; cells are read when asked for.

    Raises
    ------
    MissingFileError, DocumentError
        When it is none, or contains the H-score of another marker.
    """
    score = read_score(path)
    if score.marker != PDL1:
        raise DocumentError(
            f"{path}: contains marker {score.marker}, not PD-L1", "give a folder scored for PD-L1"
        )
    return ScoredFolder(path, score)
