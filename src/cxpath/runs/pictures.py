"""The pictures of a run: what was scored, where it is positive, and the fields that decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxpath.exchange.whole_file import whole_file
from cxpath.report.fields import FieldView, write_fields
from cxpath.report.heatmap_picture import heatmap_picture
from cxpath.report.tissue_picture import tissue_picture
from cxpath.runs.configuration import ReportSettings
from cxpath.scores.countable import countable_kind
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.scores.influence import rank_fields
from cxpath.slide.slide import Slide
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
    _save(picture, folder / "tissue.png")


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
    _save(picture, folder / "heatmap.png")


def write_influential_fields(
    folder: Path,
    slide: Slide,
    cells: CellTable,
    stained_threshold: float,
    counted: NDArray[np.bool_],
    settings: ReportSettings,
) -> None:
    """Write `fields/`: the fields without which the CPS would change most, plain and with their cells."""
    lattice = lay_fields(cells, stained_threshold, counted, settings.field_um)
    influence = np.nan_to_num(lattice.influence(), nan=np.inf)
    chosen = rank_fields(lattice)[: settings.fields]
    views = [
        _view(slide, cells, stained_threshold, lattice, int(row), float(influence[row]), settings)
        for row in chosen
    ]
    write_fields(folder, views)


def _view(
    slide: Slide,
    cells: CellTable,
    stained_threshold: float,
    lattice: FieldLattice,
    row: int,
    influence: float,
    settings: ReportSettings,
) -> FieldView:
    left_px, top_px = float(lattice.left_px[row]), float(lattice.top_px[row])
    side = round(settings.field_um / settings.field_mpp)
    own = lattice.field_of_cell == row
    to_picture = slide.info.mpp / settings.field_mpp
    local_cps = float(lattice.counts.cps()[row])
    return FieldView(
        rgb=slide.read(left_px, top_px, side, side, settings.field_mpp),
        mpp=settings.field_mpp,
        x_px=(cells.x_px[own] - left_px) * to_picture,
        y_px=(cells.y_px[own] - top_px) * to_picture,
        kind=countable_kind(cells)[own],
        positive=cells.stained[own] >= stained_threshold,
        left_um=left_px * slide.info.mpp,
        top_um=top_px * slide.info.mpp,
        caption=_caption(influence),
        local_cps=local_cps if np.isfinite(local_cps) else None,
    )


def _caption(influence: float) -> str:
    if not np.isfinite(influence):
        return "holds all tumour cells"
    if influence == 0:
        return "does not move the CPS"
    verb = "raises" if influence > 0 else "lowers"
    return f"{verb} the CPS by {abs(influence):.2g}"


def _save(picture: Image.Image, path: Path) -> None:
    with whole_file(path) as partial:
        picture.save(partial, format="PNG")
