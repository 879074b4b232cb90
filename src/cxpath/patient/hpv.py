"""HPV: the direct test and p16 kept apart, the class that follows, and where they contradict each other.

Rules: clinical brief 3.4. p16 is a surrogate and never fills in for a missing HPV test silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import model_validator

from cxpath.patient.fields import ProfilePart, TestResult

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
