from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from cxpath.data.cells import CellPeaks
from cxpath.data.slide_info import StainBasis, in_other_stains, optical_density, unit
from cxpath.network.card import KnownStains
from cxpath.network.detector import (
    ANGLES,
    RADII_UM,
    Detector,
    StainRings,
    find_peaks,
    non_maximum_suppression,
    peak_positions,
)
from cxpath.network.device import Device
from cxpath.network.engines import Launched, TorchEngine
from cxpath.network.model import Model


@pytest.fixture
def detector(model: Model, processor: Device) -> Detector:
    return Detector(model, processor, StainBasis(), centre_threshold=0.02)


@pytest.fixture
def batch() -> NDArray[np.uint8]:
    """Three tiles of coarse coloured noise: smooth enough for peaks of all strengths."""
    coarse = np.random.default_rng(5).integers(60, 240, (3, 24, 24, 3)).astype(np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2))


def same(a: CellPeaks, b: CellPeaks) -> bool:
    return len(a) == len(b) and all(
        np.allclose(getattr(a, name), getattr(b, name), atol=2e-3)
        for name in ("x_px", "y_px", "score", "class_logits", "stain_logits", "dab_od", "hematoxylin_od")
    )


def test_peaks_have_every_measurement(detector: Detector, batch: NDArray[np.uint8]) -> None:
    peaks = detector.detect(batch)
    assert len(peaks) == 3
    number = len(peaks[0])
    assert number > 5
    assert peaks[0].class_logits.shape == (number, 10)
    assert peaks[0].stain_logits.shape == (number, 2)
    assert peaks[0].dab_od.shape == peaks[0].hematoxylin_od.shape == (number, 11, 16)
    assert peaks[0].x_px.dtype == np.float64
    assert peaks[0].region.dtype == np.uint8
    assert peaks[0].region.max() < 5


def test_a_tile_gives_the_same_alone_and_in_a_batch(detector: Detector, batch: NDArray[np.uint8]) -> None:
    together = detector.detect(batch)
    assert not same(together[0], together[1])
    for tile, peaks in zip(batch, together, strict=True):
        assert same(detector.detect(tile[None])[0], peaks)


def test_peaks_in_the_halo_are_left_to_other_tiles(detector: Detector, batch: NDArray[np.uint8]) -> None:
    whole = detector.detect(batch)[1]
    core = detector.collect(detector.launch(batch), halo_px=48)[1]
    last = batch.shape[1] - 48
    own = (whole.x_px >= 48) & (whole.x_px < last) & (whole.y_px >= 48) & (whole.y_px < last)
    assert 3 < own.sum() < len(whole)
    np.testing.assert_array_equal(core.x_px, whole.x_px[own])
    np.testing.assert_array_equal(core.y_px, whole.y_px[own])
    np.testing.assert_allclose(core.dab_od, whole.dab_od[own], atol=1e-6)


def test_a_cell_is_the_same_in_every_tile_that_has_its_halo(
    detector: Detector, batch: NDArray[np.uint8]
) -> None:
    whole = np.concatenate([batch[0], batch[1]], axis=1)
    shift, margin = 96, 72
    alone = detector.detect(whole[None, :, shift:])[0]
    first = detector.detect(whole[None])[0]
    own = (alone.x_px > margin) & (first.x_px.max() > 0)
    expected = first.x_px > shift + margin
    assert own.sum() == expected.sum() > 3
    np.testing.assert_allclose(alone.x_px[own] + shift, first.x_px[expected], atol=1e-3)
    np.testing.assert_allclose(alone.class_logits[own], first.class_logits[expected], atol=2e-3)


def test_peaks_in_the_halo_are_kept(detector: Detector, batch: NDArray[np.uint8]) -> None:
    peaks = detector.detect(batch[:1])[0]
    assert ((peaks.x_px < detector.halo_px) | (peaks.y_px < detector.halo_px)).any()


def test_the_threshold_is_the_cards_unless_given(
    model: Model, processor: Device, batch: NDArray[np.uint8]
) -> None:
    strict = Detector(model, processor, StainBasis(), centre_threshold=0.999999)
    assert len(strict.detect(batch[:1])[0]) == 0
    by_card = Detector(model, processor, StainBasis()).detect(batch[:1])[0]
    assert len(by_card) == 0 or by_card.score.min() >= model.card.thresholds.centre_threshold


