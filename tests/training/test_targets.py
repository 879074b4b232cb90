""""""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cxpath.data.cells import FINE_CLASSES, IMMUNE_SUBKINDS, Kind, Subkind, TissueRegion
from cxpath.synth.field import SyntheticCells, SyntheticField
from cxpath.synth.labelled_tissue import LABELS
from cxpath.training.settings import LossSettings
from cxpath.training.targets import (
    ANY_IMMUNE,
    ANY_OTHER,
    FIRST_OF_TISSUE,
    MEMBERS,
    UNLABELLED,
    batch_targets,
    field_targets,
    fine_labels,
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
