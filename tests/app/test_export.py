from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from cxpath.app.export import ExportFormat, export_results
from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.errors import DocumentError, MissingFileError, OutputError, UnreadableSlideError
from cxpath.io.cells import write_cells
from cxpath.io.dicom import read_annotations
from cxpath.io.foreign_cells import read_h5ad
from cxpath.slide.identity import slide_digest
from tests.cli.scored_folders import scored_folder
from tests.dicom_validator import dicom_errors
from tests.slide.dicom_slides import PATIENT, STUDY, write_dicom_series
from tests.slide.synthetic_slides import speckle
from tests.synthetic_cells import many

pytestmark = pytest.mark.filterwarnings(r"ignore:The '(future|mode)\..*' option")

pytest.importorskip("anndata", reason="the extra scverse is not installed")
highdicom = pytest.importorskip("highdicom", reason="the extra dicom is not installed")

BOTH = (ExportFormat.H5AD, ExportFormat.DICOM)
PLANTED = (*(word for word in PATIENT.values() if len(word) > 1), "Doe", "A-77")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return scored_folder(tmp_path / "S24-111", many({"T+": 30, "T-": 90, "L+": 12, "P-": 20}))


def test_both_forms_hold_the_cells_of_the_run(folder: Path, tmp_path: Path) -> None:
    done = export_results(folder, BOTH, tmp_path / "out")
    assert [path.name for path in done.files] == ["cells.h5ad", "cells.dcm", "score.dcm"]
    assert read_h5ad(done.files[0]) == read_annotations(done.files[1])
    assert len(read_annotations(done.files[1])) == 152
    assert "new UIDs that stand for the slide" in done.remarks[0]


def test_the_report_says_what_score_json_says(folder: Path) -> None:
    export_results(folder, (ExportFormat.DICOM,))
    stated = json.loads((folder / "score.json").read_text())
    numbers, words = _content(folder / "score.dcm")
    assert numbers["Combined positive score"] == pytest.approx(stated["cps"]["value"])
    assert numbers["PD-L1 tumor proportion score"] == pytest.approx(stated["tps"]["value"])
    assert numbers["CPS, low end of its interval"] == pytest.approx(stated["cps"]["interval_tissue"][0])
    assert numbers["Viable tumour cells, positive"] == 30
    assert numbers["Viable tumour cells, negative"] == 90
    assert numbers["Lymphocytes and macrophages, positive"] == 12
    assert words["Evaluable"] == "Yes"
    decision = stated["cps"]["cutoffs"]["1"]["decision"]
    assert words["CPS at least 1"].lower() == decision
    assert words["Notice"] == "For Research Use Only. Not for use in diagnostic procedures."
    assert words["Observer Type"] == "Device"


def test_the_report_names_algorithm_and_device(folder: Path) -> None:
    export_results(folder, (ExportFormat.DICOM,))
    run = json.loads((folder / "run.json").read_text())["model"]
    texts = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.get("TextValue")
        for item in _items(pydicom.dcmread(folder / "score.dcm"))
    }
    assert texts["Algorithm Name"] == run["name"]
    assert texts["Algorithm Version"] == run["version"]
    assert texts["Algorithm Parameters"] == f"weights sha256:{run['digest']}"
    assert texts["Device Observer Name"] == "cxpath"
    found = highdicom.sr.srread(folder / "score.dcm")
    (group,) = found.content.get_image_measurement_groups()
    assert group.source_images[0].referenced_sop_class_uid == "1.2.840.10008.5.1.4.1.1.77.1.6"


def test_the_validator_finds_no_error_in_either(folder: Path) -> None:
    done = export_results(folder, (ExportFormat.DICOM,))
    assert {path.name: dicom_errors(path) for path in done.files} == {"cells.dcm": [], "score.dcm": []}


