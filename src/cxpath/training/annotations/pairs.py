"""Which GeoJSON belongs to which image: files of one folder with the same stem."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from cxpath.training.annotations.qupath_objects import AnnotationsError
from cxpath.values.errors import MissingFileError

IMAGE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide", ".vms", ".vmu", ".dcm"}
    | {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
)
_GEOJSON = (".geojson", ".geojson.gz")
_logger = logging.getLogger(__name__)


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
        When it holds no GeoJSON, one without an image, or one with two.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder", "give the folder of images and their .geojson")
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    images = [path for path in files if path.suffix.casefold() in IMAGE_SUFFIXES]
    annotations = [path for path in files if path.name.casefold().endswith(_GEOJSON)]
    if not annotations:
        raise AnnotationsError(
            f"{folder}: no .geojson file there", "export objects from QuPath beside each image: case1.geojson"
        )
    pairs = [_pair(path, images) for path in annotations]
    _refuse_two_for_one(pairs)
    used = {pair.image for pair in pairs}
    alone = [image for image in images if image not in used]
    for image in alone:
        _logger.warning("%s: no .geojson of the same name beside it; not used", image)
    return pairs, alone


def _pair(annotations: Path, images: list[Path]) -> Pair:
    stem = _stem(annotations)
    fitting = [image for image in images if stem in _stems(image)]
    if not fitting:
        hint = f"put the image beside it, such as {stem}.svs"
        raise AnnotationsError(f"{annotations}: no image of the same name beside it", hint)
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
