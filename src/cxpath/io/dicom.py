"""Cells as DICOM Microscopy Bulk Simple Annotations, read back, and the image that they refer to.

Writing takes highdicom, an extra; reading takes pydicom alone. Places are those of DICOM PS3.3 C.37.1.2 with
coordinate type 2D: column and row of the total pixel matrix, origin at the top left corner of its top left
pixel, which is cxpath's own frame.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from cxpath import __version__
from cxpath.data import (
    CELLS_SCHEMA,
    COLUMNS,
    CellTable,
    CellTableFacts,
    Kind,
    Subkind,
    import_extra,
    staining_codes,
)
from cxpath.errors import CellsFileError, MissingFileError, OutputError
from cxpath.io.atomic import atomic_write
from cxpath.io.cell_classes import COLOURS

EXTRA = "dicom"
DICOM_FORM = "DICOM annotations"
MANUFACTURER = "cxpath"

# Codes. SNOMED CT, DCM and UCUM codes are only those of the DICOM standard's own value sets (PS3.16, CID
# 7150, 7162 and 8131), as pydicom lists them; whatever these do not name has a code of cxpath's own scheme.


SCHEME = "99CXPATH"
"""Private coding scheme; PS3.16 section 8 lets designators that begin with 99 be used privately."""

ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
IMMUNOHISTOCHEMISTRY = Code("117617002", "SCT", "Immunohistochemistry")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
MICROMETRE = Code("um", "UCUM", "micrometer")
NO_UNITS = Code("1", "UCUM", "no units")
PER_CENT = Code("%", "UCUM", "Percent")


def own_code(value: str, meaning: str) -> Code:
    """Return a code of cxpath's own scheme; values of at most 16 characters fit every reader."""
    return Code(value, SCHEME, meaning)


_MEASUREMENTS: dict[str, tuple[Code, Code]] = {
    "p_tumour": (own_code("p_tumour", "Probability of a tumour cell"), NO_UNITS),
    "p_immune": (own_code("p_immune", "Probability of a lymphocyte or macrophage"), NO_UNITS),
    "p_other": (own_code("p_other", "Probability of another cell"), NO_UNITS),
    "stained": (own_code("stained", "Probability of being stained"), NO_UNITS),
    "dab_membrane_od": (own_code("dab_membrane", "Optical density of DAB, membrane"), NO_UNITS),
    "dab_cytoplasm_od": (own_code("dab_cytoplasm", "Optical density of DAB, cytoplasm"), NO_UNITS),
    "membrane_completeness": (own_code("completeness", "Share of the membrane that is stained"), NO_UNITS),
    "hematoxylin_od": (own_code("hematoxylin", "Optical density of haematoxylin"), NO_UNITS),
    "diameter_um": (own_code("diameter", "Diameter"), MICROMETRE),
    "region": (
        own_code("region", "Tissue region: 0 unknown, 1 nest, 2 stroma, 3 necrosis, 4 benign"),
        NO_UNITS,
    ),
    "tile": (own_code("tile", "Number of the tile"), NO_UNITS),
}
_ROW = own_code("row", "Number of the cell in the table")
_MOST_CELLS = 1 << 24
"""Whole numbers that a 32-bit measurement can state exactly."""

_STAINING = ("unknown", "negative", "positive")
_VL_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_BULK_ANNOTATIONS = "1.2.840.10008.5.1.4.1.1.91.1"
_BLOCK, _FACTS_ELEMENT, _TABLE_ELEMENT = 0x0099, 0x01, 0x02
_HINT = "give the annotations of cxpath export --format dicom"


# The image that results refer to: of a DICOM series, or one that stands for a slide of another format.


_IDENTIFYING = {
    "PatientID": "",
    "PatientName": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "AccessionNumber": "",
    "StudyID": "",
    "StudyDate": "",
    "StudyTime": "",
    "ReferringPhysicianName": "",
}
"""Attributes that DICOM wants in every object, and that may be empty (type 2)."""


