from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cxpath.network.peaks import find_peaks, not_doubled, peak_positions


def centre_map(height: int = 12, width: int = 12) -> torch.Tensor:
    return torch.full((1, 1, height, width), -9.0)


def places(logits: torch.Tensor, threshold: float = 0.3, radius: int = 1) -> list[tuple[int, ...]]:
    found = find_peaks(logits, threshold, radius)
    return list(zip(found.tile.tolist(), found.row.tolist(), found.column.tolist(), strict=True))


def test_only_the_highest_of_a_hill_is_a_peak() -> None:
    logits = centre_map()
    logits[0, 0, 5, 4:7] = torch.tensor([1.0, 2.0, 1.5])
    assert places(logits) == [(0, 5, 5)]


def test_a_plateau_gives_one_peak() -> None:
    logits = centre_map()
    logits[0, 0, 3:6, 3:5] = 2.0
    assert places(logits) == [(0, 3, 3)]


def test_the_surer_of_two_sure_neighbours_is_the_peak() -> None:
    logits = centre_map()
    logits[0, 0, 5, 4:6] = torch.tensor([20.0, 21.0])
    assert places(logits) == [(0, 5, 5)]


def test_a_plateau_touching_nothing_high_enough_gives_none() -> None:
    assert places(centre_map()) == []


def test_two_hills_far_enough_apart_are_two_cells() -> None:
    logits = centre_map()
    logits[0, 0, 5, 3] = logits[0, 0, 5, 5] = 2.0
    assert places(logits, radius=1) == [(0, 5, 3), (0, 5, 5)]
    assert places(logits, radius=2) == [(0, 5, 3)]


def test_tiles_do_not_see_each_other() -> None:
    logits = torch.cat([centre_map(), centre_map()])
    logits[0, 0, 11, 11] = logits[1, 0, 0, 0] = 1.0
    assert places(logits) == [(0, 11, 11), (1, 0, 0)]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]))
def test_peaks_never_lie_within_one_window(seed: int, radius: int) -> None:
    levels = torch.randint(-3, 4, (1, 1, 16, 16), generator=torch.Generator().manual_seed(seed))
    found = find_peaks(levels.float(), 0.5, radius)
    apart = torch.stack((found.row, found.column), dim=1).unsqueeze(0)
    gap = (apart - apart.transpose(0, 1)).abs().amax(dim=2) + 99 * torch.eye(len(found.row), dtype=torch.long)
    assert len(found.row) == 0 or int(gap.min()) > radius


def test_positions_are_pixels_with_centres_at_a_half() -> None:
    logits = centre_map()
    logits[0, 0, 2, 3] = 3.0
    offset = torch.zeros(1, 2, 12, 12)
    offset[0, :, 2, 3] = torch.tensor([0.25, -9.0])
    found = find_peaks(logits, 0.3, 1)
    assert peak_positions(found, offset).tolist() == [[4 * 3.75, 4 * (2.5 - 1.5)]]


def test_of_two_near_peaks_the_stronger_stays() -> None:
    place = np.array([[10.0, 10.0], [12.0, 10.0], [30.0, 10.0]])
    score = np.array([0.4, 0.9, 0.5], dtype=np.float32)
    assert not_doubled(place, score, 6.0).tolist() == [False, True, True]
    assert not_doubled(place, score, 1.0).all()


def test_of_two_equal_near_peaks_the_first_stays() -> None:
    place = np.array([[12.0, 10.0], [10.0, 10.0]])
    assert not_doubled(place, np.array([0.5, 0.5], dtype=np.float32), 6.0).tolist() == [True, False]


@given(st.integers(0, 2**32 - 1))
def test_whether_a_peak_stays_depends_on_its_neighbours_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place: NDArray[np.float64] = rng.uniform(0, 60, (40, 2))
    score = (rng.integers(1, 5, 40) / 5).astype(np.float32)
    keep = not_doubled(place, score, 6.0)
    near = np.hypot(*(place - place[0]).T) <= 6.0
    assert keep[0] == not_doubled(place[near], score[near], 6.0)[0]
    assert not_doubled(place[keep], score[keep], 6.0).all()
