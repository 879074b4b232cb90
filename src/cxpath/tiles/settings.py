"""What a lab may set about tiles and how they are read."""

from __future__ import annotations

from pydantic import Field

from cxpath.values.processor_cores import usable_cores
from cxpath.values.settings import Settings


class TileSettings(Settings):
    """Section `[tiles]` of the configuration."""

    core_px: int = Field(default=1024, ge=64)
    """Side of a tile's core in pixels at the network's µm/px; rounded down to its stride."""

    reader_threads: int = Field(default=0, ge=0)
    """Threads that read ahead; 0 takes one for each core that cxpath may use, at most eight."""

    read_ahead: int = Field(default=8, ge=1)
    """Tiles that may wait, read, for the network."""

    lattice_offset_px: int = Field(default=0, ge=0)
    """Shifts the whole lattice up and to the left, in pixels at the network's µm/px; for stability tests."""

    @property
    def effective_reader_threads(self) -> int:
        """The number of threads after 0 has been resolved."""
        return self.reader_threads or min(8, len(usable_cores()))
