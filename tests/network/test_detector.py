from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cxpath.network.detector import Detector
from cxpath.network.device import Device
from cxpath.network.model_store import Model
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.stains import StainBasis


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
        for name in ("x_px", "y_px", "score", "kind_logits", "stain_logits", "dab_od", "hematoxylin_od")
    )


def test_peaks_have_every_measurement(detector: Detector, batch: NDArray[np.uint8]) -> None:
    peaks = detector.detect(batch)
    assert len(peaks) == 3
    number = len(peaks[0])
    assert number > 5
    assert peaks[0].kind_logits.shape == (number, 10)
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
    np.testing.assert_allclose(alone.kind_logits[own], first.kind_logits[expected], atol=2e-3)


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
