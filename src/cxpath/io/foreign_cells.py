"""Cells from elsewhere, whatever the form: recognised by content, checked, in level-0 pixels of the slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxpath.data import COLUMNS, CellTable, CellTableFacts, Kind, SlideInfo
from cxpath.errors import CellsFileError
from cxpath.io.atomic import first_character, read_content
from cxpath.io.cell_classes import (
    PROBABILITIES,
    CellClasses,
    ignored_cells,
    to_cell_table,
)
from cxpath.io.cells import METADATA_KEY, TableFileError, open_parquet, read_cells, read_columns
from cxpath.io.column_cells import COLUMNS_FORM, cells_in_columns, is_table_of_cells
from cxpath.io.dicom import DICOM_FORM, is_dicom, read_annotations
from cxpath.io.geojson import (
    lookalike_key,
)
from cxpath.io.qupath_geojson_cells import GEOJSON_FORM, cells_in_geojson
from cxpath.io.qupath_table_cells import (
    QUPATH_TABLE_FORM,
    cells_in_qupath_table,
    is_qupath_table,
    rows_of_other_images,
    rows_of_slide,
)
from cxpath.io.scverse import H5AD_FORM, is_hdf5, read_h5ad
from cxpath.io.tables import read_text_table

PARQUET = "Parquet"

_MOST_OUTSIDE = 0.01
"""Share of cells off the slide from which the file is taken for another slide's."""

_SUM_TOLERANCE = 0.02
"""The three probabilities of a class may be rounded to two digits each."""

_POSSIBLE = {
    "dab_membrane_od": (-4.0, 20.0),
    "dab_cytoplasm_od": (-4.0, 20.0),
    "hematoxylin_od": (-4.0, 20.0),
    "membrane_completeness": (0.0, 1.0),
    "diameter_um": (0.0, 1000.0),
}
"""Between which a measured value can be at all. A density of 8-bit colours is 2.4 (or, by the natural
logarithm, 5.6) at most; separating stains stretches that, and lets it fall below 0."""

_IMAGE_COLUMNS = {"image", "slide"}
_FILE_COLUMNS = {
    *("file", "filename", "file_name", "file name", "path", "filepath", "wsi"),
    *(
        "image_name",
        "image name",
        "imagename",
        "slide_name",
        "slide name",
        "slide_id",
        "slide id",
        "image_id",
    ),
}
"""What other programs call the image: a number or a code, too, so that one name alone proves nothing."""

_FORMS = "Parquet, CSV, QuPath GeoJSON and measurement table, AnnData and DICOM annotations are read"


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
        measurement table; the AnnData and DICOM annotations of `cxpath export`.
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
    _refuse_impossible(cells, path)
    inside = _on_slide(cells, info)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(cells):
        raise CellsFileError(
            f"{path}: {outside} of {len(cells)} cells lie outside the slide",
            "check that they are of this slide and that µm per pixel is right (--mpp)",
        )
    dropped = "1 cell outside the slide was" if outside == 1 else f"{outside} cells outside the slide were"
    said = [f"{dropped} dropped"] if outside else []
    kept = cells.take(inside) if outside else cells
    return GivenCells(
        kept,
        form,
        (
            *warnings,
            *said,
            *_another_file(kept, info),
            *_twice(kept),
            *_uncertain_classes(kept),
            *_certain(kept),
            *_no_densities(kept),
        ),
    )


def _read(
    path: Path, info: SlideInfo, classes: CellClasses, threshold: float, image_names: tuple[str, ...]
) -> tuple[CellTable, str, list[str]]:
    facts = CellTableFacts(info.mpp, info.width_px, info.height_px, info.digest)
    if _is_parquet(path):
        cells, warnings = _from_parquet(path, facts, image_names)
        return cells, PARQUET, warnings
    if is_hdf5(path):
        return _of_this_slide(read_h5ad(path), facts, path), H5AD_FORM, []
    if is_dicom(path):
        return _of_this_slide(read_annotations(path), facts, path), DICOM_FORM, []
    content = read_content(path, CellsFileError, _FORMS)
    if content.startswith(b"PK\x03\x04"):
        raise CellsFileError(f"{path}: is a workbook or an archive", f"save the table as CSV; {_FORMS}")
    if first_character(content) in {"{", "["}:
        found, warnings = cells_in_geojson(content, info.bounds_px, classes, path)
        named = replace(facts, slide_digest=found.slide_digest or info.digest)
        cells = to_cell_table(found, named, classes, threshold, path)
        return cells, GEOJSON_FORM, [*warnings, *ignored_cells(found, classes)]
    table, filled = read_text_table(content, path)
    if is_qupath_table(table.column_names):
        found, warnings = cells_in_qupath_table(table, info, image_names, classes, path)
        cells = to_cell_table(found, facts, classes, threshold, path)
        said = [*filled, *warnings, *ignored_cells(found, classes)]
        return cells, QUPATH_TABLE_FORM, said
    cells, warnings = _from_columns(table, facts, image_names, path)
    return cells, COLUMNS_FORM, [*filled, *warnings]


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # reading the content says why


