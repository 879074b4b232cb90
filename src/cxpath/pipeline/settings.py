"""Settings of tiles, cells and stages."""

from __future__ import annotations

from pydantic import Field

from cxpath.data import Settings, usable_cores
from cxpath.network import NetworkSettings

# What a lab may set about how cells are measured.


class CellSettings(Settings):
    """Section `[cells]` of the configuration."""

    membrane_reach_um: float = Field(default=5.0, gt=0)
    """How far outside the nucleus the membrane is searched for."""

    membrane_visible_od: float = Field(default=0.08, gt=0)
    """DAB optical density from which a stretch of membrane counts as stained in `membrane_completeness`."""

    membrane_contrast: float = Field(default=1.25, ge=1)
    """How much darker than the cytoplasm next to it that stretch must be: a line, not a wash."""


# What a lab may set about tiles and how they are read.


class TileSettings(Settings):
    """Section `[tiles]` of the configuration."""

    core_px: int = Field(default=1024, ge=64)
    """Side of a tile's core at the network's µm/px, pixels; rounded down to the network's stride."""

    reader_threads: int = Field(default=0, ge=0)
    """Threads that prefetch tiles; 0 means one for each core that cxpath may use, at most eight."""

    read_ahead: int = Field(default=8, ge=1)
    """Tiles that may wait for the network."""

    lattice_offset_px: int = Field(default=0, ge=0)
    """Shifts the whole lattice up and to the left, in pixels at the network's µm/px; for stability tests."""

    @property
    def effective_reader_threads(self) -> int:
        """The number of threads after 0 has been resolved."""
        return self.reader_threads or min(8, len(usable_cores()))


# The settings of the rooms that the pipeline leads through.


class PipelineSettings(Settings):
    """Sections `[tiles]`, `[network]` and `[cells]` of the configuration."""

    tiles: TileSettings = TileSettings()
    network: NetworkSettings = NetworkSettings()
    cells: CellSettings = CellSettings()
