from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cxpath.data.cells import FINE_CLASSES, IMMUNE_SUBKINDS, Kind, Subkind, TissueRegion
from cxpath.network.architecture import NetworkOutput
from cxpath.synth.field import SyntheticCells, SyntheticField
from cxpath.synth.labelled_tissue import LABELS
from cxpath.training.settings import LossSettings
from cxpath.training.targets import (
    ANY_IMMUNE,
    ANY_OTHER,
    FIRST_OF_TISSUE,
    MEMBERS,
    UNLABELLED,
    UNLABELLED_REGION,
    Losses,
    Targets,
    all_losses,
    balanced_weights,
    batch_targets,
    centre_loss,
    field_targets,
    fine_labels,
    output_cells,
)
from tests.training.blob_fields import blob_field, cells_at


def test_every_cell_gets_the_class_of_its_name() -> None:
    subkinds = [subkind for subkind in Subkind if subkind]
    found = fine_labels(np.full(len(subkinds), Kind.OTHER, np.uint8), np.array(subkinds, np.uint8))
    assert [FINE_CLASSES[i] for i in found] == [subkind.name.lower() for subkind in subkinds]


def test_tumour_needs_no_subkind_and_an_unnamed_other_cell_teaches_no_kind() -> None:
    kind = np.array([Kind.TUMOUR, Kind.OTHER], np.uint8)
    assert fine_labels(kind, np.zeros(2, np.uint8)).tolist() == [FINE_CLASSES.index("tumour"), UNLABELLED]


def test_sets_of_classes_follow_the_kinds() -> None:
    named = {
        label: {FINE_CLASSES[column] for column in np.flatnonzero(MEMBERS[label])}
        for label in (ANY_IMMUNE, ANY_OTHER, 0)
    }
    assert named[ANY_IMMUNE] == {subkind.name.lower() for subkind in IMMUNE_SUBKINDS}
    assert named[ANY_OTHER] == set(FINE_CLASSES) - named[ANY_IMMUNE] - {"tumour"}
    assert named[0] == {"tumour"}
    assert MEMBERS.shape == (FIRST_OF_TISSUE + len(LABELS), len(FINE_CLASSES))
    for row, label in enumerate(LABELS):
        members = {FINE_CLASSES[column] for column in np.flatnonzero(MEMBERS[FIRST_OF_TISSUE + row])}
        assert members == label.classes


SETTINGS = LossSettings()


def field_of(cells: SyntheticCells) -> SyntheticField:
    region = np.full((8, 8), TissueRegion.STROMA, np.uint8)
    return SyntheticField(np.zeros((64, 64, 3), np.uint8), 0.5, cells, region, np.zeros((8, 8), bool))


def two_cells() -> SyntheticField:
    """A stained tumour cell in output cell (2, 3) and an unstained lymphocyte in (10, 12)."""
    return field_of(
        cells_at(
            np.array([13.0, 50.0]), np.array([11.0, 42.0]),
            np.array([Kind.TUMOUR, Kind.IMMUNE], np.uint8), np.array([True, False]),
        )
    )  # fmt: skip


def test_centres_are_one_and_fall_off() -> None:
    targets = field_targets(two_cells(), SETTINGS)
    assert (targets.centre == 1).nonzero().tolist() == [[2, 3], [10, 12]]
    assert 0.3 < targets.centre[2, 4] < 1
    assert targets.centre[8, 3] < 0.01


def test_offsets_lead_back_to_the_centre() -> None:
    targets = field_targets(two_cells(), SETTINGS)
    for (row, column), place in (((2, 3), (13.0, 11.0)), ((10, 12), (50.0, 42.0)), ((2, 4), (13.0, 11.0))):
        x, y = targets.offset[:, row, column]
        assert (4 * (column + 0.5 + x), 4 * (row + 0.5 + y)) == pytest.approx(place)


