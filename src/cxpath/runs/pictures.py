"""The pictures of a whole slide: what was scored, and where it is positive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.report.heatmap_picture import heatmap_picture
from cxpath.report.png_file import write_png
from cxpath.report.tissue_picture import tissue_picture
from cxpath.runs.configuration import ReportSettings
from cxpath.scores.fields import lay_fields
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable
from cxpath.values.regions import Regions


def write_tissue_picture(folder: Path, tissue: Tissue, regions: Regions | None = None) -> None:
    """Write `tissue.png`."""
    picture = tissue_picture(
        tissue.overview,
        tissue.scored,
        tissue.excluded,
        tissue.overview_mpp,
        regions.areas if regions else (),
        tissue.slide_mpp,
    )
    write_png(picture, folder / "tissue.png")


def write_heatmap(
    folder: Path,
    tissue: Tissue,
    cells: CellTable,
    stained_threshold: float,
    counted: NDArray[np.bool_],
    settings: ReportSettings,
) -> None:
    """Write `heatmap.png`: the local CPS of small squares, grey where too few tumour cells lie."""
    squares = lay_fields(cells, stained_threshold, counted, settings.heatmap_um)
    enough = squares.counts.tumour >= settings.heatmap_fewest_tumour_cells
    to_overview = tissue.slide_mpp / tissue.overview_mpp
    picture = heatmap_picture(
        tissue.overview,
        squares.left_px * to_overview,
        squares.top_px * to_overview,
        np.full(len(enough), squares.side_px * to_overview),
        np.where(enough, squares.counts.cps(), np.nan),
        tissue.overview_mpp,
    )
    write_png(picture, folder / "heatmap.png")
