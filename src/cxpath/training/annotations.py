"""Annotated images that laboratories train on: pairs of image and labels, QuPath objects, classes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import shapely
from pydantic import Field, field_validator, model_validator
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from cxpath.data import FINE_CLASSES, REGION_CLASSES, Settings, TissueRegion, bundled, read_settings
from cxpath.errors import CxpathError, MissingFileError, ResolutionError
from cxpath.io import (
    UNCLASSIFIED,
    Bounds,
    FeatureShapeError,
    class_name,
    from_qupath_frame,
    geometry,
    nucleus,
    object_type,
    parse_features,
    plain,
    read_content,
    refuse_repeats,
    shape_of,
)
from cxpath.network import ModelCard
from cxpath.slide import Slide, open_slide
from cxpath.training.data import AnnotatedCells
from cxpath.training.targets import ANY_IMMUNE, ANY_OTHER, UNLABELLED

# What the class names of a lab's annotations mean in training, read from a small TOML; unknown keys are
# errors.


FINE_LABEL_OF_KIND = {
    "unknown": UNLABELLED,
    **{name: index for index, name in enumerate(FINE_CLASSES)},
    "immune": ANY_IMMUNE,
    "other": ANY_OTHER,
}
"""Every word that `kind` takes, and the fine label it means."""


class Trained(Settings):
    """What a cell of one class is trained as; what is left out is unknown and not trained on."""

    kind: str = "unknown"
    """A fine class (`tumour`, `lymphocyte`, `macrophage`, ...), `immune`, `other` or `unknown`."""
    stained: bool | Literal["unknown"] = "unknown"
    """PD-L1 positive by the rule of its kind: membrane for tumour cells, any staining for all others."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in FINE_LABEL_OF_KIND:
            raise ValueError(f"{kind!r} is not a kind; use one of {', '.join(FINE_LABEL_OF_KIND)}")
        return kind

    @property
    def fine(self) -> int:
        """The fine label, see `fine_labels`."""
        return FINE_LABEL_OF_KIND[self.kind]

    @property
    def stained_code(self) -> int:
        """1 positive, 0 negative, -1 unknown."""
        return -1 if self.stained == "unknown" else int(self.stained)


class ClassMap(Settings):
    """Everything a class map contains. Class names match whatever their case and QuPath's trailing star."""

    mpp: float | None = Field(default=None, gt=0.05, lt=5)
    """µm per pixel of images whose file does not say it."""
    complete_areas: tuple[str, ...] = ()
    """Classes of areas in which every cell was marked: there, and only there, absence is a training label."""
    complete_kinds: tuple[Literal["tumour", "immune", "other"], ...] = ("tumour", "immune", "other")
    """Kinds of which every cell was marked in those areas; only with all three is absence a label."""
    outside_areas: Literal["train", "ignore"] = "train"
    """Whether cells outside complete areas are trained on; "ignore" if they are a program's, not reviewed."""
    ignored: tuple[str, ...] = ()
    """Classes of which nothing is learned, neither that a cell is there nor that none is."""
    cells: dict[str, Trained] = Field(min_length=1)
    """What each class of cell is trained as."""
    regions: dict[str, str] = Field(default_factory=dict)
    """The tissue that outlines of a class enclose: `nest`, `stroma`, `necrosis`, `benign` or `unknown`."""

    @field_validator("regions")
    @classmethod
    def _known_regions(cls, regions: dict[str, str]) -> dict[str, str]:
        for tissue in regions.values():
            if tissue not in REGION_CLASSES:
                raise ValueError(f"{tissue!r} is no tissue; use one of {', '.join(REGION_CLASSES)}")
        return regions

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        for names in (self.cells, self.regions):
            refuse_repeats(names)
        exclusive = (*self.complete_areas, *self.ignored)
        # A class may be both cell and region: points and detections are cells then, outlines are tissue.
        refuse_repeats((*exclusive, *{plain(name) for name in (*self.cells, *self.regions)}))
        return self

    @property
    def states_absence(self) -> bool:
        """Whether an unmarked place in a complete area is known to contain no cell."""
        return set(self.complete_kinds) == {"tumour", "immune", "other"}


