"""A patient's profile: molecular findings, other diseases, and all parts together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, ValidationError

from cxpath.errors import ProfileError
from cxpath.patient.clinical import Clinical
from cxpath.patient.criteria import Jurisdiction
from cxpath.patient.fields import HScore, Interval, PlainName, ProfilePart
from cxpath.patient.hpv import P16, DerivedHpv, Hpv, derive_hpv
from cxpath.patient.pdl1 import Pdl1Score

# What else must be known before a drug is given (clinical brief 2.3); each a flag for the board.
#
# Where the brief names no limit (LVEF, neutrophils, creatinine clearance, QTc, liver enzymes), a clinician
# says yes or no by the limit of the house.


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
    severe_skin_reaction: bool | None = None
    """Stevens-Johnson syndrome or toxic epidermal necrolysis, now or before."""


# What sequencing and immunohistochemistry found besides PD-L1 and HPV, each with the test that found it.


class Finding(StrEnum):
    """Whether an alteration was found by a test that can find it; not tested is neither."""

    PRESENT = "present"
    ABSENT = "absent"


class Tmb(ProfilePart):
    """Tumour mutational burden as reported, with the assay: assays are not interchangeable."""

    value: float | None = Field(default=None, ge=0)
    """Mutations per megabase."""
    assay: PlainName = None
    """Such as f1cdx, msk-impact, tso500, or a cxpath preset (f1cdx_like)."""
    interval: Interval = None
    megabases: float | None = Field(default=None, gt=0)


class MsiStatus(StrEnum):
    """Microsatellite instability."""

    HIGH = "msi-h"
    LOW = "msi-l"
    STABLE = "mss"


class MmrStatus(StrEnum):
    """Mismatch repair by immunohistochemistry."""

    DEFICIENT = "deficient"
    PROFICIENT = "proficient"


class Msi(ProfilePart):
    """Microsatellites and mismatch repair, kept apart."""

    msi: MsiStatus | None = None
    mmr: MmrStatus | None = None
    fda_approved_test: bool | None = None

    @property
    def discordant(self) -> bool:
        """Whether both are known and disagree."""
        if self.msi is None or self.mmr is None:
            return False
        return (self.msi is MsiStatus.HIGH) != (self.mmr is MmrStatus.DEFICIENT)


class Her2Grade(StrEnum):
    """HER2 immunohistochemistry."""

    ZERO = "0"
    ONE = "1+"
    TWO = "2+"
    THREE = "3+"


class Specimen(StrEnum):
    """What was stained: the gastric thresholds of HER2 differ (brief 3.2)."""

    BIOPSY = "biopsy"
    RESECTION = "resection"


class Her2(ProfilePart):
    """HER2 as graded by a pathologist. An H-score is no grade."""

    ihc: Her2Grade | None = None
    specimen: Specimen | None = None
    scoring: PlainName = None
    """The scoring system: gastric (Hofmann, ASCO-CAP), endometrial, breast."""
    h_score: HScore = None


class Expression(ProfilePart):
    """EGFR or VEGF: reported, and no therapy follows."""

    h_score: HScore = None
    percent: float | None = Field(default=None, ge=0, le=100)
    method: str | None = None


class Alterations(ProfilePart):
    """Fusions and variants that a label names; `absent` only where the test could have found them."""

    ntrk_fusion: Finding | None = None
    ntrk_resistance_mutation: Finding | None = None
    ret_fusion: Finding | None = None
    braf_v600e: Finding | None = None
    method: str | None = None


# BiomarkerProfile: one patient's biomarkers and clinical facts, with the conflicts among them.


SCHEMA: Literal["cxpath/profile/1"] = "cxpath/profile/1"
HINT = "`cxpath therapy init` writes a template that explains every field"


class BiomarkerProfile(ProfilePart):
    """Everything is optional; what is not stated is unknown."""

    schema_name: Literal["cxpath/profile/1"] = SCHEMA
    case: str | None = None
    """A pseudonym; never a name or an accession number."""
    specimen: str | None = None
    """The block or sample that was tested, as the laboratory's pseudonym for it."""
    tumour: Literal["cervix"] = "cervix"
    jurisdictions: tuple[Jurisdiction, ...] = ()
    """Whose criteria the case is reviewed by: us, eu, jp, cn."""
    pdl1: tuple[Pdl1Score, ...] = ()
    hpv: Hpv = Hpv()
    p16: P16 = P16()
    tmb: Tmb = Tmb()
    msi: Msi = Msi()
    her2: Her2 = Her2()
    egfr: Expression = Expression()
    vegf: Expression = Expression()
    alterations: Alterations = Alterations()
    clinical: Clinical = Clinical()
    comorbidities: Comorbidities = Comorbidities()

    @property
    def hpv_class(self) -> DerivedHpv:
        """The tumour's HPV class, with its rule."""
        return derive_hpv(self.hpv, self.p16, self.clinical.histology)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """What in the profile contradicts itself."""
        return tuple(self._conflicts())

    def _conflicts(self) -> Iterator[str]:
        yield from self.hpv_class.conflicts
        if self.msi.discordant:
            yield f"microsatellites ({self.msi.msi}) and mismatch repair ({self.msi.mmr}) disagree"
        given = self.clinical.pelvic_radiotherapy
        if given and self.clinical.prior_pelvic_radiotherapy is False:
            yield "no pelvic radiotherapy is stated, but chemoradiation is in the history"
        for number, therapy in enumerate(self.clinical.therapies or (), start=1):
            yield from (f"earlier therapy {number}: {doubt}" for doubt in therapy.doubts)


def profile_from(stated: Mapping[str, Any], file: object = "profile") -> BiomarkerProfile:
    """Check what a profile file says.

    Parameters
    ----------
    stated : mapping
        As read from TOML or JSON.
    file : object
        Names the file in messages.

    Raises
    ------
    ProfileError
        With the path of the field, such as `clinical.therapies.1.purpose`.
    """
    content = {("schema_name" if key == "schema" else key): value for key, value in stated.items()}
    try:
        return BiomarkerProfile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "profile"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        said = first["msg"].removeprefix("Value error, ")
        raise ProfileError(f"{file}: {where}: {said}{more}", HINT) from error