def test_kind_and_stain_are_labelled_at_centres_alone() -> None:
    targets = field_targets(two_cells(), SETTINGS)
    assert targets.fine[2, 3] == FINE_CLASSES.index("tumour")
    assert targets.fine[10, 12] == FINE_CLASSES.index("lymphocyte")
    assert targets.fine[6, 6] == UNLABELLED
    assert targets.stain[:, 2, 3].tolist() == [1, 1]
    assert targets.stain[:, 10, 12].tolist() == [0, 0]
    assert targets.stain_weight[:, 6, 6].tolist() == [0, 0]


def test_the_rule_of_the_kind_weighs_most() -> None:
    weight = field_targets(two_cells(), SETTINGS).stain_weight
    assert weight[:, 2, 3].tolist() == [1.0, 0.25]
    assert weight[:, 10, 12].tolist() == [0.25, 1.0]


def test_a_crop_with_hardly_any_positive_cell_weighs_more() -> None:
    field = two_cells()
    negative = replace(field.cells, membrane=np.zeros(2, bool), any_stain=np.zeros(2, bool))
    assert field_targets(replace(field, cells=negative), SETTINGS).stain_weight.max() == 2.0


def test_nothing_about_cells_is_learned_where_the_drawing_says_so() -> None:
    ignore = np.zeros((8, 8), bool)
    ignore[1, 1] = True
    targets = field_targets(replace(two_cells(), ignore=ignore), SETTINGS)
    assert not targets.scored[2:4, 2:4].any()
    assert targets.scored.sum() == 16 * 16 - 4
    assert targets.fine[2, 3] == UNLABELLED
    assert targets.stain_weight[:, 2, 3].tolist() == [0, 0]


def test_region_is_that_of_the_drawing() -> None:
    targets = field_targets(blob_field(0, 0, 64), SETTINGS)
    assert bool((targets.region[:, :8] == int(TissueRegion.NEST)).all())
    assert bool((targets.region[:, 8:] == int(TissueRegion.STROMA)).all())


def test_an_empty_field_teaches_that_it_is_empty() -> None:
    none = np.zeros(0)
    targets = field_targets(
        field_of(cells_at(none, none, none.astype(np.uint8), none.astype(bool))), SETTINGS
    )
    assert targets.centre.max() == 0
    assert targets.scored.all()
    assert (targets.fine == UNLABELLED).all()


def test_a_centre_on_the_far_edge_stays_inside() -> None:
    edge = cells_at(np.array([64.0]), np.array([64.0]), np.array([0], np.uint8), np.array([False]))
    assert (field_targets(field_of(edge), SETTINGS).centre == 1).nonzero().tolist() == [[15, 15]]


def test_a_batch_is_stacked_in_order() -> None:
    fields = [blob_field(0, index, 64) for index in range(3)]
    batch = batch_targets(fields, SETTINGS)
    assert batch.offset.shape == (3, 2, 16, 16)
    torch.testing.assert_close(batch.centre[1], field_targets(fields[1], SETTINGS).centre)


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


def test_the_focal_loss_by_hand() -> None:
    """Zhou et al. 2019, formula 1, at a probability of one half and of one quarter.

    A centre costs (1 - .5)^2 x ln 2; a place of .8 costs (1 - .8)^4 x .25^2 x ln(4/3), an empty one the same
    without the first factor. All are divided by the one centre.
    """
    logit = torch.tensor([[[0.0, np.log(1 / 3), np.log(1 / 3)]]])
    centre = torch.tensor([[[1.0, 0.8, 0.0]]])
    judged = torch.ones(1, 1, 3, dtype=torch.bool)
    expected = 0.25 * np.log(2) + (0.2**4 + 1.0) * 0.0625 * np.log(4 / 3)
    assert float(centre_loss(logit, centre, judged)) == pytest.approx(expected, rel=1e-5)


def test_two_centres_share_the_loss_of_the_empty_places() -> None:
    logit, judged = torch.zeros(1, 1, 4), torch.ones(1, 1, 4, dtype=torch.bool)
    one, two = (
        centre_loss(logit, torch.tensor([[row]]), judged) for row in ([1.0, 0, 0, 0], [1.0, 1.0, 0, 0])
    )
    quarter = 0.25 * np.log(2)
    assert float(one) == pytest.approx(4 * quarter)
    assert float(two) == pytest.approx(4 * quarter / 2)


