"""BiomarkerProfile: one patient's biomarkers and clinical facts, with the conflicts among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from cxpath.biomarkers.clinical import Clinical
from cxpath.biomarkers.comorbidities import Comorbidities
from cxpath.biomarkers.hpv import P16, DerivedHpv, Hpv, derive_hpv
from cxpath.biomarkers.molecular import Alterations, Expression, Her2, Msi, Tmb
from cxpath.biomarkers.part import ProfilePart
from cxpath.biomarkers.pdl1 import Pdl1Score
from cxpath.values.errors import ProfileError

SCHEMA: Literal["cxpath/profile/1"] = "cxpath/profile/1"
HINT = "`cxpath therapy init` writes a template that explains every field"


class BiomarkerProfile(ProfilePart):
    """Everything is optional; what is not stated is unknown."""

    schema_name: Literal["cxpath/profile/1"] = SCHEMA
    case: str | None = None
    """A pseudonym; never a name or an accession number."""
    tumour: Literal["cervix"] = "cervix"
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
            yield "no pelvic radiotherapy is stated, but chemoradiation stands in the history"


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
