"""Which images are learned from and which are held out: whole sources, never parts of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.settings import FineTuneSettings


@dataclass(frozen=True)
class Parts:
    """Images to learn from, and images to be judged on; `held_out` is empty with one source."""

    learned: tuple[AnnotatedImage, ...]
    held_out: tuple[AnnotatedImage, ...]


def part_images(images: Sequence[AnnotatedImage], settings: FineTuneSettings) -> Parts:
    """Part images by source; the same images, settings and seed are always parted alike.

    Sources are taken in the order of their content's digest, shuffled by the seed, so that file names decide
    nothing but what belongs together.
    """
    sources: dict[str, list[AnnotatedImage]] = {}
    for image in sorted(images, key=lambda image: image.digest):
        sources.setdefault(_source(image, settings.source_separator), []).append(image)
    order = np.random.default_rng(settings.schedule.seed).permutation(len(sources))
    shuffled = [list(sources.values())[index] for index in order.tolist()]
    number = _number_held_out(len(shuffled), settings.validation_share)
    parts = [_by_digest(group) for group in (shuffled[number:], shuffled[:number])]
    return Parts(*parts)


def _number_held_out(sources: int, share: float) -> int:
    if sources < 2 or share == 0:
        return 0
    return min(sources - 1, max(1, round(share * sources)))


def _source(image: AnnotatedImage, separator: str) -> str:
    return image.stem.split(separator)[0] if separator else image.stem


def _by_digest(groups: list[list[AnnotatedImage]]) -> tuple[AnnotatedImage, ...]:
    return tuple(sorted((image for group in groups for image in group), key=lambda image: image.digest))
