"""Artefacts and controls on a small slide file, from the picture to `Tissue`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import box

from cxpath.data.slide_info import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, Region, RegionMeaning, Regions
from cxpath.slide.open import open_slide
from cxpath.slide.slide import Slide
from cxpath.tissue.settings import ControlRule, ControlSettings, OnFailure, TissueSettings
from cxpath.tissue.tissue import OUTSIDE_REGIONS, find_tissue
from tests.tissue.conftest import GLASS, MPP, SIDE_PX, stained_picture

OpenInked = Callable[..., AbstractContextManager[Slide]]
BLUE_INK = (0.9, 0.5, 0.1)
STROKE = slice(280, 330)
"""Rows of a stroke 100 µm wide, across the tissue disc and the glass on both sides."""

CONTROLS_APART = ControlSettings(piece_gap_um=60.0)


def inked(ink: float) -> NDArray[np.uint8]:
    picture = stained_picture({DEFAULT_HEMATOXYLIN: 0.04}, {DEFAULT_HEMATOXYLIN: 0.3, DEFAULT_DAB: 0.2})
    density = np.zeros((SIDE_PX, SIDE_PX, 3))
    density[STROKE] = ink * np.array(BLUE_INK)
    return np.asarray((picture * 10**-density).round(), np.uint8)


@pytest.fixture
def open_inked(tmp_path: Path) -> OpenInked:
    @contextmanager
    def opened(ink: float = 0.8, crack: bool = False) -> Iterator[Slide]:
        picture = inked(ink)
        if crack:
            picture[:, 180:290] = np.array(GLASS, np.uint8)
        Image.fromarray(picture).save(tmp_path / "inked.png")
        with open_slide(tmp_path / "inked.png", MPP) as slide:
            yield slide

    return opened


def test_ink_is_left_out_with_its_area_and_reason(open_inked: OpenInked) -> None:
    with open_inked(ink=0.0) as slide:
        clean = find_tissue(slide)
    with open_inked() as slide:
        tissue = find_tissue(slide)
    assert clean.excluded == {}
    areas = tissue.areas
    over_tissue_mm2 = 0.8 * 0.1
    assert over_tissue_mm2 <= areas.excluded_mm2["pen"] <= 1.8 * over_tissue_mm2
    assert areas.scored_mm2 + sum(areas.excluded_mm2.values()) == pytest.approx(
        clean.areas.scored_mm2, rel=0.1
    )
    assert tissue.exclusion(250, 290, 40) == "pen"
    assert tissue.exclusion(0, 0, 20) == "glass"
    assert tissue.contains(np.array([300.0, 300.0]), np.array([300.0, 220.0])).tolist() == [False, True]
    assert tissue.unfit_because == ()


def test_a_drawn_region_does_not_bring_ink_back_unless_detection_is_off(open_inked: OpenInked) -> None:
    drawn = Regions((Region.meaning_of("ROI", RegionMeaning.INCLUDE, box(200, 250, 400, 350)),))
    off = TissueSettings.model_validate({"artefacts": {"detect": []}})
    with open_inked() as slide:
        kept_out = find_tissue(slide, regions=drawn)
        let_in = find_tissue(slide, off, drawn)
    assert set(kept_out.excluded) == {OUTSIDE_REGIONS, "pen"}
    assert set(let_in.excluded) == {OUTSIDE_REGIONS}
    assert let_in.areas.scored_mm2 > kept_out.areas.scored_mm2


def test_too_much_ink_in_the_region_is_not_evaluable_with_the_reason(open_inked: OpenInked) -> None:
    drawn = Regions((Region.meaning_of("ROI", RegionMeaning.INCLUDE, box(200, 275, 400, 335)),))
    with open_inked() as slide:
        unfit = find_tissue(slide, regions=drawn).unfit_because
    assert len(unfit) == 1
    assert "of the tissue is left out for artefacts (pen" in unfit[0].text


@pytest.mark.parametrize("by_rule", [True, False])
def test_control_tissue_is_measured_and_never_scored(by_rule: bool, open_inked: OpenInked) -> None:
    rule = TissueSettings(control=ControlRule.LEFT)
    left = Regions((Region.meaning_of("Positive control", RegionMeaning.CONTROL, box(0, 0, 230, SIDE_PX)),))
    settings = CONTROLS_APART.model_copy(update={"positive_min_dab_od": 2.0})
    with open_inked(ink=0.0, crack=True) as slide:
        tissue = (
            find_tissue(slide, rule, None, settings) if by_rule else find_tissue(slide, None, left, settings)
        )
    assert tissue.areas.excluded_mm2["control"] > 0.05
    assert not tissue.scored[:, :175].any()
    assert tissue.scored[:, 300:].any()
    assert not tissue.contains(np.array([150.0]), np.array([300.0]))[0]
    (check,) = tissue.controls
    assert check.verdict == "failed"
    assert 0.02 < (check.mean_dab_od or 0) < 1
    assert "the positive control" in tissue.warnings[0].text
    assert tissue.unfit_because == ()


def test_a_failed_control_refuses_the_slide_when_asked_to(open_inked: OpenInked) -> None:
    settings = CONTROLS_APART.model_copy(update={"on_failure": OnFailure.REFUSE})
    with open_inked(ink=0.0) as slide:  # one piece: the rule finds no control
        tissue = find_tissue(slide, TissueSettings(control=ControlRule.RIGHT), None, settings)
    assert "contains too little tissue" in tissue.unfit_because[0].text
    assert tissue.warnings == ()
    assert tissue.areas.scored_mm2 > 0.3