def derived_uid(*words: str) -> str:
    """Return a UID that follows from words: a UUID under 2.25 (PS3.5 section B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, '/'.join(('cxpath', *words))).int}"


def new_uid() -> str:
    """Return a UID that nobody else has."""
    return f"2.25.{uuid.uuid4().int}"


def image_of_digest(digest: str, patient_id: str) -> Dataset:
    """Return what a slide that is no DICOM, or must not be identified, would be as a DICOM image.

    Its UIDs are new, and the same at every export of the slide, so that all that is exported of it belongs
    together. Nothing is known of the patient but the pseudonym.
    """
    image = Dataset()
    image.SOPClassUID = _VL_WHOLE_SLIDE
    image.Modality = "SM"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        setattr(image, keyword, derived_uid(keyword, digest))
    for keyword, value in (_IDENTIFYING | {"PatientID": patient_id}).items():
        setattr(image, keyword, value)
    image.SpecificCharacterSet = "ISO_IR 192"
    return image


def image_of_series(files: Iterable[Path]) -> Dataset:
    """Return the header of the full-size image of a whole-slide series: the largest of type VOLUME.

    Raises
    ------
    ValueError
        When there is none among the files.
    """
    largest, size = None, 0
    for file in files:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        volume = "VOLUME" in header.get("ImageType", ())
        columns, rows = header.get("TotalPixelMatrixColumns", 0), header.get("TotalPixelMatrixRows", 0)
        if volume and header.SOPClassUID == _VL_WHOLE_SLIDE and columns * rows > size:
            largest, size = header, columns * rows
    if largest is None:
        raise ValueError("the series has no whole-slide image of type VOLUME")
    for keyword, value in _IDENTIFYING.items():
        if keyword not in largest:
            setattr(largest, keyword, value)
    return largest


# Writing.


@dataclass(frozen=True)
class Maker:
    """Who found the cells.

    Parameters
    ----------
    algorithm : str
        Name of the model, or what is known of cells from a file.
    version : str
        Of the model; "not stated" where nobody said it.
    digest : str
        SHA-256 of the weights; empty for cells from a file.
    automatic : bool
        Whether a network found them alone.
    """

    algorithm: str
    version: str
    digest: str
    automatic: bool = True

    @property
    def serial_number(self) -> str:
        """What DICOM asks a device's serial number for: which weights they were."""
        return self.digest or "none"


def write_annotations(cells: CellTable, path: Path, image: Dataset, maker: Maker, marker: str) -> None:
    """Write the cells as points, one group for each class and staining, with all their measurements.

    Raises
    ------
    MissingExtraError
        Without highdicom.
    OutputError
        When there is no cell or there are too many, or the file cannot be written.
    """
    import_extra("highdicom", EXTRA)
    from highdicom.ann import MicroscopyBulkSimpleAnnotations  # noqa: PLC0415  # an extra

    if not 0 < len(cells) <= _MOST_CELLS:
        raise OutputError(
            f"{path}: {len(cells)} cells cannot be bulk annotations", "at least 1, at most 16,777,216"
        )
    groups = list(_groups(cells, maker, marker))
    found = MicroscopyBulkSimpleAnnotations(
        source_images=[image],
        annotation_coordinate_type="2D",
        annotation_groups=groups,
        series_instance_uid=new_uid(),
        series_number=1,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=maker.algorithm[:64],
        software_versions=__version__,
        device_serial_number=maker.serial_number,
        content_label="CXPATH_CELLS",
        content_description="Cells by class. For Research Use Only.",
        series_description="cxpath: cells by class, research use only",
    )
    found.Laterality = None  # asked for unless it is known that the organ is not paired
    add_coding_scheme(found)
    block = found.private_block(_BLOCK, MANUFACTURER, create=True)
    block.add_new(_FACTS_ELEMENT, "UT", json.dumps(asdict(cells.facts), sort_keys=True))
    block.add_new(_TABLE_ELEMENT, "LO", CELLS_SCHEMA)
    save(found, path)