def test_no_two_peaks_are_nearer_than_the_card_allows(detector: Detector, batch: NDArray[np.uint8]) -> None:
    peaks = detector.detect(batch)[1]
    place = np.column_stack([peaks.x_px, peaks.y_px])
    apart = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) + 1e3 * np.eye(len(place))
    assert apart.min() * detector.mpp > detector.card.thresholds.min_distance_um


def test_the_model_is_left_untouched(model: Model, processor: Device) -> None:
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    Detector(model, Device("cpu", torch.bfloat16, processor.threads), StainBasis())
    after = model.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_bfloat16_finds_nearly_the_same(model: Model, processor: Device, batch: NDArray[np.uint8]) -> None:
    coarse = Device("cpu", torch.bfloat16, processor.threads)
    exact = Detector(model, processor, StainBasis(), centre_threshold=0.02).detect(batch)
    rough = Detector(model, coarse, StainBasis(), centre_threshold=0.02).detect(batch)
    numbers = [sum(len(peaks) for peaks in found) for found in (exact, rough)]
    assert abs(numbers[0] - numbers[1]) <= 0.1 * numbers[0]


def test_facts_come_from_the_card(detector: Detector, model: Model) -> None:
    assert (detector.mpp, detector.halo_px, detector.stride_px) == (0.5, 80, 16)
    assert detector.card == model.card


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 60, 64, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
    ],
)
def test_other_shapes_and_types_are_refused(detector: Detector, wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 16|must be uint8"):
        detector.detect(wrong)


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
    assert non_maximum_suppression(place, score, 6.0).tolist() == [False, True, True]
    assert non_maximum_suppression(place, score, 1.0).all()


def test_of_two_equal_near_peaks_the_first_stays() -> None:
    place = np.array([[12.0, 10.0], [10.0, 10.0]])
    assert non_maximum_suppression(place, np.array([0.5, 0.5], dtype=np.float32), 6.0).tolist() == [
        True,
        False,
    ]


@given(st.integers(0, 2**32 - 1))
def test_whether_a_peak_stays_depends_on_its_neighbours_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place: NDArray[np.float64] = rng.uniform(0, 60, (40, 2))
    score = (rng.integers(1, 5, 40) / 5).astype(np.float32)
    keep = non_maximum_suppression(place, score, 6.0)
    near = np.hypot(*(place - place[0]).T) <= 6.0
    assert keep[0] == non_maximum_suppression(place[near], score[near], 6.0)[0]
    assert non_maximum_suppression(place[keep], score[keep], 6.0).all()


STAIN = StainBasis(white_point=(230.0, 225.0, 220.0))


def picture_of(hematoxylin: torch.Tensor, dab: torch.Tensor) -> torch.Tensor:
    """Light (3, H, W) through given amounts of the two stains."""
    directions = torch.tensor(np.array([unit(STAIN.hematoxylin), unit(STAIN.dab)]), dtype=torch.float32)
    density = torch.stack((hematoxylin, dab), dim=-1) @ directions
    light = torch.tensor(STAIN.white_point) * 10.0**-density - 0.5
    return light.permute(2, 0, 1)


@pytest.fixture
def rings() -> StainRings:
    return StainRings(STAIN, 0.5, torch.device("cpu"))


def test_even_tissue_gives_its_amounts_everywhere(rings: StainRings) -> None:
    light = picture_of(torch.full((64, 64), 0.3), torch.full((64, 64), 0.7))
    amounts = rings.sample(light, torch.tensor([[32.0, 32.0], [1.0, 60.0]]))
    assert amounts.shape == (2, 2, len(RADII_UM), ANGLES)
    torch.testing.assert_close(amounts[0], torch.full((2, 11, 16), 0.3), atol=1e-3, rtol=0)
    torch.testing.assert_close(amounts[1], torch.full((2, 11, 16), 0.7), atol=1e-3, rtol=0)


def test_a_brown_ring_is_seen_at_its_radius(rings: StainRings) -> None:
    row, column = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(80) + 0.5, indexing="ij")
    radius_um = 0.5 * torch.hypot(column - 40.25, row - 38.5)
    dab = 0.8 * torch.exp(-0.5 * ((radius_um - 6.0) / 0.7) ** 2)
    amounts = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.25, 38.5]]))
    profile = amounts[1, 0].mean(dim=1)
    assert int(profile.argmax()) == 6
    assert profile[6] > 0.6
    assert profile[0] < 0.02


