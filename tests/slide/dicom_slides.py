"""A small DICOM whole-slide series written with pydicom: one multi-frame file a level, tiles uncompressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

RGB = NDArray[np.uint8]
TILE_PX = 256
STUDY, SERIES, FRAME = "2.25.101", "2.25.102", "2.25.103"
PATIENT = {
    "PatientID": "S24-987654",
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "19510223",
    "PatientSex": "F",
}
"""Whom the slide is of: what no pseudonymised export may tell."""


def write_dicom_series(
    folder: Path, levels: Sequence[RGB], mpp: float = 0.25, icc_profile: bytes | None = None
) -> Path:
    """Write the levels, the finest first; returns its file."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, level in enumerate(levels):
        factor = levels[0].shape[1] / level.shape[1]
        image = _image(level, index, mpp * factor, icc_profile)
        image.save_as(folder / f"level_{index}.dcm", enforce_file_format=True)
    return folder / "level_0.dcm"


def _image(level: RGB, index: int, mpp: float, icc_profile: bytes | None) -> Dataset:
    height, width = level.shape[:2]
    image = _header(index)
    image.ImageType = ["ORIGINAL" if index == 0 else "DERIVED", "PRIMARY", "VOLUME", "NONE"]
    image.Rows = image.Columns = TILE_PX
    image.TotalPixelMatrixColumns, image.TotalPixelMatrixRows = width, height
    image.TotalPixelMatrixFocalPlanes = 1
    tiles = _tiles(level)
    image.NumberOfFrames = len(tiles)
    image.ImagedVolumeWidth, image.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    image.ImagedVolumeDepth = 0.001
    measures = _items(PixelSpacing=[mpp / 1000, mpp / 1000], SliceThickness=0.001)
    shared = _items(PixelMeasuresSequence=measures)
    image.SharedFunctionalGroupsSequence = shared
    if icc_profile:
        image.OpticalPathSequence[0].ICCProfile = icc_profile
    image.PixelData = tiles.tobytes()
    image["PixelData"].VR = "OB"
    return image


def _header(index: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.11{index}")
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, FRAME
    for keyword, value in PATIENT.items():
        setattr(image, keyword, value)
    image.AccessionNumber, image.StudyID = "A-77", "1"
    image.StudyDate, image.StudyTime = "20260102", "101112"
    image.ReferringPhysicianName = ""
    image.Modality, image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "SM", "Test", 1, index + 1
    image.ContainerIdentifier = "S24-987654-A"
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.LossyImageCompression, image.VolumetricProperties = "00", "VOLUME"
    image.SpecimenLabelInImage, image.FocusMethod, image.ExtendedDepthOfField = "NO", "AUTO", "NO"
    image.DimensionOrganizationType = "TILED_FULL"
    image.TotalPixelMatrixOriginSequence = _items(
        XOffsetInSlideCoordinateSystem=20.0, YOffsetInSlideCoordinateSystem=40.0
    )
    image.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    image.OpticalPathSequence = _items(OpticalPathIdentifier="1")
    image.NumberOfOpticalPaths = 1
    return image


def _items(**attributes: Any) -> pydicom.Sequence:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return pydicom.Sequence([item])


def _tiles(level: RGB) -> RGB:
    """Cut a level into whole tiles, row by row, filled up with white."""
    rows, columns = -(-level.shape[0] // TILE_PX), -(-level.shape[1] // TILE_PX)
    padded = np.full((rows * TILE_PX, columns * TILE_PX, 3), 255, np.uint8)
    padded[: level.shape[0], : level.shape[1]] = level
    grid = padded.reshape(rows, TILE_PX, columns, TILE_PX, 3).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(-1, TILE_PX, TILE_PX, 3))
