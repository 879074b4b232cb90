"""The pathologist's regions, from whichever drawing tool: the form is told by the content.

A class that nobody gave a meaning is an error: an area meant as "do not score this" must never be scored
because its name was spelled differently, and one meant as "score this" must not be lost.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.exchange import asap_xml, imagescope_xml, regions_geojson
from cxpath.exchange.drawn_area import DrawnArea
from cxpath.exchange.file_content import first_character, read_content
from cxpath.exchange.qupath_frame import Bounds
from cxpath.exchange.region_classes import RegionClasses
from cxpath.exchange.safe_xml import parse_xml
from cxpath.values.errors import RegionsFileError
from cxpath.values.regions import Region, RegionMeaning, Regions, RegionUse

_FORMS = "QuPath GeoJSON, ASAP XML or ImageScope XML"
_EXPORT = "export the annotations again"


def read_regions(
    path: Path | str,
    bounds_px: Bounds = (0, 0, 0, 0),
    classes: RegionClasses | None = None,
    size_px: tuple[int, int] | None = None,
) -> Regions:
    """Read the drawn areas of a slide: QuPath GeoJSON, ASAP XML or ImageScope XML, plain or gzipped.

    Parameters
    ----------
    path : Path
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part, from which QuPath's positions count; ASAP's and
        ImageScope's count from the file's own corner.
    classes : RegionClasses, optional
        What each class name means. An area without a class is included.
    size_px : tuple of int, optional
        Width and height of the slide: with it, areas that reach beyond are warned about.

    Returns
    -------
    Regions
        Crossing outlines are repaired; `warnings` says which, and what was passed over.

    Raises
    ------
    MissingFileError
        When there is no such file.
    RegionsFileError
        When it has none of the three forms, an area encloses nothing, a class has no meaning, or no area
        is left.
    """
    path, classes = Path(path), classes or RegionClasses()
    content = read_content(path, RegionsFileError, _EXPORT)
    form, drawn, warnings = _drawn(content, bounds_px, path)
    meant, passed_over = _with_meaning(drawn, classes, path)
    if not meant:
        raise RegionsFileError(
            f"{path}: no drawn area in the file", f"draw areas and export them as {_FORMS}"
        )
    repairs = [said for area, _ in meant for said in area.warnings]
    beyond = [said for area, _ in meant for said in _beyond(area, size_px)]
    areas = tuple(_regions(meant))
    said = (*warnings, *passed_over, *repairs, *beyond, *_nothing_left(areas, size_px))
    return Regions(areas, tuple(said), form, hashlib.sha256(content).hexdigest())


def _drawn(content: bytes, bounds_px: Bounds, path: Path) -> tuple[str, list[DrawnArea], list[str]]:
    first = first_character(content)
    if first == "<":
        root = parse_xml(content, path)
        if root.tag == asap_xml.ROOT:
            return asap_xml.FORM, *asap_xml.drawn_in_asap(root, path)
        if root.tag == imagescope_xml.ROOT:
            return imagescope_xml.FORM, *imagescope_xml.drawn_in_imagescope(root, path)
        message = f"{path}: XML of another kind (<{root.tag}>)"
        raise RegionsFileError(message, f"export the annotations as {_FORMS}")
    return regions_geojson.FORM, *regions_geojson.drawn_in_geojson(content, bounds_px, path)


Meant = list[tuple[DrawnArea, RegionMeaning]]


def _with_meaning(drawn: list[DrawnArea], classes: RegionClasses, path: Path) -> tuple[Meant, list[str]]:
    meant: Meant = []
    unknown: Counter[str] = Counter()
    passed_over: Counter[str] = Counter()
    for area in drawn:
        meaning = classes.meaning(area.class_name)
        if meaning is not None:
            meant.append((area, meaning))
        else:
            (passed_over if classes.is_passed_over(area.class_name) else unknown)[area.class_name] += 1
    if unknown:
        raise RegionsFileError(f"{path}: areas of unknown classes: {_counted(unknown)}", _way_out(classes))
    said = f"drawn areas of these classes were passed over, as configured: {_counted(passed_over)}"
    return meant, [said] if passed_over else []


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name!r} ({number})" for name, number in sorted(names.items()))


def _way_out(classes: RegionClasses) -> str:
    return (
        "give them a known class, or name them in [regions] of the configuration "
        f"(pass_over leaves them out). Known: {classes.listed()}"
    )


def _regions(meant: Meant) -> Iterator[Region]:
    """Yield regions; a negative area is a hole in an excluded class and an exclusion in an included one."""
    for area, meaning in meant:
        if not area.negative:
            shape = area.shape if meaning.use is RegionUse.INCLUDE else _less_holes(area, meant)
            if not shape.is_empty:
                yield Region.meaning_of(area.class_name, meaning, shape)
        elif meaning.use is RegionUse.INCLUDE:
            yield Region.meaning_of(f"{area.class_name}, cut out", RegionMeaning.EXCLUDE, area.shape)


def _less_holes(area: DrawnArea, meant: Meant) -> Polygon | MultiPolygon:
    holes = [other.shape for other, _ in meant if other.negative and other.class_name == area.class_name]
    return _polygonal(area.shape.difference(shapely.union_all(holes)))


def _polygonal(shape: BaseGeometry) -> Polygon | MultiPolygon:
    if isinstance(shape, Polygon | MultiPolygon):
        return shape
    return MultiPolygon([part for part in shapely.get_parts(shape) if isinstance(part, Polygon)])


def _beyond(area: DrawnArea, size_px: tuple[int, int] | None) -> Iterator[str]:
    if size_px is None:
        return
    slide = shapely.box(-1, -1, size_px[0] + 1, size_px[1] + 1)
    if not slide.intersects(area.shape):
        yield f"{area.where} lies wholly outside the slide: is the file of this slide?"
    elif not slide.covers(area.shape):
        yield f"{area.where} reaches beyond the slide's edge"


def _nothing_left(areas: tuple[Region, ...], size_px: tuple[int, int] | None) -> Iterator[str]:
    if size_px is not None and Regions(areas).scored_shape(*size_px).area == 0:
        yield "the drawn regions leave nothing of the slide to score"
