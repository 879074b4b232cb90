from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from cxpath.training.annotations.annotated_field import AnnotatedCells
from cxpath.training.annotations.annotated_image import AnnotatedImage
from cxpath.training.annotations.held_out import part_images
from cxpath.training.annotations.image_labels import ImageLabels
from cxpath.training.annotations.settings import FineTuneSchedule, FineTuneSettings

NO_CELLS = AnnotatedCells(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int8))


def images_of(*stems: str) -> list[AnnotatedImage]:
    labels = ImageLabels(NO_CELLS, Polygon(), ())
    return [AnnotatedImage(Path(f"{stem}.png"), stem, None, 0.5, labels, f"digest {stem}") for stem in stems]


@given(number=st.integers(2, 30), share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_every_image_is_on_one_side_and_no_side_is_empty(number: int, share: float, seed: int) -> None:
    images = images_of(*(f"case{index}" for index in range(number)))
    settings = FineTuneSettings(validation_share=share, schedule=FineTuneSchedule(seed=seed))
    parts = part_images(images, settings)
    assert len(parts.learned) >= 1
    assert len(parts.held_out) >= 1
    assert sorted(image.stem for image in (*parts.learned, *parts.held_out)) == sorted(i.stem for i in images)
    again = part_images(images[::-1], settings)
    assert [image.stem for image in parts.held_out] == [image.stem for image in again.held_out]


def test_the_share_is_that_of_the_sources() -> None:
    parts = part_images(images_of(*(f"case{n}" for n in range(10))), FineTuneSettings(validation_share=0.3))
    assert len(parts.held_out) == 3


def test_one_image_cannot_be_parted() -> None:
    parts = part_images(images_of("only"), FineTuneSettings())
    assert (len(parts.learned), len(parts.held_out)) == (1, 0)
    assert not part_images(images_of("a", "b"), FineTuneSettings(validation_share=0)).held_out


@pytest.mark.parametrize("seed", range(5))
def test_fields_of_one_patient_stay_together(seed: int) -> None:
    images = images_of("p1_a", "p1_b", "p2_a", "p3_a", "p3_b", "p3_c")
    settings = FineTuneSettings(
        source_separator="_", validation_share=0.34, schedule=FineTuneSchedule(seed=seed)
    )
    parts = part_images(images, settings)
    sides = [{image.stem.split("_")[0] for image in side} for side in (parts.learned, parts.held_out)]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[1]) == 1
