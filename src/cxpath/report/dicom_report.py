"""A slide's score as a DICOM structured report (TID 1500): scores, counts, verdicts, algorithm, observers.

Needs highdicom, an extra. SNOMED CT, DCM and UCUM codes are those that DICOM's own value sets name; LOINC
83053-9 for the TPS is the one of `configs/fhir/codes.toml`. No public code of a numeric CPS was found: it
has a code of cxpath's scheme, as has all that is cxpath's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from cxpath.data import RESEARCH_USE
from cxpath.documents import Estimate, ScoreDocument, Signature
from cxpath.io import (
    ARTIFICIAL_INTELLIGENCE,
    IMMUNOHISTOCHEMISTRY,
    MANUFACTURER,
    NO_UNITS,
    PER_CENT,
    Maker,
    add_coding_scheme,
    derived_uid,
    new_uid,
    own_code,
)
from cxpath.io.dicom import save
from cxpath.scores import OTHER_SCORES, Decision
from cxpath.version import __version__

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
    signature = score.review.signature if score.review else None
    source = SourceImageForMeasurementGroup(str(image.SOPClassUID), str(image.SOPInstanceUID))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            derived_uid("score", score.slide.digest), "Score of the slide"
        ),
        finding_type=own_code("score", f"{score.marker.upper()} score of the slide"),
        algorithm_id=AlgorithmIdentification(
            maker.algorithm,
            maker.version,
            parameters=[f"weights sha256:{maker.digest}"] if maker.digest else None,
            family=ARTIFICIAL_INTELLIGENCE,
        ),
        measurements=list(_measurements(score)),
        qualitative_evaluations=list(_evaluations(score, signature)),
        source_images=[source],
    )
    content = MeasurementReport(
        observation_context=_observers(score, maker, signature),
        procedure_reported=IMMUNOHISTOCHEMISTRY,
        imaging_measurements=[group],
        title=_TITLE,
    )
    found = ComprehensiveSR(
        evidence=[image],
        content=content[0],
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


def _observers(score: ScoreDocument, maker: Maker, signature: Signature | None) -> ObservationContext:
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
    if estimate is not None:
        yield Measurement(code, estimate.value, unit)
        yield from _bounds(key, estimate.interval_tissue, unit)


def _bounds(key: str, interval: Sequence[float], unit: Code) -> Iterator[Measurement]:
    for end, value in zip(("low", "high"), interval, strict=True):
        words = f"{key.replace('_', ' ').upper()}, {end} end of its interval"
        yield Measurement(own_code(f"{key}_{end}", words), value, unit)


def _short(key: str) -> str:
    """Return a code of at most 16 characters for a count."""
    return {"immune_positive_not_associated": "immune_pos_away"}.get(key, key)


def _evaluations(score: ScoreDocument, signature: Signature | None) -> Iterator[QualitativeEvaluation]:
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
    fits = len(meaning) <= _LONGEST_MEANING
    shown = meaning if fits else f"{meaning[: _LONGEST_MEANING - 3]}..."
    return QualitativeEvaluation(own_code(name, words), own_code(value, shown))
