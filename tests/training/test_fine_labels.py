from __future__ import annotations

import numpy as np

from cxpath.training.fine_labels import ANY_IMMUNE, ANY_OTHER, MEMBERS, UNLABELLED, fine_labels
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import IMMUNE_SUBKINDS, Kind, Subkind


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
    assert MEMBERS.shape == (len(FINE_CLASSES) + 2, len(FINE_CLASSES))