def default_class_map() -> Path:
    """Return the path of the map that travels with cxpath."""
    return bundled("configs") / "annotations" / "qupath_pdl1.toml"


def read_class_map(path: Path) -> ClassMap:
    """Read a class map.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigurationError
        When it is no TOML, a key is unknown, a value is not allowed or a class has two meanings.
    """
    return read_settings(ClassMap, path, "see configs/annotations/qupath_pdl1.toml")


# Objects of a QuPath GeoJSON export: class name, type and shape, in level-0 pixels of the image file.
#
# Knows nothing of what a class means.


_AGAIN = "export the objects from QuPath again, as GeoJSON"
_POINTS, _OUTLINES = {"Point", "MultiPoint"}, {"Polygon", "MultiPolygon"}
_NOT_MARKED = {"tile", "tmacore", "tma_core", "root"}
_logger = logging.getLogger(__name__)


class AnnotationsError(CxpathError, ValueError):
    """Annotations are missing, cannot be read, or do not fit their image or class map."""


@dataclass(frozen=True)
class MarkedObject:
    """One object.

    Parameters
    ----------
    where : str
        File and number of the feature, for messages.
    class_name : str
        As QuPath writes it, derived classes as "Tumor: Positive"; "(no class)" without one.
    drawn : bool
        True for an annotation, False for a detection or cell.
    outline : BaseGeometry
        (Multi)Point or (Multi)Polygon.
    nucleus : BaseGeometry or None
        A cell's nucleus, where QuPath knows it.
    """

    where: str
    class_name: str
    drawn: bool
    outline: BaseGeometry
    nucleus: BaseGeometry | None = None

    @property
    def is_points(self) -> bool:
        """Whether it is one point or several, not an outline."""
        return self.outline.geom_type in _POINTS

    def centres(self) -> list[tuple[float, float]]:
        """Return every point, or the centre of the nucleus, or that of the outline."""
        if self.is_points:
            return [(x, y) for x, y in shapely.get_coordinates(self.outline)]
        centre = shapely.centroid(self.outline if self.nucleus is None else self.nucleus)
        return [(centre.x, centre.y)]


def read_objects(path: Path, bounds_px: Bounds) -> list[MarkedObject]:
    """Read all points and outlines of a file; TMA cores and tiles are passed over.

    Parameters
    ----------
    path : Path
        `.geojson` or `.geojson.gz`: a FeatureCollection, a bare array of features or one feature.
    bounds_px : tuple of int
        x, y, width, height of the slide's scanned part: QuPath's positions are relative to it.

    Raises
    ------
    AnnotationsError
        When it cannot be read, is no GeoJSON, or contains no object.
    """
    offset = from_qupath_frame(0.0, 0.0, bounds_px)
    features, _ = parse_features(read_content(path, AnnotationsError, _AGAIN), path, AnnotationsError)
    objects = list(_objects(features, path, offset))
    if not objects:
        raise AnnotationsError(
            f"{path}: contains no point or outline", "annotate cells and export them again"
        )
    return objects


def _objects(
    features: list[dict[str, Any]], path: Path, offset: tuple[float, float]
) -> Iterator[MarkedObject]:
    for number, feature in enumerate(features, start=1):
        where = f"{path}: feature {number}"
        kind, held = object_type(feature), geometry(feature)
        if kind in _NOT_MARKED or held.get("type") not in _POINTS | _OUTLINES:
            _logger.warning("%s passed over: %s of type %s", where, kind or "object", held.get("type"))
            continue
        inner = nucleus(feature)
        yield MarkedObject(
            where=where,
            class_name=class_name(feature),
            drawn=kind not in {"cell", "detection"},
            outline=_shape(held, where, offset),
            nucleus=None if inner is None else _shape(inner, where, offset),
        )


def _shape(held: dict[str, Any], where: str, offset: tuple[float, float]) -> BaseGeometry:
    try:
        outline = shape_of(held)
    except FeatureShapeError as error:
        raise AnnotationsError(f"{where}: not a shape: {error.message}", _AGAIN) from error
    if outline.is_empty or not all(abs(edge) < 1e9 for edge in outline.bounds):
        raise AnnotationsError(f"{where}: coordinates are not pixels", _AGAIN)
    if not outline.is_valid:
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=True)
    return translate(outline, *offset)


