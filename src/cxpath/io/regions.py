"""Annotated regions of QuPath, ASAP, ImageScope and HALO, recognised by content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import shapely
from pydantic import model_validator
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from cxpath.data import Region, RegionMeaning, Regions, RegionUse, Settings
from cxpath.errors import RegionsFileError
from cxpath.io.atomic import first_character, read_content
from cxpath.io.geojson import (
    AGAIN,
    UNCLASSIFIED,
    AnnotatedArea,
    Bounds,
    FeatureShapeError,
    annotated_area,
    are_tangled,
    class_name,
    from_qupath_frame,
    geometry,
    label,
    object_type,
    parse_features,
    place_name,
    plain,
    planes,
    properties,
    refuse_repeats,
    shape_of,
)
from cxpath.io.regions_xml import (
    ASAP_FORM,
    ASAP_ROOT,
    IMAGESCOPE_ROOT,
    form_of_imagescope,
    halo_origin_warnings,
    imagescope_scale_warnings,
    parse_xml,
    regions_in_asap,
    regions_in_imagescope,
)

# What the class names of drawn regions mean: a small table that a lab may change. Reads no file.


class RegionClasses(Settings):
    """Section `[regions]` of the configuration: class names by meaning; a list replaces the default list.

    Neither case matters nor the star that QuPath sets behind `Region*` and `Ignore*`.
    """

    include: tuple[str, ...] = (
        "Tumor", "Tumour", "Invasive tumor", "Invasive tumour", "Carcinoma",
        "Region", "ROI", "Region of interest", "Include",
    )  # fmt: skip
    """Scored."""

    tumour_bed: tuple[str, ...] = ("Tumor bed", "Tumour bed", "Tumor area", "Tumour area")
    """Scored; scores of tumour area refer to the scored tissue inside it."""

    exclude: tuple[str, ...] = ("Exclude", "Exclusion", "Ignore", "Ulcer")
    """Left out."""

    necrosis: tuple[str, ...] = ("Necrosis", "Necrotic")
    """Left out: necrosis."""

    benign: tuple[str, ...] = (
        "Benign", "Normal", "CIN", "CIN1", "CIN2", "CIN3", "CIN 1", "CIN 2", "CIN 3", "CIS", "HSIL", "LSIL",
        "Dysplasia", "Not invasive tumor", "Not invasive tumour",
    )  # fmt: skip
    """Left out: benign or precancerous epithelium."""

    artefact: tuple[str, ...] = ("Artefact", "Artifact", "Fold", "Pen", "Blur")
    """Left out: artefacts."""

    control: tuple[str, ...] = ("Control", "Control tissue", "Positive control", "Negative control")
    """Left out: control tissue on the slide."""

    pass_over: tuple[str, ...] = ()
    """Drawn for another purpose: neither scored nor left out. The result says how many were passed over."""

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        refuse_repeats(name for listed in self.model_dump().values() for name in listed)
        return self

    def ignoring(self, names: Iterable[str]) -> RegionClasses:
        """Return the table with these classes passed over, whatever they meant before."""
        ignored = {plain(name): name for name in names}
        lists = {
            key: tuple(name for name in listed if plain(name) not in ignored)
            for key, listed in self.model_dump().items()
        }
        lists["pass_over"] = (*lists["pass_over"], *ignored.values())
        return RegionClasses(**lists)

    def meanings(self) -> dict[str, RegionMeaning]:
        """Return the meaning of each name, in the spelling of the table."""
        return {name: meaning for key, meaning in _MEANING_OF_KEY.items() for name in getattr(self, key)}

    def meaning(self, name: str) -> RegionMeaning | None:
        """Return what a class means, or None for one that is not in the table."""
        if name == UNCLASSIFIED and not self.is_passed_over(name):
            return RegionMeaning.INCLUDE  # whoever draws one area means that one
        plain_meanings = {plain(known): meaning for known, meaning in self.meanings().items()}
        return plain_meanings.get(plain(name))

    def is_passed_over(self, name: str) -> bool:
        """Say whether areas of this class are for something else than the score."""
        return plain(name) in {plain(known) for known in self.pass_over}

    def listed(self) -> str:
        """Return the whole table in one line, for messages."""
        return "; ".join(
            f"{meaning.value}: {', '.join(getattr(self, key)) or 'none'}"
            for key, meaning in _MEANING_OF_KEY.items()
        )


_MEANING_OF_KEY = {
    "include": RegionMeaning.INCLUDE,
    "tumour_bed": RegionMeaning.TUMOUR_BED,
    "exclude": RegionMeaning.EXCLUDE,
    "necrosis": RegionMeaning.NECROSIS,
    "benign": RegionMeaning.BENIGN,
    "artefact": RegionMeaning.ARTEFACT,
    "control": RegionMeaning.CONTROL,
}


# Areas drawn in QuPath, from its GeoJSON, moved into level-0 pixels. Does not know what a class means.


GEOJSON_FORM = "QuPath GeoJSON"

_ANNOTATED_TYPES = {"", "annotation"}
_DEEPEST_PROPERTY = 3
_GEOJSON_AREAS = {"Polygon", "MultiPolygon", "GeometryCollection"}


def regions_in_geojson(
    content: bytes, bounds_px: Bounds, file: object
) -> tuple[list[AnnotatedArea], list[str]]:
    """Return the areas of a file, and warnings about what was passed over.

    Polygons and multipolygons keep their holes; of a mixed geometry the polygons are taken, however deep they
    lie. Points, lines and objects that are no annotations (detections, cells, tiles) are passed over, and
    counted with their classes.

    Parameters
    ----------
    content : bytes
        A FeatureCollection, a bare array of features or one feature.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.
    file : object
        Names the file in messages.

    Raises
    ------
    RegionsFileError
        When it is no GeoJSON, or an area is none.
    """
    offset = from_qupath_frame(0.0, 0.0, bounds_px)
    found: list[AnnotatedArea] = []
    passed_over: Counter[str] = Counter()
    features, _ = parse_features(content, file, RegionsFileError)
    for number, feature in enumerate(features, start=1):
        held, kind, name = geometry(feature), object_type(feature), class_name(feature)
        if kind not in _ANNOTATED_TYPES or held.get("type") not in _GEOJSON_AREAS:
            what = kind if kind not in _ANNOTATED_TYPES else str(held.get("type") or "no geometry")
            passed_over[place_name(what, name)] += 1
            continue
        where = place_name(f"annotation {number}", name)
        outline, others = _polygons(_shape(held, where, file))
        passed_over.update({f"{what} within {where}": count for what, count in others.items()})
        label_of = _label_without_class(feature) if name == UNCLASSIFIED else _name(feature)
        found.append(annotated_area(translate(outline, *offset), name, where, file, label=label_of))
    return found, [*([_said(passed_over)] if passed_over else []), *planes(features)]


def _label_without_class(feature: dict[str, Any]) -> tuple[str, str]:
    """Return what an area without a class is called; a known class first, whatever property contains it."""
    known = {plain(name) for name in RegionClasses().meanings()}
    stated = ((key, text.strip()) for key, text in _texts_in(properties(feature), _DEEPEST_PROPERTY))
    return next((found for found in stated if plain(found[1]) in known), None) or label(feature)


def _texts_in(held: dict[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    for key, value in held.items():
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, dict) and depth:
            yield from _texts_in(value, depth - 1)


def _name(feature: dict[str, Any]) -> tuple[str, str]:
    """Return the name that a person gave to an object that has a class as well."""
    name = properties(feature).get("name")
    return ("name", name.strip()) if isinstance(name, str) else ("", "")


def _shape(held: dict[str, Any], where: str, file: object) -> BaseGeometry:
    try:
        return shape_of(held)
    except FeatureShapeError as error:
        message = f"{file}: {where} is not a polygon: {error.message}"
        raise RegionsFileError(message, "export the annotations again") from error


def _polygons(outline: BaseGeometry) -> tuple[BaseGeometry, Counter[str]]:
    """Return an area, or the areas of a mixed geometry and the number of what else it contains, by type."""
    if isinstance(outline, Polygon | MultiPolygon):
        return outline, Counter()
    parts = list(_parts(outline))
    polygons = [part for part in parts if isinstance(part, Polygon)]
    return MultiPolygon(polygons), Counter(p.geom_type for p in parts if not isinstance(p, Polygon))


def _parts(outline: BaseGeometry) -> Iterator[BaseGeometry]:
    """Yield the single parts of a geometry, however deep collections lie within collections."""
    for part in shapely.get_parts(outline):
        if part.geom_type.startswith("Multi") or part.geom_type == "GeometryCollection":
            yield from _parts(part)
        else:
            yield part


def _said(passed_over: Counter[str]) -> str:
    kinds = [f"{number} {kind}" for kind, number in sorted(passed_over.items())]
    more = f" and {len(kinds) - 8} more kinds" if len(kinds) > 8 else ""
    return f"objects without a drawn area were passed over: {', '.join(kinds[:8])}{more}"


# The pathologist's regions, from whichever drawing tool: the form is recognised by the content.
#
# A class that nobody gave a meaning is an error: an area meant as "do not score this" must never be scored
# because its name was spelled differently, and one meant as "score this" must not be lost.


_FORMS = "QuPath GeoJSON, or XML of ASAP, ImageScope or HALO"
_MOST_LABELS = 5
_SMALLEST_PX2 = 25.0
_EXPORT = "export the annotations again"


def read_regions(
    path: Path | str,
    bounds_px: Bounds = (0, 0, 0, 0),
    classes: RegionClasses | None = None,
    size_px: tuple[int, int] | None = None,
    mpp: float | None = None,
) -> Regions:
    """Read the drawn areas of a slide: QuPath GeoJSON, or XML of ASAP, ImageScope or HALO, plain or gzipped.

    Parameters
    ----------
    path : Path
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part, from which QuPath's positions count; those
        of XML count from the file's own corner.
    classes : RegionClasses, optional
        What each class name means. An area without a class is included.
    size_px : tuple of int, optional
        Width and height of the slide: with it, areas that reach beyond are warned about.
    mpp : float, optional
        µm per pixel of the slide: with it, a file that states another is warned about.

    Returns
    -------
    Regions
        Crossing outlines are repaired; `warnings` says which, and what was passed over.

    Raises
    ------
    MissingFileError
        When there is no such file.
    RegionsFileError
        When it has none of these forms, an area encloses nothing, a class has no meaning, or no area
        is left.
    """
    path, classes = Path(path), classes or RegionClasses()
    content = read_content(path, RegionsFileError, _EXPORT)
    form, drawn, warnings = _drawn(content, bounds_px, path, mpp)
    meant, passed_over = _with_meaning(drawn, classes, path)
    if not meant:
        raise RegionsFileError(
            f"{path}: no drawn area in the file", f"draw areas and export them as {_FORMS}"
        )
    if are_tangled(area.shape for area, _ in meant):
        raise RegionsFileError(f"{path}: the areas cross each other too often to be cut out", AGAIN)
    repairs = [said for area, _ in meant for said in area.warnings]
    beyond = [said for area, _ in meant for said in _beyond(area, size_px)]
    areas = tuple(_regions(meant))
    labels = tuple(_labels(meant, classes))
    odd = (*_mixed_with_unclassified(meant), *_tiny(meant))
    lost = tuple(_nothing_left(areas, size_px)) or tuple(_swallowed(meant))
    said = (*warnings, *passed_over, *labels, *repairs, *odd, *beyond, *lost)
    return Regions(areas, tuple(said), form, hashlib.sha256(content).hexdigest())


def _drawn(
    content: bytes, bounds_px: Bounds, path: Path, mpp: float | None
) -> tuple[str, list[AnnotatedArea], list[str]]:
    first = first_character(content)
    if first == "<":
        root = parse_xml(content, path)
        if root.tag == ASAP_ROOT:
            return ASAP_FORM, *regions_in_asap(root, path)
        if root.tag == IMAGESCOPE_ROOT:
            areas, warnings = regions_in_imagescope(root, path)
            at_corner = bounds_px[:2] == (0, 0)
            origin = halo_origin_warnings(root, path, at_corner=at_corner)
            return (
                form_of_imagescope(root),
                areas,
                [*imagescope_scale_warnings(root, mpp), *origin, *warnings],
            )
        message = f"{path}: XML of another kind (<{root.tag}>)"
        raise RegionsFileError(message, f"export the annotations as {_FORMS}")
    return GEOJSON_FORM, *regions_in_geojson(content, bounds_px, path)


Meant = list[tuple[AnnotatedArea, RegionMeaning]]


def _with_meaning(drawn: list[AnnotatedArea], classes: RegionClasses, path: Path) -> tuple[Meant, list[str]]:
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


def _labels(meant: Meant, classes: RegionClasses) -> Iterator[str]:
    """Say which areas carry a name or label that their class does not: what was meant cannot be known."""
    said = list(filter(None, (_regions_file_label(area, meaning, classes) for area, meaning in meant)))
    yield from said[:_MOST_LABELS]
    if len(said) > _MOST_LABELS:
        yield f"{len(said) - _MOST_LABELS} more areas carry a name or label that their class does not"


def _regions_file_label(area: AnnotatedArea, meaning: RegionMeaning, classes: RegionClasses) -> str:
    """Say how an area's label and class differ; a label that is not a known class may name a person."""
    if not area.label:
        return ""
    known = classes.meaning(area.label)
    named = f"named {area.label!r}" if known else "named"
    taken = "is scored" if meaning.use is RegionUse.INCLUDE else "is not scored"
    if area.class_name == UNCLASSIFIED:
        said = f"{area.where} is {named} (in {area.label_key!r}) but has no class: it {taken}"
        return f"{said}; give it a class if that is not meant"
    if known is not None and known.use is not meaning.use:
        said = f"{area.where} is {named} (in {area.label_key!r}), unlike its class"
        return f"{said}: it {taken}, as the class says"
    return ""


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{name!r} ({number})" for name, number in sorted(names.items()))


