"""What else must be known before a drug is given (clinical brief 2.3); each a flag for the board.

Where the brief names no limit (LVEF, neutrophils, creatinine clearance, QTc, liver enzymes), a clinician
says yes or no by the limit of the house.
"""

from __future__ import annotations

from pydantic import Field

from cxpath.biomarkers.part import ProfilePart


class Comorbidities(ProfilePart):
    """Yes, no or unknown for each; three carry a number, because a limit for it is known."""

    autoimmune_disease: bool | None = None
    steroids_mg_per_day: float | None = Field(default=None, ge=0)
    """Prednisone equivalent."""
    solid_organ_transplant: bool | None = None
    allogeneic_stem_cell_transplant: bool | None = None
    lung_disease: bool | None = None
    """Interstitial lung disease or pneumonitis, now or before."""
    pregnancy: bool | None = None
    bowel_or_bladder_invasion: bool | None = None
    fistula: bool | None = None
    bleeding: bool | None = None
    """Bleeding, or a raised risk of it."""
    hypertension: bool | None = None
    proteinuria: bool | None = None
    days_since_surgery: int | None = Field(default=None, ge=0)
    venous_thromboembolism: bool | None = None
    ocular_surface_disease: bool | None = None
    """Active, or earlier cicatricial conjunctivitis or ocular Stevens-Johnson syndrome."""
    eye_examination_done: bool | None = None
    neuropathy_grade: int | None = Field(default=None, ge=0, le=4)
    lvef_reduced: bool | None = None
    neutropenia: bool | None = None
    creatinine_clearance_reduced: bool | None = None
    hearing_loss: bool | None = None
    qtc_prolonged: bool | None = None
    liver_enzymes_raised: bool | None = None
    central_nervous_symptoms: bool | None = None