# What the marked objects of one image mean in training, by the class map; in level-0 pixels of the image.


EDGE_UM = 3.0
"""Absence is no label nearer than this to a complete area's border: beyond it lie unmarked cells."""
IGNORED_RADIUS_UM = 6.0
"""Around a point of an ignored class absence is no training label."""
WIDEST_CELL_UM = 80.0
"""A wider outline is not a cell."""


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """Labels of one image.

    Parameters
    ----------
    cells : AnnotatedCells
    complete : BaseGeometry
        Where an unmarked place is known to be empty; empty where that is nowhere.
    regions : tuple
        Tissue and its outline; a later one lies over an earlier one.
    """

    cells: AnnotatedCells
    complete: BaseGeometry
    regions: tuple[tuple[TissueRegion, BaseGeometry], ...]


@dataclass(frozen=True)
class Frame:
    """Size of an image and of its pixels."""

    path: Path
    width_px: int
    height_px: int
    mpp: float


def image_labels(objects: Sequence[MarkedObject], class_map: ClassMap, frame: Frame) -> ImageLabels:
    """Give the objects their meaning.

    Raises
    ------
    AnnotationsError
        When a class is not in the map, an object cannot be what its class says, or lies outside.
    """
    sorter = _Sorter(class_map, frame)
    for marked in objects:
        sorter.add(marked)
    return sorter.labels()


class _Sorter:
    def __init__(self, class_map: ClassMap, frame: Frame) -> None:
        self._map, self._frame = class_map, frame
        self._trained = {plain(name): trained for name, trained in class_map.cells.items()}
        self._tissue = {plain(n): TissueRegion[tissue.upper()] for n, tissue in class_map.regions.items()}
        self._areas = {plain(name) for name in class_map.complete_areas}
        self._ignored = {plain(name) for name in class_map.ignored}
        self._rows: list[tuple[float, float, int, int]] = []
        self._complete: list[BaseGeometry] = []
        self._spared: list[BaseGeometry] = []
        self._left_out: list[BaseGeometry] = []
        self._regions: list[tuple[TissueRegion, BaseGeometry]] = []

    def add(self, marked: MarkedObject) -> None:
        """Sort one object: a cell, a region, a complete area, or nothing to use."""
        name = plain(marked.class_name)
        outlined = marked.drawn and not marked.is_points
        if name in self._ignored:
            self._ignore(marked)
        elif name in self._areas:
            self._complete.append(_area(marked))
        elif name in self._tissue and (outlined or name not in self._trained):
            self._regions.append((self._tissue[name], _area(marked)))
        elif name in self._trained:
            self._rows += self._cells(marked, self._trained[name])
        else:
            raise _unknown_class(marked)

    def labels(self) -> ImageLabels:
        """Return the labels of the image, without cells in areas that are left out."""
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 4)
        cells = AnnotatedCells(
            rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64), rows[:, 3].astype(np.int8)
        )
        areas = shapely.union_all(self._complete)
        kept = ~shapely.contains_xy(shapely.union_all(self._left_out), cells.x_px, cells.y_px)
        if self._map.outside_areas == "ignore":
            kept &= shapely.contains_xy(areas, cells.x_px, cells.y_px)
        return ImageLabels(cells.take(kept), self._known_empty(areas), tuple(self._regions))

    def _known_empty(self, areas: BaseGeometry) -> BaseGeometry:
        if not self._map.states_absence:
            return shapely.Polygon()
        picture = shapely.box(0, 0, self._frame.width_px, self._frame.height_px)
        inner = areas.intersection(picture).buffer(-EDGE_UM / self._frame.mpp)
        return inner.difference(shapely.union_all(self._spared))

    def _ignore(self, marked: MarkedObject) -> None:
        reach_um = IGNORED_RADIUS_UM if marked.is_points else 1.0
        self._spared.append(marked.outline.buffer(reach_um / self._frame.mpp))
        if not marked.is_points:
            self._left_out.append(marked.outline)

    def _cells(self, marked: MarkedObject, trained: Trained) -> Iterator[tuple[float, float, int, int]]:
        left, top, right, bottom = marked.outline.bounds
        wide_um = max(right - left, bottom - top) * self._frame.mpp
        if not marked.is_points and wide_um > WIDEST_CELL_UM:
            raise AnnotationsError(
                f"{marked.where}: an outline of {marked.class_name!r}, {wide_um:.0f} µm wide, is not a cell",
                "if it encloses tissue, name the class under [regions] of the class map, or give it another",
            )
        for x_px, y_px in marked.centres():
            self._refuse_outside(marked, x_px, y_px)
            yield x_px, y_px, trained.fine, trained.stained_code

    def _refuse_outside(self, marked: MarkedObject, x_px: float, y_px: float) -> None:
        width, height = self._frame.width_px, self._frame.height_px
        if not (0 <= x_px <= width and 0 <= y_px <= height):
            raise AnnotationsError(
                f"{marked.where}: the cell at ({x_px:.0f}, {y_px:.0f}) lies outside "
                f"{self._frame.path.name} ({width} x {height} px)",
                "the annotations must have been drawn on this very file",
            )


