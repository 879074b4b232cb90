"""From a true cell's kind and subkind to the index of the network's fine class, or of a set of classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_peaks import FINE_CLASSES
from cxpath.values.cell_table import IMMUNE_SUBKINDS, Kind, Subkind

UNLABELLED = -1
"""Fine label of a cell whose class is not known: it teaches where cells are, and nothing else."""

TUMOUR = FINE_CLASSES.index("tumour")

ANY_IMMUNE, ANY_OTHER = len(FINE_CLASSES), len(FINE_CLASSES) + 1
"""Fine labels of a cell known to be immune, or other, but not more: the *sum* of the classes is taught."""

_IMMUNE_NAMES = {subkind.name.lower() for subkind in IMMUNE_SUBKINDS}
_IMMUNE = np.array([name in _IMMUNE_NAMES for name in FINE_CLASSES])
_OTHER = ~_IMMUNE & (np.arange(len(FINE_CLASSES)) != TUMOUR)

MEMBERS: NDArray[np.bool_] = np.vstack([np.eye(len(FINE_CLASSES), dtype=bool), _IMMUNE, _OTHER])
"""Row: a fine label; column: whether that fine class belongs to it."""

_BY_SUBKIND = np.array(
    [UNLABELLED, *(FINE_CLASSES.index(subkind.name.lower()) for subkind in Subkind if subkind)]
)


def fine_labels(kind: NDArray[np.uint8], subkind: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return each cell's index into `FINE_CLASSES`, or `UNLABELLED` for a non-tumour of unknown subkind."""
    return np.where(kind == Kind.TUMOUR, TUMOUR, _BY_SUBKIND[subkind]).astype(np.int64)
