from __future__ import annotations

import numpy as np

from cxpath.training.fine_labels import UNLABELLED, fine_labels
from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import Kind, Subkind


def test_every_cell_gets_the_class_of_its_name() -> None:
    subkinds = [subkind for subkind in Subkind if subkind]
    found = fine_labels(np.full(len(subkinds), Kind.OTHER, np.uint8), np.array(subkinds, np.uint8))
    assert [FINE_CLASSES[i] for i in found] == [subkind.name.lower() for subkind in subkinds]


def test_tumour_needs_no_subkind_and_an_unnamed_other_cell_teaches_no_kind() -> None:
    kind = np.array([Kind.TUMOUR, Kind.OTHER], np.uint8)
    assert fine_labels(kind, np.zeros(2, np.uint8)).tolist() == [FINE_CLASSES.index("tumour"), UNLABELLED]
