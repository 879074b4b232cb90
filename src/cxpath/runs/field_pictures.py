"""The gallery of a run: the fields that decide, a few of every kind beside them, and where they all lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.report.field_map import PlacedField, field_map
from cxpath.report.fields import INFLUENCE, FieldView, write_fields
from cxpath.report.png_file import write_png
from cxpath.runs.configuration import PictureSettings
from cxpath.scores.countable import countable_kind
from cxpath.scores.field_buckets import draw_fields
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.scores.influence import rank_fields
from cxpath.slide.slide import Slide
from cxpath.tissue.tissue import Tissue
from cxpath.values.cell_table import CellTable

MAP = "map.png"


def write_field_pictures(
    folder: Path,
    slide: Slide,
    tissue: Tissue,
    cells: CellTable,
    stained_threshold: float,
    counted: NDArray[np.bool_],
    settings: PictureSettings,
) -> None:
    """Write `fields/`: every field plain and with its cells, their list, and `map.png`.

    Parameters
    ----------
    folder : Path
        Of the run.
    slide : Slide
    tissue : Tissue
        Its overview is the ground of the map.
    cells : CellTable
    stained_threshold : float
    counted : bool array, (N,)
        Which cells enter the numerator.
    settings : PictureSettings
    """
    lattice = lay_fields(cells, stained_threshold, counted, settings.field_um)
    chosen = list(_chosen(lattice, settings))
    influence = np.nan_to_num(lattice.influence(), nan=np.inf)
    reader = _FieldReader(slide, cells, stained_threshold, counted, lattice, settings)
    captions = [_caption(float(influence[row]), bucket) for bucket, row in chosen]
    views = [reader.view(row, bucket, words) for (bucket, row), words in zip(chosen, captions, strict=True)]
    write_fields(folder, views)
    if views:
        to_overview = tissue.slide_mpp / tissue.overview_mpp
        placed = [
            PlacedField(
                number,
                float(lattice.left_px[row]) * to_overview,
                float(lattice.top_px[row]) * to_overview,
                lattice.side_px * to_overview,
                _effect(float(influence[row]), bucket),
            )
            for number, (bucket, row) in enumerate(chosen, start=1)
        ]
        write_png(field_map(tissue.overview, placed, tissue.overview_mpp), folder / "fields" / MAP)


def _chosen(lattice: FieldLattice, settings: PictureSettings) -> Iterator[tuple[str, int]]:
    """Return bucket and row of each field to picture, in the order of the gallery."""
    leading = [int(row) for row in rank_fields(lattice)[: settings.fields]]
    yield from ((INFLUENCE, row) for row in leading)
    yield from draw_fields(lattice, settings.bucket_fields, leading)


class _FieldReader:
    """Reads fields of one slide and sorts its cells into them."""

    def __init__(
        self,
        slide: Slide,
        cells: CellTable,
        stained_threshold: float,
        counted: NDArray[np.bool_],
        lattice: FieldLattice,
        settings: PictureSettings,
    ) -> None:
        self._slide, self._cells, self._lattice, self._settings = slide, cells, lattice, settings
        self._kind, self._counted = countable_kind(cells), counted
        self._positive = cells.stained >= stained_threshold

    def view(self, row: int, bucket: str, caption: str) -> FieldView:
        """Return one field with its cells."""
        lattice, settings, mpp = self._lattice, self._settings, self._slide.info.mpp
        left_px, top_px = float(lattice.left_px[row]), float(lattice.top_px[row])
        side, to_picture = round(settings.field_um / settings.field_mpp), mpp / settings.field_mpp
        own = np.flatnonzero(lattice.field_of_cell == row)
        local_cps = float(lattice.counts.cps()[row])
        return FieldView(
            rgb=self._slide.read(left_px, top_px, side, side, settings.field_mpp),
            mpp=settings.field_mpp,
            x_px=(self._cells.x_px[own] - left_px) * to_picture,
            y_px=(self._cells.y_px[own] - top_px) * to_picture,
            kind=self._kind[own],
            positive=self._positive[own],
            counted=self._counted[own],
            left_um=left_px * mpp,
            top_um=top_px * mpp,
            caption=caption,
            local_cps=local_cps if np.isfinite(local_cps) else None,
            bucket=bucket,
        )


def _effect(influence: float, bucket: str) -> int:
    return int(np.sign(influence)) if bucket == INFLUENCE and np.isfinite(influence) else 0


def _caption(influence: float, bucket: str) -> str:
    if bucket != INFLUENCE:
        return "drawn at random"
    if not np.isfinite(influence):
        return "holds all tumour cells"
    if influence == 0:
        return "does not move the CPS"
    verb = "raises" if influence > 0 else "lowers"
    return f"{verb} the CPS by {abs(influence):.2g}"
