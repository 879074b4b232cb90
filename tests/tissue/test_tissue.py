from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box

from cxpath.data.slide_info import (
    DEFAULT_DAB,
    DEFAULT_HEMATOXYLIN,
    Region,
    Regions,
    RegionUse,
    StainBasis,
    unit,
)
from cxpath.slide.open import open_slide
from cxpath.tissue.settings import StainCheck, TissueSettings
from cxpath.tissue.tissue import OUTSIDE_REGIONS, Tissue, find_tissue, read_overview, tissue_mask
from tests.tissue.conftest import EOSIN, GLASS, Amounts, OpenStained, tissue_disc

HAEM, DAB = DEFAULT_HEMATOXYLIN, DEFAULT_DAB
HAZE: Amounts = {HAEM: 0.04}
STAININGS: dict[str, tuple[Amounts, Amounts]] = {
    "haematoxylin alone": (HAZE, {HAEM: 0.3}),
    "pale haematoxylin alone": ({HAEM: 0.02}, {HAEM: 0.08}),
    "faint DAB": (HAZE, {HAEM: 0.3, DAB: 0.08}),
    "heavy DAB": (HAZE, {HAEM: 0.3, DAB: 1.2}),
    "everything brown": ({DAB: 0.5}, {DAB: 1.0}),
    "violet haematoxylin alone": ({(0.63, 0.72, 0.30): 0.04}, {(0.63, 0.72, 0.30): 0.35}),
    "turquoise haematoxylin": ({(0.80, 0.52, 0.28): 0.04}, {(0.80, 0.52, 0.28): 0.3, DAB: 0.4}),
}


@pytest.mark.parametrize("staining", STAININGS)
def test_every_kind_of_h_dab_is_found_whole_and_accepted(staining: str, open_stained: OpenStained) -> None:
    with open_stained(*STAININGS[staining]) as slide:
        tissue = find_tissue(slide)
    assert tissue.refused_because == ()
    assert _overlap(tissue) > 0.8  # the margin around the true disc alone costs a tenth


@pytest.mark.parametrize("eosin", [0.15, 0.4])
def test_eosin_is_refused_with_the_reason(eosin: float, open_stained: OpenStained) -> None:
    with open_stained({EOSIN: eosin}, {HAEM: 0.5}) as slide:
        refused = find_tissue(slide).refused_because
        unchecked = find_tissue(slide, TissueSettings(stain_check=StainCheck.OFF))
    assert len(refused) == 1
    assert "pink, as in H&E" in refused[0].text
    assert "--stain-check off" in refused[0].text
    assert unchecked.refused_because == ()


def test_glass_alone_is_no_tissue(open_stained: OpenStained) -> None:
    with open_stained({}, {}) as slide:
        tissue = find_tissue(slide)
    assert not tissue.scored.any()
    assert "no tissue" in tissue.refused_because[0].text


def test_white_point_and_stain_vectors_are_the_slides_own(open_stained: OpenStained) -> None:
    with open_stained(HAZE, {HAEM: 0.4, DAB: 0.9}) as slide:
        stains = find_tissue(slide).stains
    assert stains.white_point == pytest.approx(GLASS, abs=2)
    for found, true in ((stains.hematoxylin, HAEM), (stains.dab, DAB)):
        angle = np.degrees(np.arccos(np.clip(unit(found) @ unit(true), -1, 1)))
        assert angle < 8


def test_without_dab_the_default_direction_stands(open_stained: OpenStained) -> None:
    with open_stained(HAZE, {HAEM: 0.4}) as slide:
        assert find_tissue(slide).stains.dab == DAB


def test_drawn_regions_limit_what_is_scored_and_the_rest_is_reported(open_stained: OpenStained) -> None:
    left_half = Regions((Region("ROI", RegionUse.INCLUDE, box(0, 0, 300, 600)),))
    with open_stained(HAZE, {HAEM: 0.3}) as slide:
        whole, half = find_tissue(slide), find_tissue(slide, regions=left_half)
    assert half.areas.scored_mm2 == pytest.approx(whole.areas.scored_mm2 / 2, rel=0.03)
    left_out = half.areas.excluded_mm2[OUTSIDE_REGIONS]
    assert left_out + half.areas.scored_mm2 == pytest.approx(whole.areas.scored_mm2)
    assert half.exclusion(400, 250, 100) == OUTSIDE_REGIONS
    assert half.exclusion(0, 0, 10) == "glass"
    assert half.share(100, 250, 100) > 0.5
    assert half.share(400, 250, 100) == 0


