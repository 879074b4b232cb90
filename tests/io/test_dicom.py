from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from cxpath.data.cells import CellTable, CellTableFacts, Kind, Subkind
from cxpath.errors import CellsFileError, MissingFileError, OutputError
from cxpath.io.dicom import (
    Maker,
    derived_uid,
    image_of_digest,
    image_of_series,
    new_uid,
    read_annotations,
    write_annotations,
)
from cxpath.io.foreign_cells import is_dicom
from tests.dicom_validator import dicom_errors
from tests.slide.dicom_slides import FRAME, PATIENT, SERIES, STUDY, write_dicom_series
from tests.slide.synthetic_slides import block_mean, speckle

highdicom = pytest.importorskip("highdicom", reason="the extra dicom is not installed")

MAKER = Maker("small", "1.2", "cd" * 32)


@pytest.fixture
def cells() -> CellTable:
    return CellTable.from_columns(
        CellTableFacts(mpp=0.25, width_px=4000, height_px=3000, stained_threshold=0.4),
        x_px=[100.125, 7.5, 220.5, 3999.5],
        y_px=[40.0, 8.0, 80.75, 2999.5],
        kind=[Kind.TUMOUR, Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER],
        subkind=[Subkind.UNKNOWN, Subkind.UNKNOWN, Subkind.LYMPHOCYTE, Subkind.PLASMA],
        stained=[0.4, 0.39, 0.9, np.nan],
        diameter_um=[9.0, np.nan, 6.0, 7.0],
        tile=[0, 1, 1, 2],
    )


@pytest.fixture
def written(cells: CellTable, tmp_path: Path) -> Path:
    path = tmp_path / "cells.dcm"
    write_annotations(cells, path, image_of_digest("ab" * 32, "slide-0123"), MAKER, "PD-L1")
    return path


def test_highdicom_reads_points_classes_and_measurements(written: Path) -> None:
    found = highdicom.ann.annread(written)
    assert found.AnnotationCoordinateType == "2D"
    assert found.PixelOriginInterpretation == "VOLUME"
    groups = {group.label: group for group in found.get_annotation_groups()}
    assert sorted(groups) == [
        "Lymphocyte, PD-L1 positive",
        "Plasma, PD-L1 unknown",
        "Tumour cell, PD-L1 negative",
        "Tumour cell, PD-L1 positive",
    ]
    positive = groups["Tumour cell, PD-L1 positive"]
    np.testing.assert_array_equal(positive.get_graphic_data("2D"), [[[100.125, 40.0]]])
    assert positive.algorithm_type.value == "AUTOMATIC"
    assert positive.annotated_property_category.value == "91723000"
    assert positive.annotated_property_type.scheme_designator == "99CXPATH"
    algorithm = positive.AnnotationGroupAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("small", "1.2")
    names, values, units = positive.get_measurements()
    measured = dict(zip((name.value for name in names), values[0], strict=True))
    assert measured["diameter"] == 9.0
    assert measured["stained"] == np.float32(0.4)
    assert {unit.value for unit in units} == {"1", "um"}


def test_a_measurement_of_which_nothing_is_known_is_left_out(written: Path) -> None:
    (negative,) = (
        group
        for group in highdicom.ann.annread(written).get_annotation_groups()
        if group.label == "Tumour cell, PD-L1 negative"
    )
    names, _, _ = negative.get_measurements()
    assert "diameter" not in {name.value for name in names}


def test_the_validator_finds_no_error(written: Path) -> None:
    assert dicom_errors(written) == []


def test_the_order_of_cells_is_kept(written: Path, cells: CellTable) -> None:
    assert read_annotations(written) == cells


def test_cells_of_a_file_are_not_called_a_networks(cells: CellTable, tmp_path: Path) -> None:
    maker = Maker("cells from a file: QuPath GeoJSON", "not stated", "", automatic=False)
    write_annotations(cells, tmp_path / "a.dcm", image_of_digest("ab" * 32, "slide-1"), maker, "PD-L1")
    groups = pydicom.dcmread(tmp_path / "a.dcm").AnnotationGroupSequence
    (kind,) = {group.AnnotationGroupGenerationType for group in groups}
    assert kind == "SEMIAUTOMATIC"


