"""A result for other programs: a DICOM structured report (TID 1500), and an overlay for QuPath.

Needs highdicom, an extra. SNOMED CT, DCM and UCUM codes are those that DICOM's own value sets name; LOINC
83053-9 for the TPS is the one of `configs/fhir/codes.toml`. No public code of a numeric CPS was found: it
has a code of cxpath's scheme, as has all that is cxpath's own.

One gzipped GeoJSON of annotations, made from the results folder alone. Positions are in QuPath's image, which
is cropped to the scanned bounds of a slide.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cxpath import __version__
from cxpath.data import RESEARCH_USE
from cxpath.documents import Estimate, FieldEntry, RunFolder, ScoreDocument, Signature
from cxpath.errors import DocumentError
from cxpath.io import (
    ARTIFICIAL_INTELLIGENCE,
    IMMUNOHISTOCHEMISTRY,
    MANUFACTURER,
    NO_UNITS,
    PER_CENT,
    Bounds,
    Maker,
    add_coding_scheme,
    atomic_write,
    derived_uid,
    new_uid,
    own_code,
    to_qupath_frame,
)
from cxpath.io.dicom import save
from cxpath.scores import OTHER_SCORES, Decision

if TYPE_CHECKING:
    from highdicom.sr import (
        AlgorithmIdentification,
        Measurement,
        MeasurementReport,
        ObservationContext,
        QualitativeEvaluation,
    )

# The DICOM report: scores, counts, verdicts, algorithm, observers.


_PERSON, _DEVICE = Code("121006", "DCM", "Person"), Code("121007", "DCM", "Device")
_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
_CELLS = Code("{cells}", "UCUM", "cells")
_LONGEST_MEANING = 64
"""Letters of a code's meaning (PS3.5, LO)."""

CPS = own_code("cps", "Combined positive score")
TPS = Code("83053-9", "LN", "PD-L1 tumor proportion score")
AUDITED_CPS = own_code("cps_audited", "Combined positive score, audited")
EDITED_CPS = own_code("cps_edited", "Combined positive score, edited")
SIGNED_CPS = own_code("cps_signed", "Combined positive score, signed")
COUNTS = {
    "tumour_positive": "Viable tumour cells, positive",
    "tumour_negative": "Viable tumour cells, negative",
    "immune_positive": "Lymphocytes and macrophages, positive",
    "immune_negative": "Lymphocytes and macrophages, negative",
    "immune_positive_not_associated": "Positive immune cells away from tumour",
    "other": "Other cells",
}
_DECISIONS = {
    Decision.MET: own_code("met", "Met"),
    Decision.NOT_MET: own_code("not_met", "Not met"),
    Decision.UNCERTAIN: own_code("uncertain", "Uncertain"),
}


def write_report(score: ScoreDocument, path: Path, image: Dataset, maker: Maker) -> None:
    """Write the report of a scored slide; one that is not evaluable says so and why.

    The person who signed a review of the result is an observer besides the device; cut-offs are those of the
    score that decides: audited, else edited, else the network's.

    Parameters
    ----------
    score : ScoreDocument
    path : Path
    image : Dataset
        What the report refers to; patient and study are taken from it.
    maker : Maker
        Who found the cells.
    """
    from highdicom.sr import ComprehensiveSR  # noqa: PLC0415  # an extra

    found = ComprehensiveSR(
        evidence=[image],
        content=_content(score, image, maker)[0],
        series_instance_uid=new_uid(),
        series_number=2,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=maker.algorithm[:_LONGEST_MEANING],
        software_versions=__version__,
        device_serial_number=maker.serial_number,
        is_complete=score.evaluable,
        series_description="cxpath: score of the slide, research use only",
        specific_character_set="ISO_IR 192",
    )
    add_coding_scheme(found)
    save(found, path)


