from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import Polygon, box

from cxpath.report.palette import EXCLUDED, INK
from cxpath.report.region_outlines import draw_regions, region_swatch, words
from cxpath.report.tissue_picture import tissue_picture
from cxpath.values.regions import Region, RegionMeaning, RegionUse

BED = Region.meaning_of("Tumor bed", RegionMeaning.TUMOUR_BED, box(400, 400, 1600, 1600))
NECROSIS = Region.meaning_of("Necrosis", RegionMeaning.NECROSIS, box(800, 800, 1200, 1200))


def _drawn(*regions: Region, side: int = 1000) -> NDArray[np.uint8]:
    picture = Image.new("RGB", (side, side), (200, 200, 200))
    draw_regions(picture, regions, 0.5)
    return np.asarray(picture)


def _where(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(pixels.astype(int) - np.array(colour)) < 12).all(axis=-1))


def _share_along(line: NDArray[np.bool_]) -> float:
    return float(line.any(axis=0).mean())


def test_scored_areas_have_a_solid_line_and_others_a_dashed_one() -> None:
    """The lower edges, away from the names: line and gap tell them apart without any colour."""
    bed = _where(_drawn(BED), INK)[795:806, 220:780]
    necrosis = _where(_drawn(NECROSIS), EXCLUDED)[595:606, 420:580]
    assert _share_along(bed) == 1
    assert 0.4 < _share_along(necrosis) < 0.85


def test_outlines_lie_where_they_were_drawn() -> None:
    line = _where(_drawn(BED), INK)
    assert line[700, 195:206].any()
    assert line[700, 795:806].any()
    assert not line[300:700, 250:750].any()


def test_holes_are_outlined_too() -> None:
    shape = Polygon(box(400, 400, 1600, 1600).exterior, [box(800, 800, 1200, 1200).exterior])
    line = _where(_drawn(Region.meaning_of("Tumor", RegionMeaning.INCLUDE, shape)), INK)
    assert line[500, 395:406].any()


def test_names_say_what_became_of_the_area() -> None:
    assert words(BED) == "Tumor bed: scored"
    assert words(NECROSIS) == "Necrosis: left out"
    assert (_drawn(BED) != _drawn(Region.meaning_of("Other name", RegionMeaning.TUMOUR_BED, BED.shape))).any()


def test_names_stay_in_the_picture_and_off_each_other() -> None:
    """Two areas in the same corner: the second name moves down, and neither leaves the picture."""
    corner = [Region.meaning_of(name, RegionMeaning.INCLUDE, box(-50, -50, 90, 90)) for name in ("A", "B")]
    one, two = _drawn(corner[0]), _drawn(*corner)
    assert (one[:28, :80] == two[:28, :80]).mean() > 0.95
    assert (one[32:58, :80] != two[32:58, :80]).any()


def test_of_many_areas_the_largest_of_each_name_is_named() -> None:
    many = [
        Region.meaning_of(
            "Fold", RegionMeaning.ARTEFACT, box(100 * n, 100 * n, 100 * n + 40 + n, 100 * n + 40)
        )
        for n in range(18)
    ]
    paper = _where(_drawn(*many), (255, 255, 255))
    assert paper[836:864, 800:930].mean() > 0.3
    assert paper[386:414, 350:480].mean() < 0.2


def test_swatches_of_the_two_uses_differ_in_more_than_colour() -> None:
    solid, dashed = (
        _share_along(_where(np.asarray(region_swatch(use, 54, 26)), colour)[:, 4:-4])
        for use, colour in ((RegionUse.INCLUDE, INK), (RegionUse.EXCLUDE, EXCLUDED))
    )
    assert solid == 1
    assert dashed < 0.9


def test_the_tissue_picture_shows_them_in_the_slides_own_pixels() -> None:
    overview = np.full((1000, 1000, 3), 230, np.uint8)
    nothing = np.zeros((1000, 1000), bool)
    plain = tissue_picture(overview, nothing, {}, 4.0)
    drawn = tissue_picture(overview, nothing, {}, 4.0, [BED, NECROSIS], 2.0)
    line = _where(np.asarray(drawn)[:1000], INK)
    assert line[700, 195:206].any()
    assert drawn.height > plain.height, "the legend has two more entries"