def add_coding_scheme(found: Dataset) -> None:
    """Say whose the private codes are (PS3.3 C.12.1.1.1)."""
    scheme = Dataset()
    scheme.CodingSchemeDesignator = SCHEME
    scheme.CodingSchemeName = "Codes of cxpath"
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    found.CodingSchemeIdentificationSequence = [scheme]


def save(found: Dataset, path: Path) -> None:
    """Write a DICOM file, whole or not at all."""
    with atomic_write(path) as partial:
        found.save_as(partial, enforce_file_format=True)


def algorithm_of(maker: Maker) -> Any:
    """Return the algorithm identification of a maker for highdicom."""
    from highdicom import AlgorithmIdentificationSequence  # noqa: PLC0415  # an extra

    parameters = {"weights": f"sha256:{maker.digest}"} if maker.digest else None
    return AlgorithmIdentificationSequence(
        maker.algorithm[:64], ARTIFICIAL_INTELLIGENCE, maker.version[:64], MANUFACTURER, parameters
    )


def _groups(cells: CellTable, maker: Maker, marker: str) -> Iterator[Any]:
    from highdicom.ann import AnnotationGroup  # noqa: PLC0415  # an extra
    from highdicom.color import CIELabColor  # noqa: PLC0415

    codes = _class_codes(cells)
    rows_by_code = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[rows_by_code], prepend=-1))
    for number, rows in enumerate(np.split(rows_by_code, starts[1:]), start=1):
        kind, subkind, staining = _parts_of(int(codes[rows[0]]))
        meaning = _meaning(kind, subkind, staining, marker)
        yield AnnotationGroup(
            number=number,
            uid=new_uid(),
            label=meaning,
            annotated_property_category=ANATOMICAL_STRUCTURE,
            annotated_property_type=own_code(_class_code(kind, subkind, staining), meaning),
            graphic_type="POINT",
            graphic_data=list(np.column_stack([cells.x_px[rows], cells.y_px[rows]])[:, None, :]),
            algorithm_type="AUTOMATIC" if maker.automatic else "SEMIAUTOMATIC",
            algorithm_identification=algorithm_of(maker),
            measurements=list(_measurements(cells.take(rows), rows)),
            display_color=CIELabColor.from_rgb(*COLOURS[kind, staining == 2]),
        )


def _class_codes(cells: CellTable) -> NDArray[np.int64]:
    """Return one number for kind, subkind and staining of each cell."""
    threshold = cells.facts.stained_threshold
    staining = np.zeros(len(cells), np.int64)
    if threshold is not None:
        staining = staining_codes(cells.stained, threshold).astype(np.int64) + 1
    return (cells.kind.astype(np.int64) * len(Subkind) + cells.subkind) * len(_STAINING) + staining


def _parts_of(code: int) -> tuple[Kind, Subkind, int]:
    finer, staining = divmod(code, len(_STAINING))
    kind, subkind = divmod(finer, len(Subkind))
    return Kind(kind), Subkind(subkind), staining


def _class_code(kind: Kind, subkind: Subkind, staining: int) -> str:
    return f"class-{kind}-{subkind}-{staining}"


def _meaning(kind: Kind, subkind: Subkind, staining: int, marker: str) -> str:
    of_kind = {Kind.TUMOUR: "tumour cell", Kind.IMMUNE: "immune cell", Kind.OTHER: "other cell"}[kind]
    name = of_kind if subkind == Subkind.UNKNOWN else subkind.name.lower().replace("_", " ")
    return f"{name.capitalize()}, {marker} {_STAINING[staining]}"


def _measurements(cells: CellTable, rows: NDArray[np.int64]) -> Iterator[Any]:
    """Yield what is known of the cells of one group; a column of which nothing is known is left out."""
    from highdicom.ann import Measurements  # noqa: PLC0415  # an extra

    yield Measurements(_ROW, rows.astype(np.float32), NO_UNITS)
    for name, (code, unit) in _MEASUREMENTS.items():
        values = getattr(cells, name).astype(np.float32)
        if not np.isnan(values).all():
            yield Measurements(code, values, unit)


