"""Clinical facts: histology, stage with its edition, setting, and what was given before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from cxpath.patient.fields import ProfilePart


class Histology(StrEnum):
    """Tumour type."""

    SQUAMOUS = "squamous"
    ADENOCARCINOMA = "adenocarcinoma"
    ADENOSQUAMOUS = "adenosquamous"
    GASTRIC_TYPE = "gastric_type_adenocarcinoma"
    SMALL_CELL = "small_cell"
    NEUROENDOCRINE = "neuroendocrine"
    OTHER = "other"


class Setting(StrEnum):
    """Where the disease stands now."""

    EARLY = "early"
    LOCALLY_ADVANCED = "locally_advanced"
    PERSISTENT = "persistent"
    RECURRENT = "recurrent"
    METASTATIC = "metastatic"


class Edition(StrEnum):
    """Edition of the staging system; stages are never mapped from one to another."""

    FIGO_2009 = "FIGO 2009"
    FIGO_2014 = "FIGO 2014"
    FIGO_2018 = "FIGO 2018"


class Stage(ProfilePart):
    """A stage means nothing without its edition."""

    edition: Edition | None = None
    stage: str | None = None
    """I, IA1 … IVB."""

    @field_validator("stage")
    @classmethod
    def _plain_stage(cls, stage: str | None) -> str | None:
        plain = stage.strip().upper() if stage else None
        if plain is not None and not re.fullmatch(r"(I|II|III|IV)([ABC][123]?)?[RP]?", plain):
            raise ValueError("must be a FIGO stage from I to IVB, such as IIIB")
        return plain.rstrip("RP") if plain else None

    @model_validator(mode="after")
    def _nodal_stage_is_new(self) -> Stage:
        if (self.stage or "").startswith("IIIC") and self.edition in {Edition.FIGO_2009, Edition.FIGO_2014}:
            raise ValueError("stage IIIC exists only since FIGO 2018: state the edition that was used")
        return self


class Purpose(StrEnum):
    """What a therapy was given for; only `RECURRENT_OR_METASTATIC` is a line of metastatic therapy."""

    SURGERY = "surgery"
    RADIOTHERAPY = "radiotherapy"
    CHEMORADIATION = "chemoradiation"
    NEOADJUVANT = "neoadjuvant"
    ADJUVANT = "adjuvant"
    RECURRENT_OR_METASTATIC = "recurrent_or_metastatic"


DEFINITIVE = frozenset({Purpose.SURGERY, Purpose.RADIOTHERAPY, Purpose.CHEMORADIATION})


class Therapy(ProfilePart):
    """One therapy given before."""

    purpose: Purpose
    agents: tuple[str, ...] = ()
    chemotherapy: bool | None = None
    """Whether chemotherapy was part of it."""
    progressed: bool | None = None
    """Whether the disease progressed on it or after it."""

    @field_validator("agents")
    @classmethod
    def _plain_agents(cls, agents: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(agent.strip().lower() for agent in agents)


class Clinical(ProfilePart):
    """Facts about patient and disease."""

    age_years: float | None = Field(default=None, ge=0, le=120)
    histology: Histology | None = None
    stage: Stage = Stage()
    setting: Setting | None = None
    unresectable: bool | None = None
    no_satisfactory_alternative: bool | None = None
    """The board's own judgement."""
    prior_pelvic_radiotherapy: bool | None = None
    therapies: tuple[Therapy, ...] | None = None
    """Everything given so far, complete; an empty list says that nothing was given."""

    @property
    def metastatic_lines(self) -> int | None:
        """Lines for recurrent or metastatic disease. Chemoradiation is none (brief 2.5)."""
        return None if self.therapies is None else len(self._lines)

    @property
    def prior_definitive_therapy(self) -> bool | None:
        """Whether surgery, radiotherapy or chemoradiation was given."""
        return None if self.therapies is None else any(one.purpose in DEFINITIVE for one in self.therapies)

    @property
    def progressed(self) -> bool | None:
        """Whether the disease progressed on or after any therapy."""
        return None if self.therapies is None else any_of(one.progressed for one in self.therapies)

    @property
    def progressed_after_chemotherapy(self) -> bool | None:
        """Whether it progressed on or after chemotherapy for recurrent or metastatic disease."""
        if self.therapies is None:
            return None
        return any_of(all_of((one.chemotherapy, one.progressed)) for one in self._lines)

    @property
    def unresectable_or_metastatic(self) -> bool | None:
        """Whether either holds."""
        metastatic = None if self.setting is None else self.setting is Setting.METASTATIC
        return any_of((metastatic, self.unresectable))

    @property
    def pelvic_radiotherapy(self) -> bool | None:
        """As stated; chemoradiation in the history says it, too."""
        given = self.therapies or ()
        if any(one.purpose is Purpose.CHEMORADIATION for one in given):
            return True
        return self.prior_pelvic_radiotherapy

    def received(self, agents: Iterable[str]) -> bool | None:
        """Say whether any of these agents was given."""
        if self.therapies is None:
            return None
        wanted = frozenset(agents)
        return any(agent in wanted for one in self.therapies for agent in one.agents)

    @property
    def _lines(self) -> tuple[Therapy, ...]:
        given = self.therapies or ()
        return tuple(one for one in given if one.purpose is Purpose.RECURRENT_OR_METASTATIC)


def any_of(states: Iterable[bool | None]) -> bool | None:
    """Return the three-valued *or*: true wins, then unknown (Kleene)."""
    known = list(states)
    if True in known:
        return True
    return None if None in known else False


def all_of(states: Iterable[bool | None]) -> bool | None:
    """Return the three-valued *and*: false wins, then unknown (Kleene)."""
    known = list(states)
    if False in known:
        return False
    return None if None in known else True