REAL_TISSUE = {
    "pdl1_fields/gpec_tma/PDL1_SP142_002.jpg": (0.44, 0.3, 0.7),
    "pdl1_fields/gpec_tma/PDL1_SP142_003.jpg": (0.44, 0.15, 0.4),
    "pdl1_fields/sp142_breast/9_aggregate_5p.png": (0.5, 0.9, 1.0),
    "pdl1_fields/sp142_breast/13_aggregate_l1p.png": (0.5, 0.9, 1.0),
    "pdl1_fields/sp142_breast/25_singlecell_l1p.png": (0.5, 0.9, 1.0),
    "cells/shidc/p1_0313_5.jpg": (0.2, 0.9, 1.0),
    "cells/bcdata/0.png": (0.25, 0.9, 1.0),
    "unlabelled/deepliif/ROI_1.png": (0.25, 0.9, 1.0),
    "unlabelled/os2_ki67/OS-2-vsi.ome.tif": (None, 0.85, 1.0),
    "unlabelled/os2_ki67/OS-2-ndpi.ome.tif": (None, 0.85, 1.0),
}
REAL_REFUSED = {
    "pdl1_fields/gpec_tma/HE_002.jpg": (0.44, "pink"),
    "pdl1_fields/gpec_tma/HE_003.jpg": (0.44, "pink"),
    "pdl1_fields/gpec_tma/PDL1_SP142_000.jpg": (0.44, "no tissue"),
    "wsi/cmu_small_region.svs": (None, "pink"),
    "wsi/test3-DAPI-2-(387).ndpi": (None, "brightfield"),
}


@pytest.mark.parametrize("name", REAL_TISSUE)
def test_real_h_dab_is_accepted_and_its_tissue_found(name: str, data_dir: Path) -> None:
    mpp, least, most = REAL_TISSUE[name]
    with open_slide(data_dir / name, mpp) as slide:
        tissue = find_tissue(slide)
    assert tissue.refused_because == ()
    assert least <= tissue.scored.mean() <= most


@pytest.mark.parametrize("name", REAL_REFUSED)
def test_real_slides_of_another_stain_are_refused(name: str, data_dir: Path) -> None:
    mpp, reason = REAL_REFUSED[name]
    with open_slide(data_dir / name, mpp) as slide:
        refused = find_tissue(slide).refused_because
    assert len(refused) == 1
    assert reason in refused[0].text