# Reading.


def read_annotations(path: Path) -> CellTable:
    """Read the cells that `write_annotations` wrote, every value and their order as they were.

    Raises
    ------
    MissingFileError, CellsFileError
        When there is no such file; when it is damaged, or contains no annotations or those of another
        program.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", "check the path")
    try:
        found = pydicom.dcmread(path)
    except Exception as error:  # pydicom raises all kinds at damaged files
        raise CellsFileError(f"{path}: not a readable DICOM file", _HINT) from error
    if found.get("SOPClassUID") != _BULK_ANNOTATIONS:
        name = UID(str(found.get("SOPClassUID", ""))).name or "of no stated class"
        raise CellsFileError(f"{path}: a DICOM file of another kind: {name}", _HINT)
    try:
        return _table(found)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise CellsFileError(f"{path}: not annotations that cxpath wrote, or damaged", _HINT) from error


def _table(found: Dataset) -> CellTable:
    facts = _facts(json.loads(found.private_block(_BLOCK, MANUFACTURER)[_FACTS_ELEMENT].value))
    parts = [_columns(group) for group in found.AnnotationGroupSequence]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in (*COLUMNS, "row")}
    rows = columns.pop("row")
    if not np.array_equal(np.sort(rows), np.arange(len(rows))):
        raise ValueError("rows are missing or there twice")
    order = np.argsort(rows)
    return CellTable(facts, **{name: values[order].astype(COLUMNS[name]) for name, values in columns.items()})


def _columns(group: Dataset) -> dict[str, NDArray[Any]]:
    """Return the columns of one group, and `row`."""
    number = int(group.NumberOfAnnotations)
    places = np.frombuffer(group.DoublePointCoordinatesData, np.float64).reshape(number, 2)
    (own,) = group.AnnotationPropertyTypeCodeSequence
    kind, subkind = (int(part) for part in str(own.CodeValue).split("-")[1:3])
    measured = {name_of(one): _values(one, number) for one in group.MeasurementsSequence}
    unknown = np.full(number, np.nan, np.float32)
    columns = {name: measured.get(code.value, unknown) for name, (code, _) in _MEASUREMENTS.items()}
    return columns | {
        "row": measured[_ROW.value].astype(np.int64),
        "x_px": places[:, 0],
        "y_px": places[:, 1],
        "kind": np.full(number, Kind(kind), np.uint8),
        "subkind": np.full(number, Subkind(subkind), np.uint8),
    }


def name_of(measurement: Dataset) -> str:
    """Return the code of a measurement; empty where it is not of cxpath's scheme."""
    (name,) = measurement.ConceptNameCodeSequence
    return str(name.CodeValue) if name.CodingSchemeDesignator == SCHEME else ""


def _values(measurement: Dataset, number: int) -> NDArray[np.float32]:
    (held,) = measurement.MeasurementValuesSequence
    values = np.frombuffer(held.FloatingPointValues, np.float32)
    if "AnnotationIndexList" not in held:
        if len(values) != number:
            raise ValueError("a measurement has another number of values than there are cells")
        return values
    complete = np.full(number, np.nan, np.float32)
    complete[np.frombuffer(held.AnnotationIndexList, np.int32) - 1] = values
    return complete


def _facts(stated: Mapping[str, Any]) -> CellTableFacts:
    known = {field.name for field in fields(CellTableFacts)}
    given = {name: value for name, value in stated.items() if name in known}
    given["stain_vectors"] = tuple(_colour(vector) for vector in given["stain_vectors"])
    given["white_point"] = _colour(given["white_point"])
    facts = CellTableFacts(**given)
    if facts.schema != CELLS_SCHEMA or not 0 < facts.mpp < float("inf"):
        raise ValueError("the facts are not those of a table of cells")
    return facts


def _colour(numbers: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = (float(number) for number in numbers)
    return first, second, third