def _content(score: ScoreDocument, image: Dataset, maker: Maker) -> MeasurementReport:
    """Return the tree of the report: who observed, and one group of measurements of the slide."""
    from highdicom.sr import (  # noqa: PLC0415  # an extra
        MeasurementReport,
        MeasurementsAndQualitativeEvaluations,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    signature = score.review.signature if score.review else None
    source = SourceImageForMeasurementGroup(str(image.SOPClassUID), str(image.SOPInstanceUID))
    tracked = TrackingIdentifier(derived_uid("score", score.slide.digest), "Score of the slide")
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked,
        finding_type=own_code("score", f"{score.marker.upper()} score of the slide"),
        algorithm_id=_algorithm(maker),
        measurements=list(_measurements(score)),
        qualitative_evaluations=list(_evaluations(score, signature)),
        source_images=[source],
    )
    return MeasurementReport(
        observation_context=_observers(score, maker, signature),
        procedure_reported=IMMUNOHISTOCHEMISTRY,
        imaging_measurements=[group],
        title=_TITLE,
    )


def _algorithm(maker: Maker) -> AlgorithmIdentification:
    from highdicom.sr import AlgorithmIdentification  # noqa: PLC0415  # an extra

    weights = [f"weights sha256:{maker.digest}"] if maker.digest else None
    return AlgorithmIdentification(
        maker.algorithm, maker.version, parameters=weights, family=ARTIFICIAL_INTELLIGENCE
    )


def _observers(score: ScoreDocument, maker: Maker, signature: Signature | None) -> ObservationContext:
    from highdicom.sr import (  # noqa: PLC0415  # an extra
        CodedConcept,
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )

    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", __version__, maker.serial_number),
        name="cxpath",
        manufacturer_name=MANUFACTURER,
        model_name=maker.algorithm,
        serial_number=score.provenance.configuration_digest,
    )
    person = None
    if signature:
        # A printed name has no known parts: all of it stands as the family name.
        named = PersonObserverIdentifyingAttributes(name=f"{signature.name.replace('^', ' ')}^")
        person = ObserverContext(CodedConcept.from_code(_PERSON), named)
    return ObservationContext(
        observer_person_context=person,
        observer_device_context=ObserverContext(CodedConcept.from_code(_DEVICE), device),
    )


def _measurements(score: ScoreDocument) -> Iterator[Measurement]:
    from highdicom.sr import Measurement  # noqa: PLC0415  # an extra

    yield from _estimate(CPS, "cps", score.cps, NO_UNITS)
    yield from _estimate(TPS, "tps", score.tps, PER_CENT)
    if score.audited:
        yield Measurement(AUDITED_CPS, score.audited.cps, NO_UNITS)
        yield from _bounds("cps_audited", score.audited.interval_tissue, NO_UNITS)
    edited = score.review.edited if score.review else None
    yield from _estimate(EDITED_CPS, "cps_edited", edited.estimate if edited else None, NO_UNITS)
    signature = score.review.signature if score.review else None
    if signature and signature.cps is not None:
        yield Measurement(SIGNED_CPS, signature.cps, NO_UNITS)
    for key, known in OTHER_SCORES.items():
        value = getattr(score, key)
        if value is not None:
            yield Measurement(own_code(key, known.label), value, NO_UNITS)
    for key, words in COUNTS.items():
        if score.counts is not None:
            yield Measurement(own_code(_short(key), words), getattr(score.counts, key), _CELLS)


def _estimate(code: Code, key: str, estimate: Estimate | None, unit: Code) -> Iterator[Measurement]:
    from highdicom.sr import Measurement  # noqa: PLC0415  # an extra

    if estimate is not None:
        yield Measurement(code, estimate.value, unit)
        yield from _bounds(key, estimate.interval_tissue, unit)


def _bounds(key: str, interval: Sequence[float], unit: Code) -> Iterator[Measurement]:
    from highdicom.sr import Measurement  # noqa: PLC0415  # an extra

    for end, value in zip(("low", "high"), interval, strict=True):
        words = f"{key.replace('_', ' ').upper()}, {end} end of its interval"
        yield Measurement(own_code(f"{key}_{end}", words), value, unit)


