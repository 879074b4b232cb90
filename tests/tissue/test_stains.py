import numpy as np

from cxpath.tissue.stains import estimate_white_point, is_brightfield


def test_white_filled_in_beyond_the_scan_is_not_glass() -> None:
    overview = np.full((100, 100, 3), 255, np.uint8)
    overview[:50] = (238, 236, 230)
    overview[10:20] = (120, 110, 160)
    assert estimate_white_point(overview) == (238.0, 236.0, 230.0)


def test_a_slide_whose_glass_is_white_keeps_white() -> None:
    overview = np.full((100, 100, 3), 255, np.uint8)
    overview[40:41] = (120, 110, 160)
    assert estimate_white_point(overview) == (255.0, 255.0, 255.0)


def test_fluorescence_is_not_brightfield() -> None:
    assert not is_brightfield((0.0, 0.0, 250.0))
    assert not is_brightfield((60.0, 60.0, 60.0))
    assert is_brightfield((187.0, 190.0, 180.0))
