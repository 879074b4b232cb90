"""What a packed model says of a picture: its cells with class and stain, by the decision in its card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind, StainBasis
from cxpath.metrics import detect_in_picture, score_class
from cxpath.network import Detector, Device, Model
from cxpath.pipeline import name_cells, positive_probability
from cxpath.training import card_decision


@dataclass(frozen=True, eq=False)
class Calls:
    """Called cells of one picture, N in all.

    Parameters
    ----------
    points_um : float64 array, (N, 2)
        x, y in micrometres from the picture's top left.
    kind : uint8 array, (N,)
    stained : float32 array, (N,)
        Calibrated probability of being what it is called and PD-L1 positive by that kind's rule.
    positive : bool array, (N,)
    certainty : float32 array, (N,)
        Calibrated probability of the kind that the cell is called.
    """

    points_um: NDArray[np.float64]
    kind: NDArray[np.uint8]
    stained: NDArray[np.float32]
    positive: NDArray[np.bool_]
    certainty: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def places(self) -> NDArray[np.int64]:
        """Each cell's place in `confusion.CLASSES`."""
        return score_class(self.kind, self.positive)

    @property
    def tumour_positive(self) -> NDArray[np.bool_]:
        """Which cells are called PD-L1 positive tumour."""
        return np.asarray(self.positive & (self.kind == Kind.TUMOUR))

    def take(self, rows: NDArray[np.bool_]) -> Calls:
        """Return the cells at `rows`."""
        return Calls(
            self.points_um[rows],
            self.kind[rows],
            self.stained[rows],
            self.positive[rows],
            self.certainty[rows],
        )


class CellClassifier:
    """A model on a device, asked for the cells of whole pictures.

    Parameters
    ----------
    model : Model
    device : Device
    """

    def __init__(self, model: Model, device: Device) -> None:
        self.card = model.card
        self.device = device
        self._decision = card_decision(model)
        self._detector = Detector(model, device, StainBasis())

    @property
    def mpp(self) -> float:
        """Micrometres per pixel that pictures must have."""
        return self._detector.mpp

    def calls(self, rgb: NDArray[np.uint8]) -> Calls:
        """Find the cells of a picture at `mpp`, uint8 (H, W, 3)."""
        peaks = detect_in_picture(self._detector, rgb)
        names = name_cells(peaks.class_logits, self._decision.calibration)
        stained = positive_probability(peaks.stain_logits, names, self._decision.calibration)
        points = np.column_stack([peaks.x_px, peaks.y_px]) * self.mpp
        positive = stained >= self._decision.stained_threshold
        return Calls(points, names.kind, stained, positive, names.certainty)