def test_angles_run_from_the_right_downwards(rings: StainRings) -> None:
    dab = torch.zeros(80, 80)
    dab[:, 40:] = 0.5
    toward_right = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.0, 40.0]]))[1, 0, 8]
    assert toward_right[0] > 0.45
    assert toward_right[ANGLES // 2] < 0.05
    dab = torch.zeros(80, 80)
    dab[40:] = 0.5
    downward = rings.sample(picture_of(torch.zeros(80, 80), dab), torch.tensor([[40.0, 40.0]]))[1, 0, 8]
    assert downward[ANGLES // 4] > 0.45


def test_a_pixel_centre_gives_that_pixel_as_the_values_room_measures_it(rings: StainRings) -> None:
    rgb = np.random.default_rng(1).integers(20, 240, (9, 9, 3)).astype(np.uint8)
    amounts = rings.sample(torch.from_numpy(rgb).permute(2, 0, 1), torch.tensor([[5.5, 3.5]]))[:, 0, 0, 0]
    expected = optical_density(rgb[3, 5], STAIN.white_point) @ STAIN.unmixing()
    np.testing.assert_allclose(amounts.numpy(), expected, atol=1e-4)


def test_no_points_give_no_samples(rings: StainRings) -> None:
    assert rings.sample(torch.zeros(3, 32, 32), torch.zeros(0, 2)).shape == (2, 0, 11, 16)


def test_pixels_fetched_by_opencv_give_what_torch_interpolates(rings: StainRings) -> None:
    """Rings reach over every edge and there are more cells than are sampled at once; light lies by pixel."""
    random = np.random.default_rng(3)
    light = torch.from_numpy(random.integers(1, 255, (90, 70, 3)).astype(np.uint8)).permute(2, 0, 1)
    positions = torch.from_numpy(random.uniform((0, 0), (70, 90), (1300, 2)))
    angle = torch.arange(ANGLES) * (2 * torch.pi / ANGLES)
    ring = torch.stack((angle.cos(), angle.sin()), dim=-1)
    points = positions.float()[:, None, None] + 2 * torch.tensor(RADII_UM)[:, None, None] * ring
    grid = points.flatten(1, 2)[None] / torch.tensor((70, 90)) * 2 - 1
    seen = functional.grid_sample(light.float()[None], grid, padding_mode="border", align_corners=False)[0]
    density = -((seen.permute(1, 2, 0) + 0.5) / torch.tensor(STAIN.white_point)).log10()
    expected = density.clamp(min=0).double() @ torch.from_numpy(STAIN.unmixing())
    found = rings.sample(light, positions).double().flatten(2).permute(1, 2, 0)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


# What the network sees of a slide whose stains it does not know.

STRANGE = StainBasis(
    white_point=(240.0, 240.0, 240.0), hematoxylin=(0.44, 0.83, 0.335), dab=(0.05, 0.28, 0.96)
)
KNOWN = KnownStains(
    hematoxylin_arc=((0.80, 0.52, 0.30), (0.63, 0.72, 0.30)), dab_arc=((0.22, 0.46, 0.88), (0.43, 0.58, 0.70))
)


class RememberingEngine(TorchEngine):
    """Keeps what it was given."""

    def run(self, batch: NDArray[np.uint8]) -> Launched:
        self.seen = batch
        return super().run(batch)


def knowing(model: Model) -> Model:
    return Model(model.card.model_copy(update={"stains": KNOWN}), model.network)


def test_the_network_sees_strange_stains_in_familiar_colours_and_amounts_are_of_the_slide_itself(
    model: Model, processor: Device, batch: NDArray[np.uint8]
) -> None:
    engine = RememberingEngine(model, processor)
    launched = Detector(knowing(model), processor, STRANGE, engine=engine).launch(batch)
    shown = KNOWN.as_value().shown(STRANGE)
    assert np.array_equal(engine.seen[1], in_other_stains(batch[1], STRANGE, shown))
    assert np.abs(engine.seen.astype(int) - batch).mean() > 5
    assert np.array_equal(launched.light.permute(0, 2, 3, 1).numpy(), batch)


@pytest.mark.parametrize("case", ["usual stains", "not wanted", "a card that states none"])
def test_otherwise_the_network_sees_the_slide_as_it_is(
    model: Model, processor: Device, batch: NDArray[np.uint8], case: str
) -> None:
    engine = RememberingEngine(model, processor)
    detector = Detector(
        model if case.startswith("a card") else knowing(model),
        processor,
        StainBasis() if case == "usual stains" else STRANGE,
        engine=engine,
        match_stains=case != "not wanted",
    )
    detector.launch(batch)
    assert np.array_equal(engine.seen, batch)
    assert detector.shown_stain == detector.stain
