import numpy as np

from cxpath.report.field_map import PlacedField, field_map
from cxpath.report.palette import NEGATIVE, OTHER, POSITIVE_EDGE

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
