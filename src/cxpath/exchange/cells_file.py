"""Cells from elsewhere, whatever the form: told by the content, checked, in level-0 pixels of the slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cxpath.exchange import (
    cells_from_columns,
    cells_from_geojson,
    cells_from_qupath_table,
)
from cxpath.exchange.cell_classes import CellClasses
from cxpath.exchange.cells_parquet import read_cells
from cxpath.exchange.classified_cells import PROBABILITIES, to_cell_table
from cxpath.exchange.file_content import first_character, read_content
from cxpath.exchange.text_table import read_text_table
from cxpath.exchange.tiles_parquet import METADATA_KEY, TableFileError, open_parquet
from cxpath.values.cell_table import CellTable, CellTableFacts, Kind
from cxpath.values.errors import CellsFileError
from cxpath.values.slide_info import SlideInfo

PARQUET = "Parquet"

_MOST_OUTSIDE = 0.01
"""Share of cells off the slide from which the file is taken for another slide's."""

_FORMS = "Parquet, CSV, QuPath GeoJSON and QuPath's measurement table are read"


@dataclass(frozen=True, eq=False)
class GivenCells:
    """Cells that a user brought.

    Parameters
    ----------
    cells : CellTable
    form : str
        The form of the file.
    warnings : tuple of str
        What a reader of the score must know about them; names no file.
    """

    cells: CellTable
    form: str
    warnings: tuple[str, ...] = ()


def read_given_cells(
    path: Path,
    info: SlideInfo,
    classes: CellClasses,
    stained_threshold: float,
    image_names: tuple[str, ...] = (),
) -> GivenCells:
    """Read the cells of a slide.

    Parameters
    ----------
    path : Path
        `cells.parquet` or the same columns as Parquet or CSV; QuPath's GeoJSON, plain or gzipped; QuPath's
        measurement table.
    info : SlideInfo
        Of the slide: its size, µm/px, bounds and digest.
    classes : CellClasses
        What QuPath's class names mean.
    stained_threshold : float
        From which a measured `stained` counts as positive.
    image_names : tuple of str
        What the slide may be called in a table of several images.

    Raises
    ------
    MissingFileError, CellsFileError
        When there is no such file; when it has none of these forms, is of another slide, or a class,
        column or value is not known.
    """
    cells, form, warnings = _read(path, info, classes, stained_threshold, image_names)
    _refuse_no_probabilities(cells, path)
    inside = _on_slide(cells, info)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(cells):
        raise CellsFileError(
            f"{path}: {outside} of {len(cells)} cells lie outside the slide",
            "check that they are of this slide and that µm per pixel is right (--mpp)",
        )
    said = [f"{outside} cells outside the slide were dropped"] if outside else []
    kept = cells.take(inside) if outside else cells
    return GivenCells(
        kept, form, (*warnings, *said, *_another_file(kept, info), *_certain(kept), *_no_densities(kept))
    )


def _read(
    path: Path, info: SlideInfo, classes: CellClasses, threshold: float, image_names: tuple[str, ...]
) -> tuple[CellTable, str, list[str]]:
    facts = CellTableFacts(info.mpp, info.width_px, info.height_px, info.digest)
    if _is_parquet(path):
        return _from_parquet(path, facts), PARQUET, []
    content = read_content(path, CellsFileError, _FORMS)
    if first_character(content) in {"{", "["}:
        found, warnings = cells_from_geojson.cells_in_geojson(content, info.bounds_px, classes, path)
        named = replace(facts, slide_digest=found.slide_digest or info.digest)
        return to_cell_table(found, named, classes, threshold, path), cells_from_geojson.FORM, warnings
    table = read_text_table(content, path)
    if cells_from_qupath_table.is_qupath_table(table.column_names):
        found, warnings = cells_from_qupath_table.cells_in_qupath_table(
            table, info, image_names, classes, path
        )
        return to_cell_table(found, facts, classes, threshold, path), cells_from_qupath_table.FORM, warnings
    return _from_columns(table, facts, path), cells_from_columns.FORM, []


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # reading the content says why


def _from_parquet(path: Path, facts: CellTableFacts) -> CellTable:
    try:
        file = open_parquet(path)
        if METADATA_KEY not in (file.schema_arrow.metadata or {}):
            return _from_columns(file.read(), facts, path)
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise CellsFileError(f"{path}: the Parquet file is damaged", "write it again") from error
    cells = read_cells(path)
    own, size = (cells.facts.width_px, cells.facts.height_px), (facts.width_px, facts.height_px)
    if own != size:
        raise CellsFileError(
            f"{path}: cells of a slide of {own[0]} x {own[1]} px, but this one has {size[0]} x {size[1]}",
            "pass the cells of this slide",
        )
    return replace(cells, facts=replace(cells.facts, mpp=facts.mpp))  # the slide's, or the user's --mpp


def _from_columns(table: pa.Table, facts: CellTableFacts, path: Path) -> CellTable:
    if not cells_from_columns.is_table_of_cells(table.column_names):
        raise CellsFileError(
            f"{path}: no table of cells: it has neither kind, x_px, y_px nor Class, Centroid X, Centroid Y",
            _FORMS,
        )
    return cells_from_columns.cells_in_columns(table, facts, path)


def _refuse_no_probabilities(cells: CellTable, path: Path) -> None:
    for name in ("stained", *PROBABILITIES):
        values = getattr(cells, name)
        if ((values < 0) | (values > 1)).any():
            raise CellsFileError(f"{path}: {name} holds values outside 0 to 1", "give a share, not per cent")


def _on_slide(cells: CellTable, info: SlideInfo) -> NDArray[np.bool_]:
    return (
        (cells.x_px >= 0) & (cells.x_px < info.width_px) & (cells.y_px >= 0) & (cells.y_px < info.height_px)
    )


def refuse_unknown_staining(cells: CellTable, path: Path) -> None:
    """Refuse tumour and immune cells of which nobody said whether they are stained.

    Counting them as negative would lower the score without a word.

    Raises
    ------
    CellsFileError
        With their number.
    """
    unknown = np.isnan(cells.stained)
    numbers = {
        kind.name.lower(): int((unknown & (cells.kind == kind)).sum()) for kind in (Kind.TUMOUR, Kind.IMMUNE)
    }
    said = " and ".join(f"{number} {name} cells" for name, number in numbers.items() if number)
    if said:
        raise CellsFileError(
            f"{path}: {said} without staining (Positive or Negative)",
            "set positivity in QuPath, or say `stained` in the file or the class map (--cell-classes)",
        )


def _another_file(cells: CellTable, info: SlideInfo) -> Iterator[str]:
    """Warn, not refuse: a copy without its label has another digest and the same cells."""
    if cells.facts.slide_digest and cells.facts.slide_digest != info.digest:
        yield "the given cells were made from another file than this slide (its digest differs)"


def _certain(cells: CellTable) -> Iterator[str]:
    """Warn when every call is a plain yes or no, since the slide interval then knows no doubt."""
    counted = cells.stained[(cells.kind != Kind.OTHER) & np.isfinite(cells.stained)]
    if len(counted) and np.isin(counted, (0.0, 1.0)).all():
        yield (
            "staining of the given cells is a plain yes or no: the slide interval cannot know how sure "
            "each call was"
        )


def _no_densities(cells: CellTable) -> Iterator[str]:
    if len(cells) and np.isnan(cells.dab_membrane_od).all():
        yield "the given cells carry no optical densities: there is no H-score"
