from __future__ import annotations

import numpy as np
import pytest
import torch

from cxpath.data.cells import FINE_CLASSES, Kind
from cxpath.network.unet import NetworkOutput
from cxpath.training.losses import all_losses, balanced_weights, centre_loss
from cxpath.training.settings import LossSettings
from cxpath.training.targets import Targets, batch_targets
from tests.training.blob_fields import blob_field, cells_at

EVEN = torch.ones(len(FINE_CLASSES))


def targets() -> Targets:
    return batch_targets([blob_field(0, index, 96) for index in range(2)], LossSettings())


def perfect(truth: Targets) -> NetworkOutput:
    """Confident outputs that agree with the truth wherever it says something."""
    fine = torch.nn.functional.one_hot(truth.fine.clamp(min=0), len(FINE_CLASSES)).permute(0, 3, 1, 2)
    region = torch.nn.functional.one_hot(truth.region, 5).permute(0, 3, 1, 2)
    return NetworkOutput(
        centre=torch.where(truth.centre == 1, 12.0, -12.0)[:, None],
        offset=truth.offset,
        kind=20.0 * fine,
        stain=24.0 * truth.stain - 12.0,
        region=20.0 * region,
    )


def test_the_truth_costs_next_to_nothing() -> None:
    truth = targets()
    assert float(all_losses(perfect(truth), truth, EVEN).total(LossSettings())) < 1e-3


@pytest.mark.parametrize("part", ["centre", "offset", "kind", "stain", "region"])
def test_every_part_feels_its_own_output_and_no_other(part: str) -> None:
    truth = targets()
    good = perfect(truth)
    worse = good._replace(**{part: -getattr(good, part) - 1.0})
    before, after = all_losses(good, truth, EVEN)._asdict(), all_losses(worse, truth, EVEN)._asdict()
    changed = [name for name in before if abs(float(after[name] - before[name])) > 1e-6]
    assert changed == [part]
    assert after[part] > before[part] + 0.1


def test_unjudged_places_cost_nothing() -> None:
    centre = torch.zeros(1, 4, 4)
    centre[0, 1, 1] = 1.0
    logit = torch.full((1, 4, 4), 5.0)
    judged = torch.ones(1, 4, 4, dtype=torch.bool)
    all_evaluated = centre_loss(logit, centre, judged)
    judged[0, 2:] = False
    assert 0 < centre_loss(logit, centre, judged) < all_evaluated
    assert centre_loss(logit, centre, torch.zeros_like(judged)) == 0


def test_a_near_miss_is_cheaper_than_a_far_one() -> None:
    centre, judged = torch.zeros(1, 8, 8), torch.ones(1, 8, 8, dtype=torch.bool)
    centre[0, 4, 4], centre[0, 4, 5] = 1.0, 0.8
    logit = torch.full((1, 8, 8), -8.0)
    near, far = logit.clone(), logit.clone()
    near[0, 4, 5] = far[0, 0, 0] = 3.0
    assert centre_loss(near, centre, judged) < centre_loss(far, centre, judged)


def test_a_batch_without_cells_has_a_finite_loss_with_gradient() -> None:
    truth = targets()
    empty = Targets(
        torch.zeros_like(truth.centre), truth.scored, truth.offset, torch.full_like(truth.fine, -1),
        truth.stain, torch.zeros_like(truth.stain_weight), truth.region, torch.zeros_like(truth.placed),
    )  # fmt: skip
    outputs = [part.clone().requires_grad_() for part in perfect(truth)]
    total = all_losses(NetworkOutput(*outputs), empty, EVEN).total(LossSettings())
    total.backward()  # type: ignore[no-untyped-call]
    assert all(part.grad is not None and bool(part.grad.isfinite().all()) for part in outputs)


def test_rare_classes_weigh_more_and_the_mean_stays_one() -> None:
    kind = np.array([Kind.TUMOUR] * 90 + [Kind.IMMUNE] * 10, np.uint8)
    cells = cells_at(np.zeros(100), np.zeros(100), kind, np.zeros(100, bool))
    even, balanced = (balanced_weights(cells, share) for share in (0.0, 0.5))
    assert even.tolist() == [1.0] * len(FINE_CLASSES)
    assert balanced[1] / balanced[0] == pytest.approx(3.0)
    assert 0.9 * balanced[0] + 0.1 * balanced[1] == pytest.approx(1.0)
    assert balanced[5] == 1.0


def test_the_kind_of_stained_cells_can_weigh_more() -> None:
    truth = targets()
    good = perfect(truth)
    stained = (truth.stain[:, 1] > 0) & (truth.fine >= 0)
    assert bool(stained.any())
    assert not bool(stained[truth.fine >= 0].all())
    wrong = good._replace(kind=torch.where(stained[:, None], 0.0, good.kind))
    plain = float(all_losses(wrong, truth, EVEN).kind)
    weighed = float(all_losses(wrong, truth, EVEN, stained_class_weight=3.0).kind)
    share = float(stained.sum() / (truth.fine >= 0).sum())
    assert weighed == pytest.approx(plain * 3 / (1 + 2 * share), rel=1e-4)