def _way_out(classes: RegionClasses) -> str:
    return (
        "give them a known class, name them in [regions] of the configuration, or leave them out "
        f"(--ignore-class NAME, or pass_over). Known: {classes.listed()}"
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


def _less_holes(area: AnnotatedArea, meant: Meant) -> Polygon | MultiPolygon:
    holes = [other.shape for other, _ in meant if other.negative and other.class_name == area.class_name]
    return _polygonal(area.shape.difference(shapely.union_all(holes)))


def _polygonal(shape: BaseGeometry) -> Polygon | MultiPolygon:
    if isinstance(shape, Polygon | MultiPolygon):
        return shape
    return MultiPolygon([part for part in shapely.get_parts(shape) if isinstance(part, Polygon)])


def _beyond(area: AnnotatedArea, size_px: tuple[int, int] | None) -> Iterator[str]:
    if size_px is None:
        return
    slide = shapely.box(-1, -1, size_px[0] + 1, size_px[1] + 1)
    if not slide.intersects(area.shape):
        yield f"{area.where} lies wholly outside the slide: is the file of this slide?"
    elif not slide.covers(area.shape):
        yield f"{area.where} reaches beyond the slide's edge"


def _mixed_with_unclassified(meant: Meant) -> Iterator[str]:
    """Say that areas without a class are scored next to areas with one: they may be mere frames."""
    scored = [area for area, meaning in meant if meaning.use is RegionUse.INCLUDE and not area.negative]
    without = sum(area.class_name == UNCLASSIFIED for area in scored)
    if 0 < without < len(scored):
        areas = "1 area without a class is" if without == 1 else f"{without} areas without a class are"
        yield f"{areas} scored, too, next to areas with one; leave it out if it is only a frame"


def _swallowed(meant: Meant) -> Iterator[str]:
    """Say which areas to score lie wholly within areas that are left out: nothing of them is scored."""
    out = [area.shape for area, meaning in meant if meaning.use is not RegionUse.INCLUDE or area.negative]
    scored = [area for area, meaning in meant if meaning.use is RegionUse.INCLUDE and not area.negative]
    if not out or not scored:
        return
    left_out = shapely.union_all(out)
    lost = [area.where for area in scored if left_out.covers(area.shape)]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield f"{lost[0]}{more} lies wholly within areas that are left out: no part of it is scored"


def _tiny(meant: Meant) -> Iterator[str]:
    """Say which areas are smaller than any cell: their places may be no pixels."""
    small = [area.where for area, _ in meant if area.shape.area < _SMALLEST_PX2]
    if small:
        more = f" and {len(small) - 1} more" if len(small) > 1 else ""
        yield f"{small[0]}{more} is smaller than a cell: are its coordinates in pixels?"


def _nothing_left(areas: tuple[Region, ...], size_px: tuple[int, int] | None) -> Iterator[str]:
    if size_px is not None and Regions(areas).scored_shape(*size_px).area == 0:
        yield "the drawn regions leave nothing of the slide to score"
