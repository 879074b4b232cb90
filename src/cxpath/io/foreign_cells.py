"""Cells from elsewhere, whatever the form: recognised by content, checked, in level-0 pixels of the slide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cxpath.data import (
    COLUMNS,
    SCVERSE_EXTRA,
    CellTable,
    CellTableFacts,
    Kind,
    SlideInfo,
    Subkind,
    TissueRegion,
    from_anndata,
    import_extra,
    refuse_pipe,
    to_anndata,
)
from cxpath.errors import CellsFileError, MissingFileError
from cxpath.io.atomic import atomic_write, first_character, read_content
from cxpath.io.cell_classes import (
    MEASURED,
    PROBABILITIES,
    CellClasses,
    fits,
    ignored_cells,
    to_cell_table,
)
from cxpath.io.cells import METADATA_KEY, TableFileError, open_parquet, read_cells, read_columns
from cxpath.io.geojson import lookalike_key
from cxpath.io.qupath_cells import (
    GEOJSON_FORM,
    QUPATH_TABLE_FORM,
    cells_in_geojson,
    cells_in_qupath_table,
    is_qupath_table,
    rows_of_other_images,
    rows_of_slide,
)
from cxpath.io.tables import numbers, read_text_table, texts

# Cells from a table whose columns are named like those of `cells.parquet`: CSV, or Parquet without facts.
#
# `kind` and a place are required; everything else may be missing.

COLUMNS_FORM = "table of cells"

_PLACES = (("x_px", "y_px"), ("x_um", "y_um"))
_SMALLEST_AREA_UM2 = 10.0
"""Of tissue that a cell takes up on average; a lymphocyte takes up three times as much."""
_FEWEST_CROWDED = 50
_NO_PLAIN_NUMBER = r"[^0-9eE.,+\-\s]"
_WORDS = {"true": "1", "false": "0", "yes": "1", "no": "0", "positive": "1", "negative": "0"}
_SCALE_TOLERANCE = 0.05
_HINT = "see docs/how-to/cells-from-elsewhere.md for the columns"


def is_table_of_cells(names: list[str]) -> bool:
    """Say whether these columns contain places and kinds."""
    return "kind" in names and any(set(pair) <= set(names) for pair in _PLACES)


def cells_in_columns(table: pa.Table, facts: CellTableFacts, file: object) -> CellTable:
    """Return the cells of a table; columns that it does not know are ignored.

    Parameters
    ----------
    table : pa.Table
        Columns of texts or numbers. Places are level-0 pixels of the file (`x_px`, `y_px`), or micrometres
        from its top left corner (`x_um`, `y_um`).
    facts : CellTableFacts
        Of the slide.
    file : object
        Names the file in messages.

    Raises
    ------
    CellsFileError
        When a cell has no place or kind, a word is not known, or a subkind is not of its kind.
    """
    present = set(table.column_names)
    pair = next(pair for pair in _PLACES if set(pair) <= present)
    x, y = (numbers(table.column(name), name, file, table) for name in pair)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CellsFileError(f"{file}: cells without a place in {pair[0]}, {pair[1]}", _HINT)
    to_px = 1.0 if pair[0] == "x_px" else 1.0 / facts.mpp
    if all(set(pair) <= present for pair in _PLACES):
        for axis, values in (("x", x), ("y", y)):
            name = f"{axis}_um"
            _refuse_another_scale(axis, values, numbers(table.column(name), name, file, table), facts, file)
    named: Mapping[str, type[IntEnum]] = {"kind": Kind, "subkind": Subkind, "region": TissueRegion}
    columns: dict[str, NDArray[Any]] = {
        name: _codes(table.column(name), name, words, file)
        for name, words in named.items()
        if name in present
    }
    columns |= {
        name: numbers(_as_numbers(table.column(name)), name, file, table)
        for name in MEASURED
        if name in present
    }
    _refuse_contradiction(columns, file)
    with np.errstate(over="ignore"):  # infinite: outside the slide
        x, y = x * to_px, y * to_px
    return CellTable.from_columns(facts, x_px=x, y_px=y, **columns)


def _refuse_another_scale(
    axis: str, in_px: NDArray[np.float64], in_um: NDArray[np.float64], facts: CellTableFacts, file: object
) -> None:
    """Refuse a table whose places in µm and in pixels say another µm per pixel than the slide."""
    far = np.isfinite(in_um) & (np.abs(in_px) > 1)
    if not far.any():
        return
    stated = float(np.median(in_um[far] / in_px[far]))
    if not abs(stated - facts.mpp) <= _SCALE_TOLERANCE * facts.mpp:
        raise CellsFileError(
            f"{file}: {axis}_um and {axis}_px say {stated:.4g} µm per pixel, but the slide has "
            f"{facts.mpp:.4g}",
            "check --mpp, or leave out x_um and y_um",
        )


def _codes(column: pa.ChunkedArray, name: str, members: type[IntEnum], file: object) -> NDArray[np.uint8]:
    codes = {member.name.lower(): int(member) for member in members}
    if "unknown" in codes:
        codes[""] = codes["unknown"]
    index, words = texts(column)
    present = {words[number] for number in np.unique(index).tolist()}
    strange = sorted(present - {word for word in present if word.casefold() in codes})
    if strange:
        said = ", ".join(repr(word) for word in strange[:5])
        raise CellsFileError(
            f"{file}: column {name} contains {said}", f"known: {', '.join(filter(None, codes))}"
        )
    return np.array([codes.get(word.casefold(), 0) for word in words], np.uint8)[index]


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with yes and no turned into 1 and 0."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.int8())
    if not pa.types.is_string(column.type):
        return column
    if not pc.any(pc.match_substring_regex(column, _NO_PLAIN_NUMBER), min_count=0).as_py():
        return column  # millions of numbers, most of them different: no detour over each
    index, words = texts(column)
    if not any(word.casefold() in _WORDS for word in words):
        return column
    plain = np.array([_WORDS.get(word.casefold(), word) for word in words], dtype=object)[index]
    return pa.chunked_array([pa.array(plain.tolist(), pa.string())])


def _refuse_contradiction(columns: Mapping[str, NDArray[Any]], file: object) -> None:
    if "subkind" not in columns:
        return
    for kind, subkind in np.unique(np.stack([columns["kind"], columns["subkind"]]), axis=1).T.tolist():
        if not fits(kind, subkind):
            message = f"{file}: {Subkind(subkind).name.lower()} cells of kind {Kind(kind).name.lower()}"
            raise CellsFileError(message, "immune means lymphocyte or macrophage; all others are other")


# Cells as an AnnData file (`.h5ad`), for scanpy, squidpy, SpatialData and LazySlide; and read back.

H5AD_FORM = "AnnData"

_MAGIC = b"\x89HDF\r\n\x1a\n"
_H5AD_HINT = "give a file of cxpath export --format h5ad, or save its obs as CSV with kind, x_px and y_px"


def is_hdf5(path: Path) -> bool:
    """Say whether a file begins as HDF5 does; False for one that cannot be read."""
    return _beginning(path, len(_MAGIC)) == _MAGIC


def is_dicom(path: Path) -> bool:
    """Say whether a file begins as a DICOM file does; False for one that cannot be read."""
    return _beginning(path, 132)[128:] == b"DICM"


def _beginning(path: Path, size: int) -> bytes:
    try:
        refuse_pipe(path)
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""  # reading the content says why


def write_h5ad(cells: CellTable, path: Path) -> None:
    """Write the cells as AnnData; see `CellTable.to_anndata` for what lies where.

    Raises
    ------
    MissingExtraError
        Without anndata.
    OutputError
        When the file cannot be written.
    """
    found = to_anndata(cells)
    with atomic_write(path) as partial:
        found.write_h5ad(partial, compression="gzip")


def read_h5ad(path: Path) -> CellTable:
    """Read cells that `write_h5ad` wrote; columns and layers that others added are passed over.

    Raises
    ------
    MissingExtraError
        Without anndata.
    MissingFileError, CellsFileError
        When there is no such file, it is damaged or of another form, or its parts contradict each other.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", "check the path")
    anndata = import_extra("anndata", SCVERSE_EXTRA)
    try:
        found = anndata.read_h5ad(path)
    except Exception as error:  # h5py and anndata raise all kinds at damaged files
        raise CellsFileError(f"{path}: not a readable AnnData file", _H5AD_HINT) from error
    try:
        return from_anndata(found)
    except (TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: {error}", _H5AD_HINT) from error


PARQUET = "Parquet"

_MOST_OUTSIDE = 0.01
"""Share of cells off the slide from which the file is considered another slide's."""

_ROUNDED_PX = 0.011
"""QuPath writes places with two decimals."""

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
    _refuse_crowded(cells, path)
    cells = _from_border(cells, info)
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
            *_nearly_twice(kept),
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
        from cxpath.io.dicom import DICOM_FORM, read_annotations  # noqa: PLC0415 - pydicom is slow to import

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
    return _beginning(path, 4) == b"PAR1"


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
    if not table.num_rows:
        raise CellsFileError(f"{path}: contains no cell", _FORMS)
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
            raise CellsFileError(f"{path}: column {name!r} is almost spelled like {known!r}", "rename it")


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


def _refuse_crowded(cells: CellTable, path: Path) -> None:
    """Refuse more cells than fit between the outermost: places relative to tiles, or shares of a width."""
    if len(cells) < _FEWEST_CROWDED:
        return
    with np.errstate(over="ignore"):  # endless width is no crowd, and lies outside every slide
        width, height = (float(np.ptp(values)) * cells.facts.mpp for values in (cells.x_px, cells.y_px))
    line = 2 * math.sqrt(_SMALLEST_AREA_UM2)  # cells in one row lie in an area, too
    if not (width + line) * (height + line) >= _SMALLEST_AREA_UM2 * len(cells):
        raise CellsFileError(
            f"{path}: {len(cells)} cells lie within {width:.4g} x {height:.4g} µm, more than is possible",
            "give coordinates in level-0 pixels of the whole slide",
        )


def _from_border(cells: CellTable, info: SlideInfo) -> CellTable:
    """Move cells onto the slide that lie beyond its border by no more than what QuPath rounds places to."""
    places = []
    for values, size in ((cells.x_px, info.width_px), (cells.y_px, info.height_px)):
        rounded = (values >= -_ROUNDED_PX) & (values < size + _ROUNDED_PX)
        places.append(np.where(rounded, np.clip(values, 0.0, np.nextafter(size, 0.0)), values))
    return replace(cells, x_px=places[0], y_px=places[1])


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


_NEAR_UM, _MANY_NEAR = 1.5, 0.05


def _nearly_twice(cells: CellTable) -> Iterator[str]:
    """Warn of many cells nearer to each other than nuclei can lie, as of two exports of one part in a file.

    Counted on two lattices of that step, the second shifted by half of it.
    """
    places = np.unique(cells.x_px + 1j * cells.y_px) * cells.facts.mpp / _NEAR_UM
    if not len(places):
        return
    lattices = (np.floor(places.real + by) + 1j * np.floor(places.imag + by) for by in (0.0, 0.5))
    near = max(len(places) - len(np.unique(lattice)) for lattice in lattices)
    if near > _MANY_NEAR * len(places):
        yield (
            f"cells nearer than {_NEAR_UM:g} µm to another cell of the file: about {near}; each was counted, "
            "so check that no part of the slide is in the file twice, and µm per pixel"
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
        yield f"cells whose probabilities suggest another class than the file's: {other.sum()}"


def _certain(cells: CellTable) -> Iterator[str]:
    """Warn when every call is a plain yes or no, since the interval for the slide then contains no doubt."""
    counted = cells.stained[(cells.kind != Kind.OTHER) & np.isfinite(cells.stained)]
    if len(counted) and np.isin(counted, (0.0, 1.0)).all():
        yield (
            "staining of the given cells is a plain yes or no: the interval for this slide ignores "
            "how certain each call was"
        )


def _no_densities(cells: CellTable) -> Iterator[str]:
    if len(cells) and np.isnan(cells.dab_membrane_od).all():
        yield "the given cells carry no optical densities: there is no H-score"
