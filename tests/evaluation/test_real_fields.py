from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxpath.documents.evaluation import CountedField, CountedScan
from cxpath.evaluation.real_fields import (
    count_difference,
    dice,
    field_figures,
    pair_figures,
    positive_share,
    rank_correlation,
    read_field,
    register_crop,
    share_difference_points,
    tumour_region,
)
from tests.evaluation.called_cells import IMMUNE, REAL, TUMOUR, calls_at


@pytest.mark.parametrize("dark_inside", [True, False])
def test_a_crop_is_put_back_where_it_was_cut(dark_inside: bool) -> None:
    rng = np.random.default_rng(1)
    region = cv2.GaussianBlur(rng.normal(size=(220, 260)).astype(np.float32), (0, 0), 20) > 0
    inside, outside = (90, 200) if dark_inside else (200, 90)
    grey = np.where(region, inside, outside) + rng.normal(0, 15, region.shape)
    rgb = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    row, column = register_crop(rgb, region[7:207, 31:231])
    assert abs(row - 7) <= 1
    assert abs(column - 31) <= 1


def test_a_mask_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than the picture"):
        register_crop(np.zeros((10, 10, 3), np.uint8), np.ones((11, 5), bool))


def test_the_region_is_where_tumour_cells_outnumber_others() -> None:
    place = [(float(x), float(y)) for x in range(5, 200, 10) for y in range(5, 100, 10)]
    kinds = [TUMOUR if x < 100 else IMMUNE for x, _ in place]
    region = tumour_region(calls_at(place, kinds, [False] * len(place)), (200, 400), 0.5, 15.0)
    assert region[:, :180].all()
    assert not region[:, 220:].any()
    assert not tumour_region(calls_at([(50, 50)], [TUMOUR], [False]), (200, 400), 0.5, 15.0).any()


def test_statistics_by_hand() -> None:
    assert positive_share(np.array([[1.0, 10.0], [3.0, 10.0]])) == 0.2
    assert np.isnan(positive_share(np.zeros((2, 2))))
    assert dice(np.array([[5.0, 10.0, 10.0], [5.0, 10.0, 0.0]])) == pytest.approx(2 / 3)
    assert np.isnan(dice(np.zeros((1, 3))))
    blocks = np.array([[0, 1, 10], [1, 2, 10], [2, 3, 10], [3, 0, 10]], dtype=float)
    # Ranks 1 2 3 4 against 2 3 4 1: 1 - 6 (1 + 1 + 1 + 9) / (4 * 15).
    assert rank_correlation(blocks, (0, 1, 2, 3)) == pytest.approx(-0.2)
    assert rank_correlation(blocks[:3], (0, 1, 2)) == pytest.approx(1.0)
    assert np.isnan(rank_correlation(blocks, (0, 1, 2, 3, 4))), "a field without an immune cell"


def test_fields_are_shown_and_not_gated() -> None:
    fields = REAL.pdl1_fields.fields
    results = [
        CountedField(
            name=field.image,
            positive=(rank, rank),
            immune=(10, 10),
            crop=(0, 3) if field.mask else None,
            areas=((8, 10, 10),) * 2 if field.mask else None,
        )
        for rank, field in enumerate(fields)
    ]
    figures = field_figures(results, REAL)
    assert len(figures) == 5 + 4 + 1
    assert all(figure.target is None for figure in figures)
    assert figures[-1].value == pytest.approx(0.9747, abs=1e-4)
    assert figures[5].value == 0.8
    assert "column 3" in figures[5].method


FIRST = CountedScan(name="a", shape=(1, 2), blocks=((10, 40, 0, 30, 20), (0, 50, 0, 30, 20)))
SECOND = CountedScan(name="b", shape=(1, 2), blocks=((5, 40, 0, 20, 15), (0, 50, 0, 30, 20)))


def test_figures_by_hand_of_scanner_pair() -> None:
    rows = np.array([FIRST.blocks, SECOND.blocks], dtype=float).transpose(1, 0, 2).reshape(2, -1)
    assert count_difference(rows) == pytest.approx(20 / 190)
    # Tumour negative: 90 of 200 against 90 of 180.
    assert share_difference_points(rows) == pytest.approx(5.0)
    assert np.isnan(count_difference(np.zeros((2, 10))))


def test_equal_scans_do_not_differ() -> None:
    count, share = pair_figures(FIRST, FIRST, REAL)
    assert (count.value, count.low, count.high, count.met) == (0.0, 0.0, 0.0, True)
    assert (share.value, share.met) == (0.0, True)
    assert (count.n, count.units, count.unit, count.mpp_source) == (400, 2, "blocks", "file")


def test_scans_of_another_size_are_no_pair() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        pair_figures(FIRST, SECOND.model_copy(update={"shape": (2, 1)}), REAL)


def test_the_real_pair_shows_one_field(data_dir: Path) -> None:
    """Both scans, brought to one µm/px, have one size and show the same things."""
    folder = data_dir / REAL.scanner_pair.folder
    first, second = (read_field(folder / name, 1.0).mean(axis=2) for name in REAL.scanner_pair.files)
    assert first.shape == second.shape == (500, 500)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.8
