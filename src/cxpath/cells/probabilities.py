"""From logits to calibrated probabilities, and from probabilities to the name of a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import FINE_CLASSES, STAIN_CLASSES
from cxpath.values.cell_table import IMMUNE_SUBKINDS, Kind, Subkind

_SUBKIND_OF_FINE = np.array([0, *(Subkind[name.upper()] for name in FINE_CLASSES[1:])], dtype=np.uint8)
_KIND_OF_FINE = np.array(
    [
        Kind.TUMOUR,
        *(Kind.IMMUNE if Subkind(s) in IMMUNE_SUBKINDS else Kind.OTHER for s in _SUBKIND_OF_FINE[1:]),
    ],
    dtype=np.uint8,
)


@dataclass(frozen=True, eq=False)
class CellNames:
    """Class of each cell with its probabilities; arrays of length N."""

    kind: NDArray[np.uint8]
    subkind: NDArray[np.uint8]
    p_tumour: NDArray[np.float32]
    p_immune: NDArray[np.float32]
    p_other: NDArray[np.float32]

    @property
    def certainty(self) -> NDArray[np.float32]:
        """Probability of the kind that each cell is called."""
        return np.maximum(self.p_tumour, np.maximum(self.p_immune, self.p_other))


def name_cells(kind_logits: NDArray[np.float32], calibration: Calibration) -> CellNames:
    """Name cells from the network's fine classes.

    The kind is the one with the largest summed probability, the subkind the likeliest within it: a cell
    split between plasma cell and neutrophil is `other`, whatever single class leads.

    Parameters
    ----------
    kind_logits : float32 array, (N, 10)
        In the order of `FINE_CLASSES`.
    calibration : Calibration
    """
    fine = _softmax(calibrated_logits(kind_logits, calibration))
    summed = np.stack([fine[:, kind == _KIND_OF_FINE].sum(axis=1) for kind in Kind], axis=1)
    kind = summed.argmax(axis=1).astype(np.uint8)
    within = np.where(_KIND_OF_FINE[None, :] == kind[:, None], fine, -1.0)
    return CellNames(kind, _SUBKIND_OF_FINE[within.argmax(axis=1)], *summed.astype(np.float32).T)


def calibrated_logits(kind_logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float32]:
    """Return the kind logits, (N, 10), after temperature and biases."""
    biases = np.array(calibration.kind_biases or [0.0] * len(FINE_CLASSES), dtype=np.float32)
    return np.asarray(kind_logits / calibration.kind_temperature + biases, dtype=np.float32)


def stained_probability(
    stain_logits: NDArray[np.float32], kind: NDArray[np.uint8], calibration: Calibration
) -> NDArray[np.float32]:
    """Return the calibrated probability of being PD-L1 positive by the rule of the kind named.

    Tumour cells need linear membrane staining; immune cells, and others for display, membrane and/or
    cytoplasm (clinical brief 1.1).

    Parameters
    ----------
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    kind : uint8 array, (N,)
    calibration : Calibration
    """
    membrane_logit = stain_logits[:, STAIN_CLASSES.index("membrane")]
    any_logit = stain_logits[:, STAIN_CLASSES.index("any")]
    membrane = membrane_logit / calibration.membrane_temperature + calibration.membrane_bias
    either = any_logit / calibration.any_temperature + calibration.any_bias
    logit = np.where(kind == Kind.TUMOUR, membrane, either).astype(np.float64)
    return (1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0)))).astype(np.float32)


def positive_probability(
    stain_logits: NDArray[np.float32], names: CellNames, calibration: Calibration
) -> NDArray[np.float32]:
    """Return the calibrated probability that each cell is what it is called, and PD-L1 positive.

    A stained cell that may as well be a plasma cell is a doubtful positive lymphocyte, however brown. Without
    the doubt about its kind, such cells carry slides of low CPS over a cut-off.

    Parameters
    ----------
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    names : CellNames
    calibration : Calibration
    """
    return names.certainty * stained_probability(stain_logits, names.kind, calibration)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    raised = np.exp(shifted)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