def test_a_slide_that_is_not_evaluable_says_why(folder: Path) -> None:
    _change(folder / "score.json", evaluable=False, cps=None, tps=None)
    because = [{"code": "not_hdab", "text": "the colours are not those of haematoxylin and DAB, " * 3}]
    _change(folder / "score.json", not_evaluable_because=because)
    export_results(folder, (ExportFormat.DICOM,))
    numbers, words = _content(folder / "score.dcm")
    assert "Combined positive score" not in numbers
    assert words["Evaluable"] == "No"
    assert words["Not evaluable because"].startswith("the colours are not those")
    assert words["Not evaluable because"].endswith("...")
    assert dicom_errors(folder / "score.dcm") == []


def test_the_person_who_signed_is_an_observer(folder: Path) -> None:
    signature = {"name": "Zoë Müller, MD", "utc": "2026-11-30T12:00:00Z", "meaning": "approved", "cps": 12.5}
    state = {"edits": 0, "events": 2, "head_hash": "ab" * 32, "signature": signature}
    _change(folder / "score.json", review=state)
    export_results(folder, (ExportFormat.DICOM,))
    found = pydicom.dcmread(folder / "score.dcm")
    people = [str(item.PersonName) for item in _items(found) if item.ValueType == "PNAME"]
    assert people == ["Zoë Müller, MD^"]
    numbers, words = _content(folder / "score.dcm")
    assert words["Meaning of the signature"] == "Approved"
    assert numbers["Combined positive score, signed"] == 12.5
    assert found.VerificationFlag == "UNVERIFIED"
    assert dicom_errors(folder / "score.dcm") == []


def test_without_a_review_nobody_is_named(folder: Path) -> None:
    export_results(folder, (ExportFormat.DICOM,))
    assert not [item for item in _items(pydicom.dcmread(folder / "score.dcm")) if item.ValueType == "PNAME"]


def test_cutoffs_are_those_of_the_score_that_decides(folder: Path) -> None:
    estimate = json.loads((folder / "score.json").read_text())["cps"]
    lower = {"value": 0.4, "interval_slide": [0.3, 0.5], "interval_tissue": [0.2, 0.6], "reported": "0.4"}
    cutoffs = {
        key: entry | {"decision": "not met", "met": False} for key, entry in estimate["cutoffs"].items()
    }
    edited = {"estimate": estimate | lower | {"cutoffs": cutoffs}, "not_evaluable_because": [], "changed": 3}
    edited |= {"added": 0, "removed": 0, "reviewer": "Dr A"}
    state = {"edits": 3, "events": 2, "head_hash": "ab" * 32, "edited": edited}
    _change(folder / "score.json", review=state)
    export_results(folder, (ExportFormat.DICOM,))
    numbers, words = _content(folder / "score.dcm")
    assert words["CPS at least 1"] == "Not met"
    assert words["Basis of the deciding CPS"] == "After a person's edits"
    assert numbers["Combined positive score, edited"] == 0.4
    assert numbers["CPS EDITED, high end of its interval"] == 0.6
    assert numbers["Combined positive score"] == pytest.approx(estimate["value"])
    assert dicom_errors(folder / "score.dcm") == []


def test_files_refer_to_the_dicom_series_that_was_scored(folder: Path, tmp_path: Path) -> None:
    slide = _series_of(folder, tmp_path)
    done = export_results(folder, (ExportFormat.DICOM,), slide=slide)
    assert done.remarks == ()
    source = pydicom.dcmread(slide)
    for path in done.files:
        found = pydicom.dcmread(path)
        assert found.StudyInstanceUID == STUDY
        assert found.PatientID == PATIENT["PatientID"]
        assert dicom_errors(path) == []
    report = pydicom.dcmread(folder / "score.dcm")
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == source.SeriesInstanceUID
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID


