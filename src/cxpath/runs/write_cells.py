"""The files that cells leave: tables, the export for QuPath, and pictures."""

from __future__ import annotations

from pathlib import Path

from cxpath.exchange.cells_geojson import write_cells_geojson
from cxpath.exchange.cells_parquet import write_cells
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


def write_cell_files(
    folder: Path,
    slide: Slide,
    tissue: Tissue,
    found: SlideCells,
    stained_threshold: float,
    association_distance_um: float,
    settings: PictureSettings,
    watch: Stopwatch,
) -> None:
    """Write `cells.parquet`, `tiles.parquet`, `cells.geojson.gz`, `heatmap.png` and `fields/`."""
    cells = found.cells
    counted = counted_positive(cells, stained_threshold, association_distance_um)
    with watch.stage("write"):
        write_cells(cells, folder / "cells.parquet")
        rows = tile_rows(found.plan, cells, stained_threshold, counted)
        write_table(rows, folder / "tiles.parquet", {"schema": "cxpath/tiles/1", "mpp": slide.info.mpp})
        write_cells_geojson(
            [cells],
            folder / "cells.geojson.gz",
            cells.facts,
            slide.info.bounds_px,
            stained_threshold=stained_threshold,
        )
    with watch.stage("pictures"):
        write_heatmap(folder, tissue, cells, stained_threshold, counted, settings)
        write_field_pictures(folder, slide, tissue, cells, stained_threshold, counted, settings)
