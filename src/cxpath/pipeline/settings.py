"""The settings of the rooms that the pipeline leads through."""

from __future__ import annotations

from cxpath.cells.settings import CellSettings
from cxpath.network.settings import NetworkSettings
from cxpath.tiles.settings import TileSettings
from cxpath.values.settings import Settings


class PipelineSettings(Settings):
    """Sections `[tiles]`, `[network]` and `[cells]` of the configuration."""

    tiles: TileSettings = TileSettings()
    network: NetworkSettings = NetworkSettings()
    cells: CellSettings = CellSettings()
