"""The files that cells leave: two tables, the export for QuPath, and pictures."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cxpath.exchange.cells_geojson import CellsGeojsonWriter
from cxpath.exchange.cells_parquet import CellsWriter
from cxpath.exchange.tiles_parquet import write_table
from cxpath.runs.configuration import PictureSettings
from cxpath.runs.field_pictures import write_field_pictures
from cxpath.runs.obtain_cells import SlideCells
from cxpath.runs.pictures import write_heatmap
from cxpath.runs.stopwatch import Stopwatch
from cxpath.runs.tile_rows import tile_rows
from cxpath.scores.counting import counted_positive
from cxpath.slide.slide import Slide
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable


class CellFiles:
    """`cells.parquet` and `cells.geojson.gz`, written while cells are being found; a context manager.

    The first cells open the files; a run that finds none at all calls `keep` with an empty table. Both appear
    under their names on leaving the block without an error; otherwise nothing is left.

    Parameters
    ----------
    folder : Path
    slide : Slide
    stained_threshold : float
        A cell is Positive from this probability on.
    """

    def __init__(self, folder: Path, slide: Slide, stained_threshold: float) -> None:
        self._folder, self._slide, self._threshold = folder, slide, stained_threshold
        self._open = ExitStack()
        self._writers: tuple[CellsWriter, CellsGeojsonWriter] | None = None

    def keep(self, cells: CellTable) -> None:
        """Append cells to both files."""
        if self._writers is None:
            table = CellsWriter(self._folder / "cells.parquet", cells.facts)
            self._open.enter_context(table)
            bounds_px, threshold = self._slide.info.bounds_px, self._threshold
            path = self._folder / "cells.geojson.gz"
            export = CellsGeojsonWriter(path, cells.facts, bounds_px, stained_threshold=threshold)
            self._writers = table, self._open.enter_context(export)
        for writer in self._writers:
            writer.append(cells)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


def write_cell_pictures(
    folder: Path,
    slide: Slide,
    tissue: Tissue,
    found: SlideCells,
    stained_threshold: float,
    association_distance_um: float,
    settings: PictureSettings,
    watch: Stopwatch,
) -> None:
    """Write `tiles.parquet`, `heatmap.png` and `fields/`, which need all cells."""
    cells = found.cells
    counted = counted_positive(cells, stained_threshold, association_distance_um)
    with watch.stage("write"):
        rows = tile_rows(found.plan, cells, stained_threshold, counted)
        write_table(rows, folder / "tiles.parquet", {"schema": "cxpath/tiles/1", "mpp": slide.info.mpp})
    with watch.stage("pictures"):
        write_heatmap(folder, tissue, cells, stained_threshold, counted, settings)
        write_field_pictures(folder, slide, tissue, cells, stained_threshold, counted, settings)