def _area(marked: MarkedObject) -> BaseGeometry:
    if marked.is_points or marked.outline.area == 0:
        raise AnnotationsError(
            f"{marked.where}: class {marked.class_name!r} means an area, but this object has none",
            "draw it as a rectangle or polygon",
        )
    return marked.outline


def _unknown_class(marked: MarkedObject) -> AnnotationsError:
    if marked.class_name == UNCLASSIFIED:
        return AnnotationsError(
            f"{marked.where} has no class",
            f'give it one in QuPath, or name "{UNCLASSIFIED}" in the class map',
        )
    return AnnotationsError(
        f"{marked.where} has the class {marked.class_name!r}, which the class map does not name",
        "add it under [cells], [regions], complete_areas or ignored (--class-map MAP.toml)",
    )


# Which GeoJSON belongs to which image: files of one folder with the same stem.


IMAGE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide", ".vms", ".vmu", ".dcm"}
    | {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
)
_GEOJSON = (".geojson", ".geojson.gz")


@dataclass(frozen=True)
class Pair:
    """An image and its annotations."""

    image: Path
    annotations: Path
    stem: str


def find_pairs(folder: Path) -> tuple[list[Pair], list[Path]]:
    """Pair the files of a folder by stem: `case1.svs` with `case1.geojson` (or `.geojson.gz`).

    Returns
    -------
    list of Pair
        By name.
    list of Path
        Images without annotations, which are not used.

    Raises
    ------
    MissingFileError
        When there is no such folder.
    AnnotationsError
        When it contains no GeoJSON, one without an image, or one with two.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder", "give the folder of images and their .geojson")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    images = [path for path in files if path.suffix.casefold() in IMAGE_SUFFIXES]
    annotations = [path for path in files if path.name.casefold().endswith(_GEOJSON)]
    if not annotations:
        raise AnnotationsError(
            f"{folder}: no .geojson file there",
            "export objects from QuPath next to each image: case1.geojson",
        )
    pairs = [_pair(path, images) for path in annotations]
    _refuse_two_for_one(pairs)
    used = {pair.image for pair in pairs}
    alone = [image for image in images if image not in used]
    for image in alone:
        _logger.warning("%s: no .geojson of the same name next to it; not used", image)
    return pairs, alone


def _pair(annotations: Path, images: list[Path]) -> Pair:
    stem = _stem(annotations)
    fitting = [image for image in images if stem in _stems(image)]
    if not fitting:
        hint = f"put the image next to it, such as {stem}.svs"
        raise AnnotationsError(f"{annotations}: no image of the same name next to it", hint)
    if len(fitting) > 1:
        names = ", ".join(image.name for image in fitting)
        raise AnnotationsError(f"{annotations}: several images have this name: {names}", "keep one of them")
    return Pair(fitting[0], annotations, stem)


def _refuse_two_for_one(pairs: list[Pair]) -> None:
    seen: dict[Path, Path] = {}
    for pair in pairs:
        if pair.image in seen:
            names = f"{seen[pair.image].name} and {pair.annotations.name}"
            raise AnnotationsError(f"{pair.image}: two annotation files, {names}", "keep one of them")
        seen[pair.image] = pair.annotations


def _stem(annotations: Path) -> str:
    ending = next(ending for ending in _GEOJSON[::-1] if annotations.name.casefold().endswith(ending))
    return annotations.name[: -len(ending)]


def _stems(image: Path) -> set[str]:
    """Names under which annotations are found: `a.ome.tif` has `a.ome.tif`, `a.ome` and `a`."""
    return {image.name, image.stem, image.stem.removesuffix(".ome")}


# AnnotatedImage: an image of a lab with its labels; opened, checked, closed again, pixels not yet read.


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image.

    Parameters
    ----------
    path : Path
    stem : str
        The name that image and annotations share.
    given_mpp : float or None
        What to open the file with when it does not say its µm per pixel.
    mpp : float
        µm per pixel of the file's finest level.
    labels : ImageLabels
    digest : str
        SHA-256 over the image's and the annotations' bytes.
    """

    path: Path
    stem: str
    given_mpp: float | None
    mpp: float
    labels: ImageLabels
    digest: str