def test_the_total_is_the_weighted_sum_of_its_parts() -> None:
    parts = Losses(*(torch.tensor(value) for value in (1.0, 10.0, 100.0, 1000.0, 10000.0)))
    settings = LossSettings(
        centre_weight=1.0, offset_weight=2.0, class_weight=3.0, stain_weight=4.0, region_weight=5.0
    )
    assert float(parts.total(settings)) == 54321.0


def test_labels_reach_as_far_as_their_radius() -> None:
    """A centre in the middle of output cell (8, 8), whose neighbours lie 4 px and 5.66 px away."""
    cell = cells_at(np.array([34.0]), np.array([34.0]), np.array([Kind.TUMOUR], np.uint8), np.array([True]))
    number = [
        int(field_targets(field_of(cell), LossSettings(label_radius_px=radius_px)).placed.sum())
        for radius_px in (3.9, 4.0, 5.7)
    ]
    assert number == [1, 5, 9]


def test_the_soft_target_is_a_gaussian_of_the_stated_width() -> None:
    cell = cells_at(np.array([34.0]), np.array([34.0]), np.array([Kind.TUMOUR], np.uint8), np.array([True]))
    centre = field_targets(field_of(cell), LossSettings(centre_sigma_px=4.0)).centre
    assert float(centre[8, 9]) == pytest.approx(np.exp(-0.5))
    assert float(centre[8, 10]) == pytest.approx(np.exp(-2.0))


def test_of_two_cells_the_nearer_one_labels_a_place() -> None:
    kinds = np.array([Kind.TUMOUR, Kind.IMMUNE], np.uint8)
    pair = cells_at(np.array([30.0, 38.0]), np.array([34.0, 34.0]), kinds, np.array([True, False]))
    fine = field_targets(field_of(pair), LossSettings(label_radius_px=20.0)).fine[8]
    assert fine[7] == FINE_CLASSES.index("tumour")
    assert fine[9] == FINE_CLASSES.index("lymphocyte")


@pytest.mark.parametrize(
    ("place", "cell"), [(0.0, 0), (3.99, 0), (4.0, 1), (63.9, 15), (64.0, 15), (70.0, 15)]
)
def test_a_place_lies_in_its_output_cell(place: float, cell: int) -> None:
    row, column = output_cells(np.array([5.0]), np.array([place]), (16, 16))
    assert (row.tolist(), column.tolist()) == ([cell], [1])


def test_cells_of_unknown_class_do_not_move_the_balance() -> None:
    kind = np.array([Kind.TUMOUR] * 9 + [Kind.IMMUNE], np.uint8)
    cells = cells_at(np.zeros(10), np.zeros(10), kind, np.zeros(10, bool))
    unknown = replace(cells, subkind=np.where(kind == Kind.IMMUNE, cells.subkind, Subkind.UNKNOWN))
    more = cells_at(np.zeros(30), np.zeros(30), np.full(30, Kind.OTHER, np.uint8), np.zeros(30, bool))
    nameless = replace(more, subkind=np.zeros(30, np.uint8))
    joined = replace(
        unknown,
        **{name: np.concatenate([getattr(unknown, name), getattr(nameless, name)]) for name in vars(unknown)},
    )
    assert balanced_weights(joined, 0.5).tolist() == balanced_weights(cells, 0.5).tolist()


def test_unnamed_tissue_teaches_no_region() -> None:
    truth = targets()
    good = perfect(truth)
    unnamed = replace(truth, region=torch.full_like(truth.region, UNLABELLED_REGION))
    assert float(all_losses(good._replace(region=-good.region), unnamed, EVEN).region) == 0.0
    half = truth.region.clone()
    half[:, :12] = UNLABELLED_REGION
    assert float(all_losses(good, replace(truth, region=half), EVEN).region) < 1e-3