def _short(key: str) -> str:
    """Return a code of at most 16 characters for a count."""
    return {"immune_positive_not_associated": "immune_pos_away"}.get(key, key)


def _evaluations(score: ScoreDocument, signature: Signature | None) -> Iterator[QualitativeEvaluation]:
    from highdicom.sr import QualitativeEvaluation  # noqa: PLC0415  # an extra

    yield _own("notice", "Notice", "research_use", RESEARCH_USE)
    yield _own("assay", "Assay", score.assay, score.assay.upper())
    yield _own("evaluable", "Evaluable", *(("yes", "Yes") if score.evaluable else ("no", "No")))
    for reason in score.not_evaluable_because:
        yield _own("not_evaluable", "Not evaluable because", reason.code.value, reason.text)
    deciding = score.deciding
    yield _own("basis", "Basis of the deciding CPS", deciding.basis.value, deciding.basis.words.capitalize())
    for text in deciding.not_evaluable_because if score.evaluable else ():
        yield _own("not_evaluable", "Not evaluable because", "review", text)
    for key, estimate in (("cps", deciding.estimate), ("tps", score.tps)):
        for cutoff, entry in estimate.decided if estimate else ():
            name = own_code(f"{key}_{cutoff:g}", f"{key.upper()} at least {cutoff:g}")
            yield QualitativeEvaluation(name, _DECISIONS[entry.decision])
    if signature:
        yield _own("signature", "Meaning of the signature", signature.meaning, signature.meaning.capitalize())
        yield _own("signed", "Signed at (UTC)", "time", signature.utc)


def _own(name: str, words: str, value: str, meaning: str) -> QualitativeEvaluation:
    """Return an evaluation in cxpath's own codes; a longer meaning is shortened, which the dots show."""
    from highdicom.sr import QualitativeEvaluation  # noqa: PLC0415  # an extra

    fits = len(meaning) <= _LONGEST_MEANING
    shown = meaning if fits else f"{meaning[: _LONGEST_MEANING - 3]}..."
    return QualitativeEvaluation(own_code(name, words), own_code(value, shown))


# What a result shows besides its cells, for QuPath: scored tissue, fields of the gallery, local scores.


OVERLAY_NAME = "overlay.geojson.gz"
OVERLAY_SCHEMA = "cxpath/qupath-overlay/1"

Feature = dict[str, Any]
Tiles = Mapping[str, NDArray[np.generic]]

_TISSUE = ("Scored tissue", (90, 90, 90))
_FIELD = ("Field", (0, 114, 178))
_LOCAL_CPS = (
    (0.0, "Local CPS 0", (190, 190, 190)),
    (1.0, "Local CPS below 1", (253, 208, 162)),
    (10.0, "Local CPS 1 to below 10", (253, 141, 60)),
    (float("inf"), "Local CPS 10 or more", (166, 54, 3)),
)
"""Class and colour of tiles whose local CPS is below the first number (at 0: equal to it)."""

_NAMESPACE = uuid.UUID("c4a1f0b4-6f5a-5d53-9a53-6b5d7e0a0c11")


def write_qupath_overlay(run: RunFolder, path: Path) -> int:
    """Write the overlay of a result and return its number of objects.

    Parameters
    ----------
    run : RunFolder
    path : Path
        Replaced as a whole; the same result gives the same bytes.

    Raises
    ------
    DocumentError
        When the result has no table of tiles.
    """
    features = list(overlay_features(run))
    document = {
        "type": "FeatureCollection",
        "cxpath": {
            "schema": OVERLAY_SCHEMA,
            "frame": "qupath",
            "frame_origin_px": list(run.run.slide.bounds_px[:2]),
            "slide_digest": run.score.slide.digest,
            "research_use": RESEARCH_USE,
        },
        "features": features,
    }
    content = json.dumps(document, separators=(",", ":")).encode("utf-8")
    with atomic_write(path) as partial:
        partial.write_bytes(gzip.compress(content, mtime=0))
    return len(features)


