"""What sequencing and immunohistochemistry found beside PD-L1 and HPV, each with the test that found it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from cxpath.biomarkers.part import HScore, Interval, PlainName, ProfilePart


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