def read_annotated_images(
    folder: Path, class_map: ClassMap, card: ModelCard, *, mpp: float | None = None
) -> list[AnnotatedImage]:
    """Read the annotations of a folder and check them against their images.

    Parameters
    ----------
    folder : Path
        Images and their GeoJSON, see `find_pairs`.
    class_map : ClassMap
    card : ModelCard
        Of the model that will learn; says which µm per pixel it can be given.
    mpp : float, optional
        For images whose file does not say it, instead of the class map's.

    Raises
    ------
    AnnotationsError, ResolutionError, UnreadableSlideError
        One line that names the file and what is wrong.
    """
    pairs, _ = find_pairs(folder)
    images = [_annotated(pair, class_map, card, mpp or class_map.mpp) for pair in pairs]
    if not any(len(image.labels.cells) for image in images):
        raise AnnotationsError(
            f"{folder}: no annotation there marks a cell", "mark cells as points or outlines"
        )
    return images


def open_annotated(path: Path, given_mpp: float | None) -> Slide:
    """Open an image; a µm per pixel that was given serves files that do not say one that can be believed."""
    try:
        return open_slide(path)
    except ResolutionError as error:
        if given_mpp is None:
            hint = "pass it with --mpp, or as mpp in the class map, for such images"
            raise ResolutionError(error.message, hint) from error
    return open_slide(path, given_mpp)


def annotations_digest(images: list[AnnotatedImage], class_map: ClassMap) -> str:
    """Return one SHA-256 over all images, annotations and the class map, whatever the files are called."""
    parts = [*sorted(f"{image.digest} {image.given_mpp}" for image in images), class_map.model_dump_json()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _annotated(pair: Pair, class_map: ClassMap, card: ModelCard, given_mpp: float | None) -> AnnotatedImage:
    with open_annotated(pair.image, given_mpp) as slide:
        low, high = card.accepted_mpp
        if not low <= slide.mpp <= high:
            raise ResolutionError(
                f"{pair.image}: {slide.mpp:g} µm per pixel, but model {card.name} takes {low:g} to {high:g}",
                "use an image of another resolution",
            )
        objects = read_objects(pair.annotations, slide.info.bounds_px)
        frame = Frame(pair.image, slide.width_px, slide.height_px, slide.mpp)
        labels = image_labels(objects, class_map, frame)
        annotations = hashlib.sha256(pair.annotations.read_bytes()).hexdigest()
        image_mpp = slide.mpp
        digest = hashlib.sha256(f"{slide.info.digest} {annotations}".encode()).hexdigest()
    if len(labels.cells) == 0 and labels.complete.is_empty:
        raise AnnotationsError(
            f"{pair.annotations}: nothing to train on: no cell, and no area in which every cell was marked",
            "mark cells, or take the file away",
        )
    return AnnotatedImage(pair.image, pair.stem, given_mpp, image_mpp, labels, digest)