def overlay_features(run: RunFolder) -> Iterator[Feature]:
    """Yield the scored tissue, the fields and the tiles with tumour cells, in this order."""
    if run.tiles is None:
        raise DocumentError(f"{run.path}: no tiles.parquet", "score the slide again")
    bounds, digest = run.run.slide.bounds_px, run.score.slide.digest
    yield from _tissue(run.tiles, bounds, digest)
    yield from _fields(run.fields, run.score.slide.mpp, bounds, digest)
    yield from _local_scores(run.tiles, bounds, digest)


def _tissue(tiles: Tiles, bounds: Bounds, digest: str) -> Iterator[Feature]:
    """Yield the outline of all tiles that were read; to the tile, not to the tissue's edge."""
    read = np.asarray(tiles["excluded"]).astype(str) == ""
    if not read.any():
        return
    outline = shapely.union_all(_squares(tiles, read, bounds))
    yield _annotation(outline, _TISSUE, "scored tissue", f"{digest}/tissue", {})


def _fields(fields: Sequence[FieldEntry], mpp: float, bounds: Bounds, digest: str) -> Iterator[Feature]:
    for field in fields:
        left, top = to_qupath_frame(field.left_um / mpp, field.top_um / mpp, bounds)
        square = shapely.box(left, top, left + field.width_um / mpp, top + field.height_um / mpp)
        numbers = {} if field.local_cps is None else {"local CPS": field.local_cps}
        name = f"field {field.number}: {field.caption}"
        yield _annotation(square, _FIELD, name, f"{digest}/field/{field.number}", numbers)


def _local_scores(tiles: Tiles, bounds: Bounds, digest: str) -> Iterator[Feature]:
    positive, negative = (np.asarray(tiles[f"tumour_{sign}"], np.int64) for sign in ("positive", "negative"))
    tumour = positive + negative
    cps = np.asarray(tiles["cps"], dtype=np.float64)
    chosen = np.asarray((tumour > 0) & np.isfinite(cps))
    squares = _squares(tiles, chosen, bounds)
    rows = zip(np.flatnonzero(chosen).tolist(), squares, cps[chosen].tolist(), strict=True)
    for row, square, value in rows:
        numbers = {"local CPS": round(value, 3), "tumour cells": int(tumour[row])}
        yield _annotation(square, _class_of(value), None, f"{digest}/tile/{row}", numbers)


def _class_of(local_cps: float) -> tuple[str, tuple[int, int, int]]:
    """Return name and colour of a local CPS."""
    for below, name, colour in _LOCAL_CPS:
        if local_cps < below or local_cps == below == 0:
            return name, colour
    raise ValueError(f"a local CPS of {local_cps} has no class")


def _squares(tiles: Tiles, rows: NDArray[np.bool_], bounds: Bounds) -> NDArray[np.object_]:
    columns = (np.asarray(tiles[name], dtype=np.float64)[rows] for name in ("x_px", "y_px", "size_px"))
    x_px, y_px, side_px = columns
    left, top = to_qupath_frame(x_px, y_px, bounds)
    return np.asarray(shapely.box(left, top, left + side_px, top + side_px))


def _annotation(
    shape: BaseGeometry,
    classed: tuple[str, tuple[int, int, int]],
    name: str | None,
    identity: str,
    numbers: Mapping[str, float],
) -> Feature:
    properties: Feature = {
        "objectType": "annotation",
        "classification": {"name": classed[0], "color": list(classed[1])},
        "isLocked": True,
    }
    if name is not None:
        properties["name"] = name
    if numbers:
        properties["measurements"] = dict(numbers)
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, identity)),
        "geometry": mapping(shape),
        "properties": properties,
    }