def test_a_pseudonymised_result_tells_nothing_of_the_series(folder: Path, tmp_path: Path) -> None:
    slide = _series_of(folder, tmp_path, pseudonym=True)
    done = export_results(folder, (ExportFormat.DICOM,), slide=slide)
    assert "pseudonymised" in done.remarks[0]
    for path in done.files:
        found, content = pydicom.dcmread(path), path.read_bytes()
        assert found.PatientID == "slide-0123456789ab"
        assert found.PatientName == ""
        assert found.StudyInstanceUID != STUDY
        assert not [word for word in (*PLANTED, "S24-111", "level_0") if word.encode() in content]


def test_without_the_series_the_patient_is_a_pseudonym(folder: Path) -> None:
    export_results(folder, (ExportFormat.DICOM,))
    found = pydicom.dcmread(folder / "score.dcm")
    assert found.PatientID.startswith("slide-")
    assert len(found.PatientID) == 18
    assert b"S24-111" not in (folder / "score.dcm").read_bytes()


def test_another_slide_is_refused(folder: Path, tmp_path: Path) -> None:
    other = write_dicom_series(tmp_path / "other", [speckle(64, 64)])
    with pytest.raises(UnreadableSlideError, match="another slide than the one that was scored"):
        export_results(folder, (ExportFormat.DICOM,), slide=other)
    no_dicom = tmp_path / "a.svs"
    no_dicom.write_bytes(b"x" * 200)
    with pytest.raises(UnreadableSlideError, match="not a file of a DICOM series"):
        export_results(folder, (ExportFormat.DICOM,), slide=no_dicom)
    assert not (folder / "score.dcm").exists()


def test_earlier_files_stay_without_overwrite(folder: Path) -> None:
    export_results(folder, (ExportFormat.H5AD,))
    with pytest.raises(OutputError, match=r"cells.h5ad: is there already \(pass --overwrite"):
        export_results(folder, BOTH)
    assert not (folder / "score.dcm").exists()
    assert len(export_results(folder, BOTH, overwrite=True).files) == 3


def test_a_result_without_cells_gets_its_report(folder: Path) -> None:
    facts = CellTableFacts(mpp=0.5, width_px=100, height_px=100)
    write_cells(CellTable.from_columns(facts, x_px=np.zeros(0), y_px=np.zeros(0)), folder / "cells.parquet")
    done = export_results(folder, (ExportFormat.DICOM,))
    assert [path.name for path in done.files] == ["score.dcm"]
    assert "no cells" in done.remarks[1]


def test_a_folder_that_is_no_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        export_results(tmp_path / "none", BOTH)
    (tmp_path / "score.json").write_text("{}")
    with pytest.raises(DocumentError):
        export_results(tmp_path, BOTH)


def _series_of(folder: Path, tmp_path: Path, *, pseudonym: bool = False) -> Path:
    """Write a series and make the result one of it."""
    slide = write_dicom_series(tmp_path / "series", [speckle(300, 500)])
    name = "slide-0123456789ab.dcm" if pseudonym else "level_0.dcm"
    of_slide = {"name": name, "digest": slide_digest(slide, "dicom"), "width_px": 500, "height_px": 300}
    _change(folder / "score.json", slide=of_slide)
    _change(folder / "run.json", options={"pseudonym": pseudonym})
    return slide


def _change(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text())
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(document.get(key), dict)
        document[key] = document[key] | value if both else value
    path.write_text(json.dumps(document))


def _items(found: pydicom.Dataset) -> list[pydicom.Dataset]:
    """Return all content items of a report that have a name."""
    items = []
    for item in found.get("ContentSequence", ()):
        items += [item] if "ConceptNameCodeSequence" in item else []
        items += _items(item)
    return items


def _content(path: Path) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numbers and the coded answers of a report by their names."""
    numbers, words = {}, {}
    for item in _items(pydicom.dcmread(path)):
        name = item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "NUM":
            numbers[name] = float(item.MeasuredValueSequence[0].NumericValue)
        elif item.ValueType == "CODE":
            words[name] = item.ConceptCodeSequence[0].CodeMeaning
    return numbers, words
