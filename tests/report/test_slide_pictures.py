from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import Polygon, box

from cxpath.data.slide_info import Region, RegionMeaning, RegionUse
from cxpath.report.html import EXCLUDED, INK, NEGATIVE, OTHER, POSITIVE_EDGE, SCORED
from cxpath.report.slide_pictures import (
    CPS_SCALE,
    REASONS,
    ColourScale,
    PlacedField,
    draw_regions,
    field_map,
    hatch,
    heatmap_picture,
    mark_of,
    region_swatch,
    tissue_picture,
    words,
)

GLASS = np.full((800, 1000, 3), 240, np.uint8)


def holds(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels.astype(int) - np.array(colour)).max(axis=-1) < 10).any())


def test_a_field_is_outlined_where_it_lies_in_the_colour_of_its_effect() -> None:
    fields = [
        PlacedField(1, 100, 100, 80, 1),
        PlacedField(2, 400, 300, 80, -1),
        PlacedField(3, 700, 500, 80, 0),
    ]
    pixels = np.asarray(field_map(GLASS, fields, 8.0))
    for field, colour in zip(fields, (POSITIVE_EDGE, NEGATIVE, OTHER), strict=True):
        top, left = int(field.top_px), int(field.left_px)
        own = pixels[top - 3 : top + 84, left - 3 : left + 84]
        assert holds(own[:4], colour)
        assert holds(own[:, :4], colour)
    assert not holds(pixels[:90], POSITIVE_EDGE)


def test_the_effect_is_a_shape_too() -> None:
    """The same number raising and lowering differs even in grey."""
    up, down = (
        np.asarray(field_map(GLASS, [PlacedField(1, 100, 100, 80, effect)], 8.0).convert("L")) < 160
        for effect in (1, -1)
    )
    assert np.count_nonzero(up[:800] ^ down[:800]) > 30


def test_a_large_overview_is_shrunk_with_its_fields() -> None:
    wide = np.full((1000, 3600, 3), 240, np.uint8)
    sheet = field_map(wide, [PlacedField(1, 1800, 500, 200, 1)], 8.0)
    assert sheet.width == 1800
    assert holds(np.asarray(sheet)[245:355, 895:1005], POSITIVE_EDGE)


OVERVIEW = np.full((700, 1000, 3), 230, np.uint8)


def _pixels(values: list[float]) -> np.ndarray:
    left = np.arange(len(values), dtype=float) * 100
    picture = heatmap_picture(
        OVERVIEW, left, np.full_like(left, 100.0), np.full_like(left, 100.0), np.array(values), 16.0
    )
    return np.asarray(picture).astype(int)


def test_higher_values_are_brighter() -> None:
    row = _pixels([0.0, 1.0, 10.0, 100.0])[150]
    brightness = [row[50 + 100 * place].sum() for place in range(4)]
    assert brightness == sorted(brightness)
    assert brightness[0] + 100 < brightness[-1]


def test_squares_are_painted_where_they_lie_and_unknown_ones_stay_grey() -> None:
    pixels = _pixels([50.0, float("nan")])
    painted = (pixels[:700].max(axis=-1) - pixels[:700].min(axis=-1)) > 10
    assert painted[100:200, :100].all()
    assert not painted[:, 100:].any()
    assert not painted[:100].any()


def test_squares_beyond_the_edge_are_cut() -> None:
    far = np.array([-50.0, 950.0])
    picture = heatmap_picture(OVERVIEW, far, far * 0, np.full(2, 100.0), np.array([5.0, 5.0]), 16.0)
    assert np.asarray(picture).shape[1] == 1000


def test_the_scale_of_scores_keeps_small_ones_apart() -> None:
    shares = CPS_SCALE.share(np.array([0.0, 1.0, 10.0, 100.0, 500.0]))
    assert shares[0] == 0
    assert shares[3] == shares[4] == 1
    assert shares[1] == pytest.approx(np.log(2) / np.log(101))
    linear = ColourScale("positive cells per mm²", (0, 500, 1000))
    assert linear.share(np.array([250.0]))[0] == pytest.approx(0.25)


def test_no_squares_is_an_overview_with_its_bar() -> None:
    nothing = np.empty(0)
    assert heatmap_picture(OVERVIEW, nothing, nothing, nothing, nothing, 16.0).height > 700


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


def _square(left: int, top: int, side: int) -> NDArray[np.bool_]:
    mask = np.zeros(OVERVIEW.shape[:2], bool)
    mask[top : top + side, left : left + side] = True
    return mask


def _where_of_tissue_picture(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(pixels.astype(int) - np.array(colour)) < 10).all(axis=-1))


def test_scored_tissue_is_outlined_and_left_as_it_is() -> None:
    pixels = np.asarray(tissue_picture(OVERVIEW, _square(200, 100, 300), {}, 16.0))[:700]
    line = _where_of_tissue_picture(pixels, SCORED)
    assert line[95:106, 350].any()
    assert not line[120:380, 350].any()
    assert (pixels[250, 350] == 230).all()
    assert (pixels[650, 900] == 230).all()


def test_what_was_left_out_is_hatched_only_there() -> None:
    out = _square(600, 300, 200)
    pixels = np.asarray(tissue_picture(OVERVIEW, _square(100, 100, 200), {"pen": out}, 16.0))[:700]
    hatched = _where_of_tissue_picture(pixels, mark_of("pen").colour)
    assert 0.1 < hatched[out].mean() < 0.6
    ys, xs = np.nonzero(hatched)
    assert xs.min() >= 595
    assert ys.max() <= 505


def test_reasons_differ_in_pattern_not_only_in_colour() -> None:
    patterns = [hatch((60, 60), order) for order in range(8)]
    assert all((one != other).any() for one, other in itertools.combinations(patterns, 2))


def test_every_reason_has_its_own_pattern_colour_and_letter() -> None:
    marks = [mark_of(reason) for reason in REASONS]
    for part in ("order", "colour", "letter"):
        assert len({getattr(mark, part) for mark in marks}) == len(marks), part
    assert mark_of("anything else").order >= len(REASONS)


def test_the_letter_stands_only_where_there_is_room() -> None:
    small, large = (
        np.asarray(tissue_picture(OVERVIEW, _square(1, 1, 50), {"pen": _square(500, 300, side)}, 16.0))[:700]
        for side in (20, 100)
    )
    white = [int((pixels[290:410, 490:610] == 255).all(axis=-1).sum()) for pixels in (small, large)]
    assert white[0] == 0 < white[1]


def test_the_legend_grows_with_the_reasons() -> None:
    few = tissue_picture(OVERVIEW, _square(1, 1, 50), {"pen": _square(1, 1, 5)}, 16.0)
    many = tissue_picture(OVERVIEW, _square(1, 1, 50), {name: _square(1, 1, 5) for name in "abcde"}, 16.0)
    assert many.height > few.height > 700


def test_masks_of_another_size_are_stretched() -> None:
    coarse = np.zeros((70, 100), bool)
    coarse[10:40, 20:50] = True
    fine = tissue_picture(OVERVIEW, _square(200, 100, 300), {}, 16.0)
    assert tissue_picture(OVERVIEW, coarse, {}, 16.0).tobytes() == fine.tobytes()


def test_a_small_overview_is_enlarged() -> None:
    small = np.full((70, 100, 3), 230, np.uint8)
    assert tissue_picture(small, np.zeros((70, 100), bool), {}, 160.0).width == 1000