def _overlap(tissue: Tissue) -> float:
    """Intersection over union with the true disc."""
    true = tissue_disc()
    return float((tissue.scored & true).sum() / (tissue.scored | true).sum())


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (600, 600)])
@pytest.mark.parametrize("mpp", [0.05, 5.0])
@pytest.mark.parametrize("fill", ["black", "white", "half", "brown"])
@pytest.mark.filterwarnings("error")
def test_pictures_that_are_no_slides_are_refused_and_no_error(
    tmp_path: Path, size: tuple[int, int], mpp: float, fill: str
) -> None:
    picture = np.full((*size, 3), {"black": 0, "white": 255, "half": 0, "brown": 90}[fill], dtype=np.uint8)
    if fill == "half":
        picture[size[0] // 2 :] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=mpp) as slide:
        tissue = find_tissue(slide)
    assert tissue.refused_because or fill == "half"


# Places and squares on a mask, by hand: 8 by 6 pixels of 8 µm on a slide of 0.5 µm per pixel, so 16 to one.


def painted_tissue() -> Tissue:
    """Tissue in columns 2 to 5, of which column 4 is ink and column 5 lies outside the drawn regions."""
    found = np.zeros((6, 8), bool)
    found[:, 2:6] = True
    ink, outside, scored = np.zeros_like(found), np.zeros_like(found), np.zeros_like(found)
    ink[:, 4], outside[:, 5], scored[:, 2:4] = True, True, True
    return Tissue(
        overview=np.zeros((6, 8, 3), np.uint8), overview_mpp=8.0, found=found, scored=scored,
        excluded={"pen": ink, OUTSIDE_REGIONS: outside}, stains=StainBasis(), refused_because=(),
        slide_mpp=0.5, spoiled=ink,
    )  # fmt: skip


def test_areas_are_in_square_millimetres() -> None:
    areas = painted_tissue().areas
    assert areas.scored_mm2 == pytest.approx(12 * 0.008**2)
    assert areas.excluded_mm2 == pytest.approx({"pen": 6 * 0.008**2, OUTSIDE_REGIONS: 6 * 0.008**2})


def test_a_point_lies_on_usable_tissue_whatever_was_drawn() -> None:
    """Columns begin at every 16th pixel of the slide; those beyond the picture take its border's."""
    x_px = np.array([31.9, 32.0, 63.9, 64.0, 80.0, 95.9, 96.0, -50.0, 500.0])
    inside = painted_tissue().contains(x_px, np.full(len(x_px), 40.0))
    assert inside.tolist() == [False, True, True, False, True, True, False, False, False]


def test_only_artefacts_spoil_a_place() -> None:
    tissue = painted_tissue()
    x_px, y_px = np.array([0.0, 64.0, 79.9, 80.0]), np.zeros(4)
    assert tissue.unspoiled(x_px, y_px).tolist() == [True, False, False, True]
    nothing = Tissue(**{**vars(tissue), "spoiled": None})
    assert nothing.unspoiled(x_px, y_px).all()


@pytest.mark.parametrize(
    ("x_px", "y_px", "side_px", "share"),
    [
        (32, 0, 32, 1.0),
        (0, 0, 32, 0.0),
        (16, 0, 32, 0.5),
        (0, 0, 33, 1 / 3),  # it touches a column with tissue
        (32, 80, 64, 0.5),  # the picture ends at row 96
        (500, 500, 32, 0.0),
    ],
)
def test_the_share_of_a_square_counts_what_it_touches(
    x_px: float, y_px: float, side_px: float, share: float
) -> None:
    assert painted_tissue().share(x_px, y_px, side_px) == pytest.approx(share)


@pytest.mark.parametrize(
    ("x_px", "side_px", "reason"),
    [
        (64, 16, "pen"),
        (80, 16, OUTSIDE_REGIONS),
        (64, 32, "pen"),
        (0, 32, "glass"),
        (112, 16, "glass"),
    ],
)
def test_a_square_without_scored_tissue_has_a_main_reason(x_px: float, side_px: float, reason: str) -> None:
    assert painted_tissue().exclusion(x_px, 0.0, side_px) == reason
    plain = Tissue(**{**vars(painted_tissue()), "excluded": {}})
    assert plain.exclusion(x_px, 0.0, side_px) == "glass"


class FlatSlide:
    """Stands for a slide of one colour; notes what was read of it."""

    def __init__(self, width_px: int, height_px: int, mpp: float) -> None:
        self.info = SimpleNamespace(width_px=width_px, height_px=height_px, mpp=mpp)
        self.asked: tuple[Any, ...] = ()

    def read(self, *place: Any) -> Any:
        self.asked = place
        return np.full((place[3], place[2], 3), 240, np.uint8)


@pytest.mark.parametrize(
    ("width_px", "height_px", "mpp", "expected"),
    [
        (60_000, 40_000, 0.25, (1500, 1000, 10.0)),  # 15 mm over 1,500 px are 10 µm: too coarse
        (24_000, 12_000, 0.25, (1500, 750, 4.0)),
        (2_000, 1_000, 0.25, (250, 125, 2.0)),  # a small slide is not read finer than that
        (1_000, 500, 4.0, (1000, 500, 4.0)),  # nor finer than it is
    ],
)
def test_the_overview_is_as_fine_as_its_settings_and_the_slide_allow(
    width_px: int, height_px: int, mpp: float, expected: tuple[int, int, float]
) -> None:
    slide: Any = FlatSlide(width_px, height_px, mpp)
    overview, overview_mpp = read_overview(slide, TissueSettings())
    coarsest = TissueSettings().overview_coarsest_mpp
    wanted = min(expected[2], coarsest)
    assert overview_mpp == wanted
    assert slide.asked[:2] == (0, 0)
    assert overview.shape[:2] == (
        int(np.ceil(height_px * mpp / wanted)),
        int(np.ceil(width_px * mpp / wanted)),
    )


# The mask itself: 4 µm per pixel, glass at 240.

PLAIN = TissueSettings(margin_um=0.0)


def on_glass(*squares: tuple[int, int, int, int]) -> Any:
    """Return a picture of 200 by 200 pixels with squares (top, left, side, light) on even glass."""
    picture = np.full((200, 200, 3), 240, np.uint8)
    for top, left, side, light in squares:
        picture[top : top + side, left : left + side] = light
    return picture


def test_dust_is_no_tissue_and_a_small_piece_is() -> None:
    """0.004 mm² are 250 pixels of 16 µm²."""
    mask = tissue_mask(on_glass((20, 20, 4, 120), (100, 100, 24, 120)), 4.0, (240.0,) * 3, PLAIN)
    assert not mask[10:40, 10:40].any()
    assert mask[102:122, 102:122].all()


@pytest.mark.parametrize(("hole", "filled"), [(16, True), (60, False)])
def test_a_vessel_belongs_to_the_tissue_and_a_large_hole_does_not(hole: int, *, filled: bool) -> None:
    """0.01 mm² are 625 pixels; smoothing takes a few of them at the edge."""
    start = 100 - hole // 2
    mask = tissue_mask(on_glass((20, 20, 160, 120), (start, start, hole, 240)), 4.0, (240.0,) * 3, PLAIN)
    assert mask[100, 100] == filled
    assert mask[30:50, 30:170].all()


def test_the_margin_widens_the_mask_on_all_sides() -> None:
    picture = on_glass((80, 80, 40, 120))
    narrow, wide = (
        tissue_mask(picture, 4.0, (240.0,) * 3, TissueSettings(margin_um=margin_um))
        for margin_um in (0.0, 40.0)
    )
    rows = [np.flatnonzero(mask.any(axis=1)) for mask in (narrow, wide)]
    assert (rows[0][0] - rows[1][0], rows[1][-1] - rows[0][-1]) == (10, 10)
    assert wide[narrow].all()


def test_even_glass_of_any_colour_is_no_tissue() -> None:
    for light in (255, 240, 90):
        picture = np.full((60, 60, 3), light, np.uint8)
        assert not tissue_mask(picture, 4.0, (float(light),) * 3, PLAIN).any()
