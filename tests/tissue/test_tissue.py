from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box

from cxpath.data.slide_info import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, Region, Regions, RegionUse, unit
from cxpath.slide.open import open_slide
from cxpath.tissue.settings import StainCheck, TissueSettings
from cxpath.tissue.tissue import OUTSIDE_REGIONS, Tissue, find_tissue
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
