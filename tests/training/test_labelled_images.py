from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model_store import load_model
from cxpath.training.labelled_images import (
    PointCounts,
    count_points,
    detect_in_picture,
    read_labelled_image,
    read_points,
    rescaled,
)
from cxpath.values.errors import CellsFileError, MissingFileError
from cxpath.values.stains import StainBasis
from tests.training.peak_examples import peaks_at

BCDATA = Path(os.environ.get("CXPATH_DATA", "../shared/data")) / "cells" / "bcdata"


def write_pair(folder: Path) -> tuple[Path, Path]:
    rgb = np.full((80, 120, 3), 220, np.uint8)
    rgb[40:44, 60:64] = (90, 60, 30)
    cv2.imwrite(str(folder / "a.png"), rgb[..., ::-1])
    (folder / "a.csv").write_text("x,y,class\n61.5,41.5,pos_tumour\n0,0,neg_tumour\n")
    return folder / "a.png", folder / "a.csv"


def test_picture_and_points_shrink_together(tmp_path: Path) -> None:
    labelled = read_labelled_image(*write_pair(tmp_path), image_mpp=0.25, mpp=0.5)
    assert labelled.rgb.shape == (40, 60, 3)
    assert labelled.points_px.tolist() == [[31.0, 21.0], [0.25, 0.25]]
    assert labelled.rgb[20, 30].tolist() == [90, 60, 30], "red first"
    assert labelled.classes == ("pos_tumour", "neg_tumour")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.png"):
        read_labelled_image(tmp_path / "nothing.png", tmp_path / "a.csv", image_mpp=0.5, mpp=0.5)
    (tmp_path / "b.csv").write_text("x,class\n1,a\n")
    with pytest.raises(CellsFileError, match="columns x, y, class"):
        read_points(tmp_path / "b.csv")


def test_pictures_grow_too() -> None:
    assert rescaled(np.zeros((10, 20, 3), np.uint8), 1.5).shape == (15, 30, 3)


def test_counts_add_up() -> None:
    total = PointCounts(10, 8, 6) + PointCounts(0, 2, 0)
    assert total == PointCounts(10, 10, 6)
    assert total.recall == total.f1 == 0.6
    assert np.isnan(PointCounts(0, 0, 0).recall)


def test_a_label_is_found_within_the_radius_alone() -> None:
    place, kind = np.array([10.0, 50.0]), np.zeros(2, np.uint8)
    peaks = peaks_at(place, place, kind, np.zeros(2), np.ones(2))
    labels = np.array([[12.0, 10.0], [50.0, 70.0]])
    assert count_points(labels, peaks, 12.0) == PointCounts(2, 2, 1)


def test_a_picture_of_any_size_is_seen_whole() -> None:
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis(), centre_threshold=0.2)
    rgb = np.full((101, 133, 3), 225, np.uint8)
    for x, y in ((20, 50), (66, 30), (118, 84)):
        cv2.circle(rgb, (x, y), 7, (90, 90, 160), -1)
    peaks = detect_in_picture(detector, rgb)
    labels = np.array([[20.5, 50.5], [66.5, 30.5], [118.5, 84.5]])
    assert count_points(labels, peaks, 8.0).pairs == 3
    assert (peaks.x_px < 133).all()
    assert (peaks.y_px < 101).all()


@pytest.mark.skipif(not BCDATA.is_dir(), reason="needs the shared test data")
def test_real_nuclei_are_found() -> None:
    """Labelled tumour nuclei of a Ki-67 tile nobody trained on (µm/px unstated, 0.25 assumed)."""
    detector = Detector(load_model("small"), choose_device("cpu"), StainBasis())
    labelled = read_labelled_image(BCDATA / "1.png", BCDATA / "1.csv", image_mpp=0.25, mpp=detector.mpp)
    peaks = detect_in_picture(detector, labelled.rgb)
    assert (peaks.x_px < labelled.rgb.shape[1]).all()
    assert count_points(labelled.points_px, peaks, 6.0 / detector.mpp).recall > 0.7
