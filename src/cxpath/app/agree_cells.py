"""Cells that a person marked in QuPath against cells of cxpath or of another person: to `cells.json`.

Both come as QuPath GeoJSON of the same image, in QuPath's own frame; a results folder of `cxpath score`
holds such a file. Compared cells count inside the marked area only: outlines drawn as annotations, or else
the hull of the reference's cells, grown by the largest radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cxpath.agreement.base import draw_cases
from cxpath.agreement.cells import (
    DEFAULT_RADIUS_UM,
    RADII_UM,
    ImagePair,
    ObservedCells,
    confusion,
    count_ratio_errors,
    detection,
    same_class,
)
from cxpath.data.cells import CellTable, CellTableFacts, Kind
from cxpath.documents.agreement import CellAgreementDocument, ComparedImage, CxpathVersion, StatisticEntry
from cxpath.errors import CellsFileError, StudyError
from cxpath.io.atomic import read_content
from cxpath.io.cell_classes import CellClasses, default_cell_classes, read_cell_classes, to_cell_table
from cxpath.io.cells import read_cells
from cxpath.io.foreign_cells import cells_in_geojson
from cxpath.io.geojson import geometry, object_type, parse_features, shape_of
from cxpath.version import __version__

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
    cell_classes : Path or None
        What class names mean; QuPath's by default.
    radius_um : float
        At which classes are compared.
    replicates, seed : int
    """

    reference: tuple[Path, ...]
    compared: tuple[Path, ...]
    mpp: float | None = None
    cell_classes: Path | None = None
    radius_um: float = DEFAULT_RADIUS_UM
    replicates: int = 2000
    seed: int = 1


def compare_cells(request: CellsRequest) -> CellAgreementDocument:
    """Return the content of `cells.json`.

    Raises
    ------
    MissingFileError, CellsFileError
        When a file is not there or holds no cells.
    StudyError
        When the lists differ in length, or µm per pixel is not known.
    """
    if not request.reference or len(request.reference) != len(request.compared):
        raise StudyError(
            f"{len(request.reference)} references and {len(request.compared)} files to compare",
            "name one of each for every image, in the same order",
        )
    classes = read_cell_classes(request.cell_classes or default_cell_classes())
    images = [
        _image(reference, compared, request, classes)
        for reference, compared in zip(request.reference, request.compared, strict=True)
    ]
    draws = draw_cases(np.arange(len(images)), request.replicates, 0.95, request.seed)
    statistics = [one for radius in RADII_UM for one in detection(images, draws, radius)]
    statistics.append(same_class(images, draws, request.radius_um))
    statistics += count_ratio_errors(images, _ABOVE, _BELOW, draws)
    table = confusion(images, len(CLASSES), request.radius_um)
    return CellAgreementDocument(
        radius_um=request.radius_um,
        images=tuple(
            ComparedImage(name=one.name, reference=len(one.reference), compared=len(one.compared))
            for one in images
        ),
        classes=CLASSES,
        confusion=tuple(tuple(row) for row in table.tolist()),
        statistics=tuple(map(StatisticEntry.of_statistic, statistics)),
        provenance=CxpathVersion(cxpath=__version__),
    )


def _image(reference: Path, compared: Path, request: CellsRequest, classes: CellClasses) -> ImagePair:
    facts, file = _facts(compared, request.mpp)
    marked, found = (_cells(path, facts, classes) for path in (reference, file))
    area = _marked_area(reference, marked, facts.mpp)
    inside = shapely.contains_xy(area, found.x_px, found.y_px)
    return ImagePair(reference.name, _observed(marked), _observed(found.take(inside)))


def _facts(compared: Path, mpp: float | None) -> tuple[CellTableFacts, Path]:
    """Return what positions refer to, and the GeoJSON of the compared cells."""
    if compared.is_dir():
        known = read_cells(compared / "cells.parquet").facts
        if mpp is not None and abs(mpp / known.mpp - 1) > 0.02:
            raise StudyError(f"{compared}: is at {known.mpp:g} µm per pixel, not {mpp:g}", "leave --mpp out")
        return known, compared / "cells.geojson.gz"
    if mpp is None:
        raise StudyError(f"{compared}: µm per pixel is not known", "pass --mpp")
    return CellTableFacts(mpp=mpp, width_px=0, height_px=0), compared


def _cells(path: Path, facts: CellTableFacts, classes: CellClasses) -> CellTable:
    content = read_content(path, CellsFileError, "export cells or points from QuPath as GeoJSON")
    found, _ = cells_in_geojson(content, (0, 0, facts.width_px, facts.height_px), classes, path)
    return to_cell_table(found, facts, classes, found.stained_threshold or _CERTAIN, path)


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


def _observed(cells: CellTable) -> ObservedCells:
    """Return places in µm and classes; cells of unknown staining keep their place and have no class."""
    kind, stained = cells.kind.astype(np.int64), cells.stained
    code = np.where(kind == Kind.TUMOUR, 0, 2) + (stained < _CERTAIN)
    code = np.where(kind == Kind.OTHER, 4, np.where(np.isnan(stained), -1, code))
    places = np.column_stack([cells.x_px, cells.y_px]) * cells.facts.mpp
    return ObservedCells(places, code.astype(np.int64))


def cell_lines(document: CellAgreementDocument) -> Sequence[str]:
    """Return the lines that the command prints."""
    lines = [
        f"image    {one.name}: {one.reference} marked, {one.compared} compared" for one in document.images
    ]
    for one in document.statistics:
        value = "not defined" if one.estimate is None else f"{one.estimate:.3f}"
        low, high = one.interval or (None, None)
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        lines.append(f"  {one.label:34} {one.radius or '':8} {value:>11}  {interval:18} {one.method}")
    return [*lines, document.research_use]
