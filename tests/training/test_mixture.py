"""What is not known must leave no trace in the gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cxpath.data.cells import FINE_CLASSES, TissueRegion
from cxpath.network.architecture import NetworkOutput
from cxpath.training.data import REGION_UNLABELLED, STAIN_UNKNOWN, AnnotatedCells, AnnotatedField
from cxpath.training.mixture import mixed_losses, partial_batch, partial_targets, stain_weights
from cxpath.training.settings import LossSettings
from cxpath.training.targets import (
    ANY_IMMUNE,
    ANY_OTHER,
    TUMOUR,
    UNLABELLED,
    UNLABELLED_REGION,
    Targets,
    all_losses,
    batch_targets,
    joined,
)
from tests.training.blob_fields import blob_field

SETTINGS = LossSettings()
EVEN = torch.ones(len(FINE_CLASSES))
LYMPHOCYTE, MACROPHAGE = FINE_CLASSES.index("lymphocyte"), FINE_CLASSES.index("macrophage")


def field_with(fine: int, stained: int, *, complete: bool = False) -> AnnotatedField:
    """One cell in output cell (row 5, column 3) of 16 by 16."""
    cells = AnnotatedCells(
        np.array([14.0]), np.array([22.0]), np.array([fine]), np.array([stained], dtype=np.int8)
    )
    return AnnotatedField(
        rgb=np.zeros((64, 64, 3), np.uint8),
        cells=cells,
        complete=np.full((16, 16), complete),
        region=np.full((8, 8), REGION_UNLABELLED, np.int8),
    )


def gradients(field: AnnotatedField, part: str | None = None) -> NetworkOutput:
    """Gradient of the loss by every output, at outputs that know nothing."""
    channels = {"centre": 1, "offset": 2, "kind": len(FINE_CLASSES), "stain": 2, "region": 5}
    rng = torch.Generator().manual_seed(1)
    outputs = [torch.randn(1, number, 16, 16, generator=rng).requires_grad_() for number in channels.values()]
    losses = all_losses(NetworkOutput(*outputs), partial_batch([field], SETTINGS), EVEN)
    (losses.total(SETTINGS) if part is None else getattr(losses, part)).backward()
    return NetworkOutput(*(one.grad if one.grad is not None else torch.zeros_like(one) for one in outputs))


def places(gradient: Tensor) -> list[list[int]]:
    return (gradient[0].abs().sum(dim=0) > 0).nonzero().tolist()


def test_outside_complete_areas_only_the_marked_centre_is_taught() -> None:
    assert places(gradients(field_with(TUMOUR, 1)).centre) == [[5, 3]]


def test_inside_complete_areas_absence_is_taught_everywhere() -> None:
    gradient = gradients(field_with(TUMOUR, 1, complete=True)).centre
    assert len(places(gradient)) == 256
    assert gradient[0, 0, 5, 3] < 0, "more of a centre here"
    assert bool((gradient[0, 0, 12:] > 0).all()), "less of one there"


def test_kind_stain_and_offset_are_taught_near_the_mark_alone() -> None:
    gradient = gradients(field_with(TUMOUR, 1, complete=True))
    for part in (gradient.kind, gradient.stain, gradient.offset):
        near = places(part)
        assert [5, 3] in near
        assert all(abs(row - 5) <= 1 and abs(column - 3) <= 1 for row, column in near)


def test_known_kind_and_unknown_stain_teaches_kind_centre_and_offset() -> None:
    gradient = gradients(field_with(TUMOUR, STAIN_UNKNOWN))
    assert not places(gradient.stain)
    assert places(gradient.kind)
    assert places(gradient.centre) == [[5, 3]]
    assert places(gradient.offset)


def test_known_stain_and_unknown_kind_teaches_stain_centre_and_offset() -> None:
    gradient = gradients(field_with(UNLABELLED, 1))
    assert not places(gradient.kind)
    assert places(gradient.stain)
    assert places(gradient.centre) == [[5, 3]]
    assert places(gradient.offset)


def test_a_bare_mark_teaches_where_a_cell_is() -> None:
    gradient = gradients(field_with(UNLABELLED, STAIN_UNKNOWN))
    assert not places(gradient.kind)
    assert not places(gradient.stain)
    assert places(gradient.offset)


def test_immune_teaches_the_sum_of_its_classes() -> None:
    """Gradient of -log(p_lymphocyte + p_macrophage) by hand: p - p restricted to the two."""
    logits = torch.linspace(-1, 1, len(FINE_CLASSES), requires_grad=True)
    maps = logits.view(1, -1, 1, 1).expand(1, -1, 16, 16)
    others = [torch.zeros(1, n, 16, 16) for n in (1, 2, 2, 5)]
    output = NetworkOutput(others[0], others[1], maps, others[2], others[3])
    loss = all_losses(output, partial_batch([field_with(ANY_IMMUNE, 1)], SETTINGS), EVEN).kind
    share = torch.softmax(logits.detach(), 0)
    both = share[LYMPHOCYTE] + share[MACROPHAGE]
    assert loss.item() == pytest.approx(-both.log().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, logits)
    within = torch.zeros_like(share)
    within[[LYMPHOCYTE, MACROPHAGE]] = share[[LYMPHOCYTE, MACROPHAGE]] / both
    torch.testing.assert_close(gradient, share - within)


def test_other_teaches_all_but_tumour_and_immune() -> None:
    gradient = gradients(field_with(ANY_OTHER, STAIN_UNKNOWN), "kind").kind[0, :, 5, 3]
    wanted = gradient < 0
    assert not wanted[[TUMOUR, LYMPHOCYTE, MACROPHAGE]].any()
    assert int(wanted.sum()) == len(FINE_CLASSES) - 3


def test_a_single_class_among_sets_costs_what_it_costs_alone() -> None:
    fields = [field_with(LYMPHOCYTE, 1), field_with(ANY_IMMUNE, 1)]
    rng = torch.Generator().manual_seed(2)
    maps = torch.randn(2, len(FINE_CLASSES), 16, 16, generator=rng)
    weights = torch.linspace(0.5, 2.0, len(FINE_CLASSES))

    def kind_loss(targets: Targets, logits: Tensor) -> float:
        number = len(logits)
        others = [torch.zeros(number, n, 16, 16) for n in (1, 2, 2, 5)]
        output = NetworkOutput(others[0], others[1], logits, others[2], others[3])
        return all_losses(output, targets, weights).kind.item()

    alone = kind_loss(partial_batch(fields[:1], SETTINGS), maps[:1])
    of_set = kind_loss(partial_batch(fields[1:], SETTINGS), maps[1:])
    both = kind_loss(partial_batch(fields, SETTINGS), maps)
    first, second = float(weights[LYMPHOCYTE]), float(weights[[LYMPHOCYTE, MACROPHAGE]].mean())
    assert both == pytest.approx((first * alone + second * of_set) / (first + second), rel=1e-5)


@pytest.mark.parametrize(
    ("fine", "stained", "membrane", "either"),
    [
        (TUMOUR, 1, 1.0, 0.25),
        (TUMOUR, 0, 1.0, 0.0),
        (ANY_IMMUNE, 1, 0.0, 1.0),
        (ANY_IMMUNE, 0, 0.25, 1.0),
        (UNLABELLED, 1, 0.0, 1.0),
        (UNLABELLED, 0, 1.0, 0.0),
        (TUMOUR, STAIN_UNKNOWN, 0.0, 0.0),
    ],
)
def test_a_stain_label_says_what_follows_from_the_rule_of_the_kind(
    fine: int, stained: int, membrane: float, either: float
) -> None:
    """A negative tumour cell may have a brown cytoplasm; a positive immune cell need have no membrane."""
    cells = field_with(fine, stained).cells
    even = SETTINGS.model_copy(update={"low_prevalence_weight": 1.0})
    assert stain_weights(cells, even)[:, 0].tolist() == [membrane, either]


def test_negative_crops_weigh_more_as_in_drawn_tissue() -> None:
    negative = field_with(TUMOUR, 0).cells
    assert stain_weights(negative, SETTINGS)[0, 0] == SETTINGS.low_prevalence_weight
    assert stain_weights(field_with(TUMOUR, 1).cells, SETTINGS)[0, 0] == 1.0


def test_tissue_is_taught_only_where_it_is_named() -> None:
    field = field_with(TUMOUR, 1)
    assert not places(gradients(field).region)
    region = field.region.copy()
    region[2:4, 2:4] = TissueRegion.STROMA
    named = replace(field, region=region)
    assert sorted(places(gradients(named).region)) == [
        [row, col] for row in range(4, 8) for col in range(4, 8)
    ]
    targets = partial_targets(named, SETTINGS)
    assert targets.region[4, 4] == int(TissueRegion.STROMA)
    assert targets.region[0, 0] == UNLABELLED_REGION


def test_nothing_marked_costs_nothing() -> None:
    field = field_with(TUMOUR, 1)
    empty = replace(field, cells=field.cells.take(np.zeros(1, dtype=bool)))
    assert all(not places(part) for part in gradients(empty))


def test_drawn_and_annotated_crops_weigh_as_the_share_says() -> None:
    drawn = batch_targets([blob_field(1, 0, 64), blob_field(1, 1, 64)], SETTINGS)
    annotated = partial_batch([field_with(TUMOUR, 1)], SETTINGS)
    together = joined(drawn, annotated)
    assert together.centre.shape == (3, 16, 16)
    rng = torch.Generator().manual_seed(3)
    output = NetworkOutput(*(torch.randn(3, n, 16, 16, generator=rng) for n in (1, 2, 10, 2, 5)))
    mixed = mixed_losses(output, together, EVEN, synthetic=2, share=0.25)
    first = all_losses(NetworkOutput(*(part[:2] for part in output)), drawn, EVEN)
    second = all_losses(NetworkOutput(*(part[2:] for part in output)), annotated, EVEN)
    for whole, a, b in zip(mixed, first, second, strict=True):
        torch.testing.assert_close(whole, 0.25 * a + 0.75 * b)
