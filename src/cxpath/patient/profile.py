"""A patient's profile: HPV, PD-L1, molecular findings, other diseases, and all parts together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from cxpath.errors import ProfileError
from cxpath.patient.clinical import Clinical, HScore, Interval, PlainName, ProfilePart, TestResult
from cxpath.patient.criteria import Jurisdiction
from cxpath.patient.tmb import exact_count_interval

# HPV: the direct test and p16 separately, the class that follows, and where they contradict each other.
#
# Rules: clinical brief 3.4. p16 is a surrogate and never fills in for a missing HPV test silently.

HIGH_RISK_TYPES = (16, 18, 31, 33, 35, 39, 45, 51, 52, 56, 58, 59, 66, 68)
"""Verified in public test descriptions (brief 3.4)."""

GASTRIC_TYPE = "gastric_type_adenocarcinoma"


class HpvMethod(StrEnum):
    """How HPV itself was looked for."""

    DNA_PCR = "dna_pcr"
    RNA = "rna"
    ISH = "ish"


class Hpv(ProfilePart):
    """A direct HPV test. p16 does not belong here."""

    method: HpvMethod | None = None
    result: TestResult | None = None
    types: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _types_go_with_a_positive(self) -> Hpv:
        if self.types and self.result is TestResult.NEGATIVE:
            raise ValueError("types are listed, but the result is negative")
        return self

    @property
    def direct(self) -> TestResult | None:
        """The result for high-risk HPV; listed types say it as well as the word does."""
        if any(kind in HIGH_RISK_TYPES for kind in self.types):
            return TestResult.POSITIVE
        return None if self.types else self.result


class P16(ProfilePart):
    """p16 immunohistochemistry; positive means diffuse block staining."""

    result: TestResult | None = None


class HpvClass(StrEnum):
    """The class of the tumour (WHO 2020)."""

    ASSOCIATED = "HPV-associated"
    INDEPENDENT = "HPV-independent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DerivedHpv:
    """The class, the rule that gave it, and every conflict."""

    derived: HpvClass
    rule: str
    conflicts: tuple[str, ...] = ()


def derive_hpv(hpv: Hpv, p16: P16, histology: str | None) -> DerivedHpv:
    """Return the HPV class of the tumour.

    Parameters
    ----------
    hpv : Hpv
    p16 : P16
    histology : str or None
        Gastric-type adenocarcinoma can be p16 positive without HPV (3 of 9; brief 3.4).
    """
    classes = {TestResult.POSITIVE: HpvClass.ASSOCIATED, TestResult.NEGATIVE: HpvClass.INDEPENDENT}
    conflicts = _conflicts(hpv.direct, p16.result, histology)
    if hpv.direct is not None:
        return DerivedHpv(classes[hpv.direct], f"direct HPV test {hpv.direct}", conflicts)
    if hpv.types:
        return DerivedHpv(HpvClass.UNKNOWN, "only types that are not high-risk were found", conflicts)
    if p16.result is not None and not conflicts:
        return DerivedHpv(classes[p16.result], f"p16 {p16.result} alone, a surrogate")
    return DerivedHpv(HpvClass.UNKNOWN, "no direct HPV test is known", conflicts)


def _conflicts(direct: TestResult | None, p16: TestResult | None, histology: str | None) -> tuple[str, ...]:
    found = []
    if direct is not None and p16 is not None and direct is not p16:
        found.append(f"the direct HPV test is {direct}, p16 is {p16}")
    if histology == GASTRIC_TYPE and p16 is TestResult.POSITIVE and direct is not TestResult.POSITIVE:
        found.append("p16 is positive in a gastric-type adenocarcinoma, which may be HPV-independent")
    if histology == GASTRIC_TYPE and direct is TestResult.POSITIVE:
        found.append("HPV was found in a gastric-type adenocarcinoma, a type listed as HPV-independent")
    return tuple(found)


# A PD-L1 score of the profile: by which assay, who confirmed it, and whether it lies near a cut-off.
#
# Does not know how a score was made, nor what follows from it.

ASSUMED_TUMOUR_CELLS = 1000
"""Where nobody says how many tumour cells were seen: at 1,000, CPS 1.0 may be 0.48 to 1.84 (brief 0.5)."""

REQUIRED_TUMOUR_CELLS = 100


_BASES = {
    "network": "by the network's cells",
    "edited": "by the network's cells after a person's edits",
    "audited": "audited by a person",
}


def names_a_person(name: str) -> bool:
    """Say whether a name has at least two letters: initials do, a lone sign or number does not."""
    return sum(letter.isalpha() for letter in name) >= 2


class ScoreKind(StrEnum):
    """Which score the number is."""

    CPS = "cps"
    TPS = "tps"
    NOT_STATED = "not_stated"
    """It counts for nothing: 20 may be a CPS or a TPS."""


class ScoreOrigin(StrEnum):
    """Where the number comes from."""

    CXPATH = "cxpath"
    READER = "reader"


def _require_within(value: float | None, interval: tuple[float, float] | None) -> None:
    """Refuse an interval that does not contain its own value: one of the two is of something else."""
    if value is not None and interval is not None and not interval[0] <= value <= interval[1]:
        raise ValueError(
            f"the interval {interval[0]:g} to {interval[1]:g} does not contain the value {value:g}"
        )


class Pdl1Score(ProfilePart):
    """One PD-L1 score; several may stand side by side."""

    score: ScoreKind = ScoreKind.NOT_STATED
    assay: PlainName = None
    """22c3, 28-8, sp142, sp263; a score by one assay is unknown by another."""
    value: float | None = Field(default=None, ge=0, le=100)
    """0 to 100, not rounded."""
    below: float | None = Field(default=None, gt=0, le=100)
    """Set by `value = "<1"`: only that it lies below is known."""
    origin: ScoreOrigin | None = None
    basis: Literal["network", "edited", "audited"] | None = None
    """Of a score that cxpath made: by the network's cells alone, after a person's edits, or by his audit."""
    viable_tumour_cells: int | None = Field(default=None, ge=0)
    interval: Interval = None
    """95 % interval, where one is known."""
    near_cutoff: bool | None = None
    """The reader's own word, after a recount or a second reader: wins over every computed one."""
    borderline_at: tuple[float, ...] = ()
    """Cut-offs that cxpath calls borderline or uncertain."""
    clear_at: tuple[float, ...] = ()
    """Cut-offs that it decides."""
    not_evaluable_because: tuple[str, ...] = ()
    slide_digest: str | None = None
    """SHA-256 of the slide file: binds a confirmation to one slide."""
    model_digest: str | None = None
    """SHA-256 of the network's weights, of a score that cxpath made."""
    notice: str | None = None
    """What that network was trained on and never validated on, from its card."""
    confirmed_by: str | None = Field(default=None, min_length=1)
    confirmed_on: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_below(cls, stated: Any) -> Any:
        """Understand the printed form `"<1"`."""
        value = stated.get("value") if isinstance(stated, dict) else None
        if isinstance(value, str) and value.strip().startswith("<"):
            rest = {key: entry for key, entry in stated.items() if key != "value"}
            return rest | {"below": value.strip().removeprefix("<").replace(",", ".")}
        return stated

    @model_validator(mode="after")
    def _is_one_number(self) -> Pdl1Score:
        if self.value is not None and self.below is not None:
            raise ValueError("state value or below, not both")
        if self.model_digest is None:  # cxpath's own are as its score has them
            _require_within(self.value, self.interval)
        return self

    @field_validator("confirmed_by")
    @classmethod
    def _names_a_person(cls, name: str | None) -> str | None:
        """Refuse what names nobody: a lone sign or a number."""
        if name is not None and not names_a_person(name):
            raise ValueError("must name the person who confirmed the score")
        return name

    @property
    def confirmed(self) -> bool:
        """Whether a person has put name and date to it."""
        return self.confirmed_by is not None and self.confirmed_on is not None

    @property
    def adequate(self) -> bool:
        """Whether enough viable tumour cells were seen, as far as anybody says."""
        return self.viable_tumour_cells is None or self.viable_tumour_cells >= REQUIRED_TUMOUR_CELLS

    @property
    def words(self) -> str:
        """The score as a reader sees it."""
        number = f"<{self.below:g}" if self.below is not None else "not stated"
        number = f"{self.value:g}" if self.value is not None else number
        by = f"by {self.assay.upper()}" if self.assay else "by an assay that is not stated"
        who = f"confirmed by {self.confirmed_by}, {self.confirmed_on}" if self.confirmed else "not confirmed"
        how = f", {_BASES[self.basis]}" if self.basis else ""
        return f"{self.name} {number} {by}{how}, {who}"

    @property
    def name(self) -> str:
        """The score's name: CPS, TPS, or that it is not stated."""
        is_named = self.score is not ScoreKind.NOT_STATED
        return self.score.upper() if is_named else "score (CPS or TPS is not stated)"

    @property
    def counting_interval(self) -> tuple[float, float] | None:
        """The exact Poisson interval of the stained cells, where no other interval is stated."""
        if self.value is None or self.not_evaluable_because or self.interval is not None:
            return None
        low, high, _ = self._bounds()
        return low, high

    def why_near(self, cutoff: float) -> str:
        """Return why the score is too near a cut-off to decide, or nothing where it is not.

        The reader's word comes first, then what cxpath found, then a stated interval, and else the exact
        Poisson interval of the stained cells among the stated, or `ASSUMED_TUMOUR_CELLS`, tumour cells.
        That is counting noise only, hence an optimistic bound.
        """
        if self.near_cutoff is not None:
            return f"the reader calls it near {cutoff:g}" if self.near_cutoff else ""
        if cutoff in self.borderline_at:
            return f"cxpath leaves {cutoff:g} uncertain: pathologist review"
        if cutoff in self.clear_at:
            return ""
        if self.value is None:
            return f"<{self.below:g} alone does not say how near {cutoff:g} it lies" if self.below else ""
        low, high, how = self._bounds()
        return f"{how} {low:.2f} to {high:.2f} contains {cutoff:g}" if low <= cutoff <= high else ""

    def _bounds(self) -> tuple[float, float, str]:
        if self.interval is not None:
            return *self.interval, "its interval"
        cells = self.viable_tumour_cells or ASSUMED_TUMOUR_CELLS
        low, high = exact_count_interval((self.value or 0.0) * cells / 100.0)
        whose = "" if self.viable_tumour_cells else "assumed "
        return 100 * low / cells, 100 * high / cells, f"the counting interval at {whose}{cells} tumour cells,"


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

    @model_validator(mode="after")
    def _interval_is_its_own(self) -> Tmb:
        _require_within(self.value, self.interval)
        return self


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
    """Microsatellites and mismatch repair, separately."""

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
    """HER2 as graded by a pathologist. An H-score is not a grade."""

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
        yield from self.clinical.contradictions
        for number, score in enumerate(self.pdl1, start=1):
            if score.score is ScoreKind.NOT_STATED:
                yield f"PD-L1 entry {number}: whether it is a CPS or a TPS is not stated; it decides nothing"
        images = {score.slide_digest for score in self.pdl1 if score.origin is ScoreOrigin.CXPATH}
        if len(images) > 1:
            yield f"PD-L1 scores of {len(images)} images are stated: are all of them of this tumour?"
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