def _from_parquet(
    path: Path, facts: CellTableFacts, image_names: tuple[str, ...]
) -> tuple[CellTable, list[str]]:
    try:
        file = open_parquet(path)
        if METADATA_KEY not in (file.schema_arrow.metadata or {}):
            return _from_columns(read_columns(file, path), facts, image_names, path)
    except TableFileError as error:
        raise CellsFileError(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise CellsFileError(f"{path}: the Parquet file is damaged", "write it again") from error
    return _of_this_slide(read_cells(path), facts, path), []


def _of_this_slide(cells: CellTable, facts: CellTableFacts, path: Path) -> CellTable:
    """Return cells of cxpath's own file at the µm per pixel of the slide, or of the user's --mpp."""
    own, size = (cells.facts.width_px, cells.facts.height_px), (facts.width_px, facts.height_px)
    if own != size:
        raise CellsFileError(
            f"{path}: cells of a slide of {own[0]} x {own[1]} px, but this one has {size[0]} x {size[1]}",
            "pass the cells of this slide",
        )
    return replace(cells, facts=replace(cells.facts, mpp=facts.mpp))


def _from_columns(
    table: pa.Table, facts: CellTableFacts, image_names: tuple[str, ...], path: Path
) -> tuple[CellTable, list[str]]:
    if not is_table_of_cells(table.column_names):
        raise CellsFileError(
            f"{path}: no table of cells: it has neither kind, x_px, y_px nor Class, Centroid X, Centroid Y",
            _FORMS,
        )
    _refuse_misspelt(table.column_names, path)
    images = _images_of_rows(table)
    warnings = []
    if images is not None:
        own = rows_of_slide(images, image_names, path)
        table = table.filter(pa.array(own))
        others = int((~own).sum())
        warnings = [rows_of_other_images(others)] if others else []
    return cells_in_columns(table, facts, path), warnings


def _images_of_rows(table: pa.Table) -> pa.ChunkedArray | None:
    """Return which image each row is of; None where no column says so."""
    names = {lookalike_key(name): name for name in reversed(table.column_names)}
    stated = next((names[name] for name in names if name in _IMAGE_COLUMNS), None)
    if stated is not None:
        return table.column(stated)
    for name in sorted(_FILE_COLUMNS & names.keys()):
        column = table.column(names[name])
        if pa.types.is_string(column.type) and len(pc.unique(column)) > 1:
            return pc.replace_substring_regex(column, r".*[/\\]", "")  # folders are passed over
    return None


def _refuse_misspelt(names: list[str], path: Path) -> None:
    """Refuse a column that differs from a known one in case or invisible characters: it would not be read."""
    for name in names:
        known = lookalike_key(name)
        if known in COLUMNS and name != known:
            raise CellsFileError(
                f"{path}: column {name!r} is spelled like {known!r}, but not alike", "rename it"
            )


def _refuse_impossible(cells: CellTable, path: Path) -> None:
    """Refuse values that no cell can have; NaN is unknown, and possible."""
    for name in ("stained", *PROBABILITIES):
        values = getattr(cells, name)
        if ((values < 0) | (values > 1)).any():
            raise CellsFileError(
                f"{path}: {name} contains values outside 0 to 1", "give a share, not per cent"
            )
    for name, (low, high) in _POSSIBLE.items():
        values = getattr(cells, name)
        wrong = (values < low) | (values > high)
        if wrong.any():
            number, first = int(wrong.sum()), values[wrong][0]
            message = f"{path}: impossible {name} in {number} of {len(cells)} cells, such as {first:g}"
            raise CellsFileError(message, f"correct it, or leave it empty; possible: {low:g} to {high:g}")
    total = sum(getattr(cells, name).astype(np.float64) for name in PROBABILITIES)
    wrong = np.abs(total - 1) > _SUM_TOLERANCE
    if wrong.any():
        raise CellsFileError(
            f"{path}: {', '.join(PROBABILITIES)} add up to {total[wrong][0]:g}, not 1, in {wrong.sum()} of "
            f"{len(cells)} cells",
            "give all three of them, or none",
        )


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
            "set positivity in QuPath, or say `stained` in the file or the class map (--class-map)",
        )


def _another_file(cells: CellTable, info: SlideInfo) -> Iterator[str]:
    """Warn, not refuse: a copy without its label has another digest and the same cells."""
    if cells.facts.slide_digest and cells.facts.slide_digest != info.digest:
        yield "the given cells were made from another file than this slide (its digest differs)"


def _twice(cells: CellTable) -> Iterator[str]:
    places = len(np.unique(cells.x_px + 1j * cells.y_px))
    if places < len(cells):
        yield (
            f"cells exactly where another cell of the file lies: {len(cells) - places}; each was counted, so "
            "check that no part of the slide is in the file twice"
        )


def _uncertain_classes(cells: CellTable) -> Iterator[str]:
    """Warn of probabilities that are missing for some cells, or that speak for another class."""
    given = np.stack([getattr(cells, name) for name in PROBABILITIES])
    unknown = np.isnan(given).any(axis=0)
    if unknown.any() and not unknown.all():
        yield f"cells without {', '.join(PROBABILITIES)}: {unknown.sum()} of {len(cells)}"
    own = np.take_along_axis(given, cells.kind[None, :].astype(np.int64), axis=0)[0]
    other = ~unknown & (own < np.where(unknown, 0, given).max(axis=0) - _SUM_TOLERANCE)
    if other.any():
        yield f"cells whose probabilities speak for another class than the file's: {other.sum()}"


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
