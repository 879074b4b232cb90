"""From a true cell's kind and subkind to the index of the network's fine class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import Kind, Subkind

UNLABELLED = -1
"""Fine label of a cell whose class is not known: it teaches where cells are, and nothing else."""

TUMOUR = FINE_CLASSES.index("tumour")

_BY_SUBKIND = np.array(
    [UNLABELLED, *(FINE_CLASSES.index(subkind.name.lower()) for subkind in Subkind if subkind)]
)


def fine_labels(kind: NDArray[np.uint8], subkind: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return each cell's index into `FINE_CLASSES`, or `UNLABELLED` for a non-tumour of unknown subkind."""
    return np.where(kind == Kind.TUMOUR, TUMOUR, _BY_SUBKIND[subkind]).astype(np.int64)