def test_no_cell_is_no_annotation(cells: CellTable, tmp_path: Path) -> None:
    none = cells.take(np.zeros(4, dtype=bool))
    with pytest.raises(OutputError, match="0 cells cannot be bulk annotations"):
        write_annotations(none, tmp_path / "a.dcm", image_of_digest("", "slide-1"), MAKER, "PD-L1")
    assert list(tmp_path.iterdir()) == []


def test_a_slide_of_another_format_gets_new_uids_that_stay(cells: CellTable) -> None:
    first, again = (image_of_digest("ab" * 32, "slide-1") for _ in range(2))
    assert first.StudyInstanceUID == again.StudyInstanceUID
    assert first.StudyInstanceUID != image_of_digest("cd" * 32, "slide-1").StudyInstanceUID
    assert first.StudyInstanceUID != first.SeriesInstanceUID
    assert first.PatientID == "slide-1"
    assert first.PatientName == ""
    assert pydicom.uid.UID(first.SOPInstanceUID).is_valid
    assert len(derived_uid("a")) <= 64
    assert new_uid() != new_uid()


def test_the_full_size_image_of_a_series_is_found(tmp_path: Path) -> None:
    picture = speckle(300, 500)
    write_dicom_series(tmp_path, [picture, block_mean(picture, 4)])
    image = image_of_series(sorted(tmp_path.iterdir(), reverse=True))
    assert (image.TotalPixelMatrixColumns, image.TotalPixelMatrixRows) == (500, 300)
    assert (image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID) == (
        STUDY,
        SERIES,
        FRAME,
    )
    assert "PixelData" not in image


def test_annotations_of_a_series_are_filed_with_it(cells: CellTable, tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "series", [speckle(300, 500)])
    image = image_of_series((tmp_path / "series").iterdir())
    write_annotations(cells, tmp_path / "a.dcm", image, MAKER, "PD-L1")
    found = pydicom.dcmread(tmp_path / "a.dcm")
    assert found.StudyInstanceUID == STUDY
    assert found.SeriesInstanceUID != SERIES
    assert str(found.PatientName) == PATIENT["PatientName"]
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert dicom_errors(tmp_path / "a.dcm") == []


def test_a_series_without_a_whole_slide_image_is_named(tmp_path: Path, written: Path) -> None:
    with pytest.raises(ValueError, match="no whole-slide image of type VOLUME"):
        image_of_series([written])


def test_files_of_another_kind_are_refused(tmp_path: Path, written: Path) -> None:
    with pytest.raises(MissingFileError):
        read_annotations(tmp_path / "none.dcm")
    slide = write_dicom_series(tmp_path / "series", [speckle(64, 64)])
    assert is_dicom(slide)
    with pytest.raises(CellsFileError, match="another kind: VL Whole Slide Microscopy Image Storage"):
        read_annotations(slide)
    text = tmp_path / "a.txt"
    text.write_text("x")
    assert not is_dicom(text)
    with pytest.raises(CellsFileError, match="not a readable DICOM file"):
        read_annotations(text)


@pytest.mark.parametrize("spoil", ["facts", "row", "places", "class"])
def test_annotations_that_cxpath_did_not_write_are_refused(written: Path, spoil: str) -> None:
    found = pydicom.dcmread(written)
    group = found.AnnotationGroupSequence[0]
    match spoil:
        case "facts":
            del found[0x0099, 0x0010]
        case "row":
            del group.MeasurementsSequence[0]
        case "places":
            group.DoublePointCoordinatesData = group.DoublePointCoordinatesData[:-8]
        case "class":
            group.AnnotationPropertyTypeCodeSequence[0].CodeValue = "4421005"
    found.save_as(written)
    with pytest.raises(CellsFileError, match="not annotations that cxpath wrote, or damaged"):
        read_annotations(written)
