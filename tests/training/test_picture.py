from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxpath.agreement.matching import match_points
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.judging.label_forms import LabelFiles, read_labels
from cxpath.training.picture import detect_in_picture, rescaled
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.stains import StainBasis


def places(peaks: CellPeaks) -> np.ndarray:
    return np.column_stack([peaks.x_px, peaks.y_px])


@pytest.mark.parametrize(("scale", "shape"), [(1.5, (15, 30, 3)), (0.5, (5, 10, 3)), (0.01, (1, 1, 3))])
def test_pictures_grow_and_shrink(scale: float, shape: tuple[int, int, int]) -> None:
    assert rescaled(np.zeros((10, 20, 3), np.uint8), scale).shape == shape


def test_shrinking_averages() -> None:
    chequered = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (8, 8))
    assert (rescaled(np.repeat(chequered[..., None], 3, axis=2), 0.5) == 100).all()


def test_a_picture_of_any_size_is_seen_whole() -> None:
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis(), centre_threshold=0.2)
    rgb = np.full((101, 133, 3), 225, np.uint8)
    for x, y in ((20, 50), (66, 30), (118, 84)):
        cv2.circle(rgb, (x, y), 7, (90, 90, 160), -1)
    peaks = detect_in_picture(detector, rgb)
    labels = np.array([[20.5, 50.5], [66.5, 30.5], [118.5, 84.5]])
    assert len(match_points(labels, places(peaks), 8.0)) == 3
    assert (peaks.x_px < 133).all()
    assert (peaks.y_px < 101).all()


def test_real_nuclei_are_found(data_dir: Path) -> None:
    """Labelled tumour nuclei of a Ki-67 tile nobody trained on (µm/px unstated, 0.25 assumed)."""
    folder = data_dir / "cells" / "bcdata"
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis())
    files = LabelFiles("1", folder / "1.png", folder / "1.csv")
    image = read_labels(files, "points", image_mpp=0.25, mpp=detector.mpp)
    peaks = detect_in_picture(detector, image.rgb)
    pairs = match_points(image.points_px, places(peaks), 6.0 / detector.mpp)
    assert len(pairs) / len(image.points_px) > 0.7
