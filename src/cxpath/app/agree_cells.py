"""Cells that a person marked in QuPath against cells of cxpath or of another person: to `cells.json`.

Both come as QuPath GeoJSON of the same image, in QuPath's own frame; a results folder of `cxpath score`
contains such a file. Cells of both count inside the marked area only: outlines drawn as annotations, or else
the hull of the reference's cells, grown by the largest radius. Either side is positive from the threshold on
that its own file or run states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from cxpath import __version__
from cxpath.agreement import (
    DEFAULT_RADIUS_UM,
    RADII_UM,
    ImagePair,
    ObservedCells,
    confusion,
    count_ratio_errors,
    detection,
    draw_cases,
    same_class,
)
from cxpath.data import CellTable, CellTableFacts, Kind
from cxpath.documents import CellAgreementDocument, ComparedImage, CxpathVersion, StatisticEntry, read_score
from cxpath.errors import CellsFileError, StudyError
from cxpath.io import (
    CellClasses,
    cells_in_geojson,
    default_cell_classes,
    geometry,
    object_type,
    parse_features,
    read_cell_classes,
    read_cells,
    read_content,
    shape_of,
    to_cell_table,
)

CLASSES = ("tumour, positive", "tumour, negative", "immune, positive", "immune, negative", "other")
_ABOVE, _BELOW = (0, 2), (0, 1)
"""Of the CPS: counted above and below the line."""
_CERTAIN = 0.5


@dataclass(frozen=True)
class CellsRequest:
    """What is to be compared.

    Parameters
    ----------
    reference, compared : tuple of Path
        Of each image: GeoJSON of the marked cells, and GeoJSON or results folder of the others.
    mpp : float or None
        µm per pixel; a results folder knows its own.
    class_map : Path or None
        What class names mean; QuPath's by default.
    radius_um : float
        At which classes are compared.
    replicates, seed : int
    """

    reference: tuple[Path, ...]
    compared: tuple[Path, ...]
    mpp: float | None = None
    class_map: Path | None = None
    radius_um: float = DEFAULT_RADIUS_UM
    replicates: int = 2000
    seed: int = 1


def compare_cells(request: CellsRequest) -> CellAgreementDocument:
    """Return the content of `cells.json`.

    Raises
    ------
    MissingFileError, CellsFileError
        When a file is not there or contains no cells.
    StudyError
        When the lists differ in length, or µm per pixel is not known.
    """
    if not request.reference or len(request.reference) != len(request.compared):
        raise StudyError(
            f"{len(request.reference)} references and {len(request.compared)} files to compare",
            "name one of each for every image, in the same order",
        )
    classes = read_cell_classes(request.class_map or default_cell_classes())
    found = [
        _image(reference, compared, request, classes)
        for reference, compared in zip(request.reference, request.compared, strict=True)
    ]
    images = [one.pair for one in found]
    draws = draw_cases(np.arange(len(images)), request.replicates, 0.95, request.seed)
    statistics = [one for radius in RADII_UM for one in detection(images, draws, radius)]
    statistics.append(same_class(images, draws, request.radius_um))
    statistics += count_ratio_errors(images, _ABOVE, _BELOW, draws)
    table = confusion(images, len(CLASSES), request.radius_um)
    return CellAgreementDocument(
        radius_um=request.radius_um,
        images=tuple(
            ComparedImage(
                name=one.pair.name,
                reference=len(one.pair.reference),
                compared=len(one.pair.compared),
                reference_outside=one.reference_outside,
                compared_outside=one.compared_outside,
            )
            for one in found
        ),
        classes=CLASSES,
        confusion=tuple(tuple(row) for row in table.tolist()),
        statistics=tuple(map(StatisticEntry.of_statistic, statistics)),
        provenance=CxpathVersion(cxpath=__version__),
    )


@dataclass(frozen=True, eq=False)
class _Image:
    """An image with what was compared, and how many cells lay outside the marked area on either side."""

    pair: ImagePair
    reference_outside: int
    compared_outside: int


def _image(reference: Path, compared: Path, request: CellsRequest, classes: CellClasses) -> _Image:
    facts, file, threshold = _facts(compared, request.mpp)
    marked = _cells(reference, facts, classes, _CERTAIN)
    found = _cells(file, facts, classes, threshold)
    area = _marked_area(reference, marked.cells, facts.mpp)
    within = [shapely.contains_xy(area, one.cells.x_px, one.cells.y_px) for one in (marked, found)]
    if not within[0].any():
        raise StudyError(
            f"{reference}: no marked cell lies within the drawn outlines",
            "draw the outline around the cells, or export the cells without it",
        )
    outside = [int(np.count_nonzero(~inside)) for inside in within]
    pair = ImagePair(reference.name, _observed(marked, within[0]), _observed(found, within[1]))
    return _Image(pair, *outside)


@dataclass(frozen=True, eq=False)
class _Called:
    """Cells of one side, and the probability from which they were called positive."""

    cells: CellTable
    stained_threshold: float


def _facts(compared: Path, mpp: float | None) -> tuple[CellTableFacts, Path, float]:
    """Return what positions refer to, the GeoJSON of the compared cells, and their staining threshold."""
    if compared.is_dir():
        known = read_cells(compared / "cells.parquet").facts
        if mpp is not None and abs(mpp / known.mpp - 1) > 0.02:
            raise StudyError(f"{compared}: is at {known.mpp:g} µm per pixel, not {mpp:g}", "leave --mpp out")
        return known, compared / "cells.geojson.gz", _threshold_of_run(compared)
    if mpp is None:
        raise StudyError(f"{compared}: µm per pixel is not known", "pass --mpp")
    return CellTableFacts(mpp=mpp, width_px=0, height_px=0), compared, _CERTAIN


def _threshold_of_run(folder: Path) -> float:
    return read_score(folder).scoring.stained_threshold or _CERTAIN


def _cells(path: Path, facts: CellTableFacts, classes: CellClasses, otherwise: float) -> _Called:
    """Return the cells of a file with the threshold that it states, or `otherwise`."""
    content = read_content(path, CellsFileError, "export cells or points from QuPath as GeoJSON")
    found, _ = cells_in_geojson(content, (0, 0, facts.width_px, facts.height_px), classes, path)
    threshold = otherwise if found.stained_threshold is None else found.stained_threshold
    return _Called(to_cell_table(found, facts, classes, threshold, path), threshold)


def _marked_area(path: Path, cells: CellTable, mpp: float) -> BaseGeometry:
    content = read_content(path, CellsFileError, "export cells or points from QuPath as GeoJSON")
    features, _ = parse_features(content, path, CellsFileError)
    outlines = [
        shape_of(geometry(feature))
        for feature in features
        if object_type(feature) not in {"cell", "detection", "tile"}
        and geometry(feature).get("type") in {"Polygon", "MultiPolygon"}
    ]
    if outlines:
        return shapely.union_all([shapely.make_valid(outline) for outline in outlines])
    hull = shapely.MultiPoint(np.column_stack([cells.x_px, cells.y_px])).convex_hull
    return hull.buffer(max(RADII_UM) / mpp)


def _observed(called: _Called, within: NDArray[np.bool_]) -> ObservedCells:
    """Return places in µm and classes; cells of unknown staining keep their place and have no class."""
    cells = called.cells.take(within)
    kind, stained = cells.kind.astype(np.int64), cells.stained
    code = np.where(kind == Kind.TUMOUR, 0, 2) + (stained < called.stained_threshold)
    code = np.where(kind == Kind.OTHER, 4, np.where(np.isnan(stained), -1, code))
    places = np.column_stack([cells.x_px, cells.y_px]) * cells.facts.mpp
    return ObservedCells(places, code.astype(np.int64))


def _outside(image: ComparedImage) -> str:
    """Return how many cells were left out, in words; nothing where none was."""
    marked, compared = image.reference_outside, image.compared_outside
    if not marked and not compared:
        return ""
    return f"; outside the marked area and left out: {marked} marked, {compared} compared"


def cell_lines(document: CellAgreementDocument) -> Sequence[str]:
    """Return the lines that the command prints."""
    lines = [
        f"image    {one.name}: {one.reference} marked, {one.compared} compared{_outside(one)}"
        for one in document.images
    ]
    for one in document.statistics:
        value = "not defined" if one.estimate is None else f"{one.estimate:.3f}"
        low, high = one.interval or (None, None)
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        lines.append(f"  {one.label:34} {one.radius or '':8} {value:>11}  {interval:18} {one.method}")
    return [*lines, document.research_use]
