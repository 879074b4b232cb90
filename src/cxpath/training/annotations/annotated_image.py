"""AnnotatedImage: an image of a lab with its labels; opened, checked, closed again, pixels not yet read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cxpath.network.card import ModelCard
from cxpath.slide.open_slide import open_slide
from cxpath.slide.slide import Slide
from cxpath.training.annotations.class_map import ClassMap
from cxpath.training.annotations.image_labels import Frame, ImageLabels, image_labels
from cxpath.training.annotations.pairs import Pair, find_pairs
from cxpath.training.annotations.qupath_objects import AnnotationsError, read_objects
from cxpath.values.errors import ResolutionError


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
            f"{pair.annotations}: teaches nothing: no cell, and no area in which every cell was marked",
            "mark cells, or take the file away",
        )
    return AnnotatedImage(pair.image, pair.stem, given_mpp, image_mpp, labels, digest)
