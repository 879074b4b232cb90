"""Clinical facts of a patient, and the base of every part of a profile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from cxpath.data import Settings

# The base of every part of a profile: all is optional, and what is not stated is unknown, never negative.

UNKNOWN = "unknown"


class TestResult(StrEnum):
    """The result of a test that was done; a test not done has none."""

    __test__ = False

    POSITIVE = "positive"
    NEGATIVE = "negative"


def _plain(name: str | None) -> str | None:
    return (name.strip().lower() or None) if name else None


def _rising(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    if interval is not None and not 0 <= interval[0] <= interval[1]:
        raise ValueError("must be two rising numbers, not below 0")
    return interval


PlainName = Annotated[str | None, AfterValidator(_plain)]
"""A name, such as of an assay, in lower case and without outer blanks: however it was typed, it compares."""

Interval = Annotated[tuple[float, float] | None, AfterValidator(_rising)]
"""Lower and upper bound of what is never negative."""

HScore = Annotated[float | None, Field(ge=0, le=300)]
"""Share of cells by intensity, weighted: 0 to 300."""


class ProfilePart(Settings):
    """A table of the profile; `field = "unknown"` says the same as leaving the field out."""

    @model_validator(mode="before")
    @classmethod
    def _unknown_is_absent(cls, stated: Any) -> Any:
        if not isinstance(stated, Mapping):
            return stated
        return {key: value for key, value in stated.items() if value != UNKNOWN}

    @model_validator(mode="before")
    @classmethod
    def _yes_is_no_number(cls, stated: Any) -> Any:
        """Refuse yes or no where a number is asked for: they would count as 1 and 0."""
        for name, value in stated.items() if isinstance(stated, Mapping) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and "bool" not in str(field.annotation):
                raise ValueError(f"{name} is {str(value).lower()}, which is not a possible entry")
        return stated


# Drugs by class, as far as labels and cautions ask for them. A typed name belongs to a class when one of the
# class's names is a word of it: "Carboplatin AUC 5" and "carboplatin/paclitaxel" are both platinum.


PLATINUM = frozenset({"cisplatin", "cddp", "carboplatin", "nedaplatin", "oxaliplatin", "platinum"})
PACLITAXEL = frozenset({"paclitaxel", "nab-paclitaxel", "taxol", "abraxane"})
"""Its neuropathy adds to that of tisotumab vedotin (clinical brief 2.3)."""
CHEMOTHERAPY = (
    PLATINUM
    | PACLITAXEL
    | frozenset(
        {"chemotherapy", "docetaxel", "topotecan", "irinotecan", "gemcitabine", "vinorelbine", "5-fu"}
    )
    | frozenset({"pemetrexed", "ifosfamide", "bleomycin", "mitomycin", "fluorouracil", "capecitabine", "s-1"})
    | frozenset({"etoposide", "doxorubicin", "epirubicin", "cyclophosphamide", "vincristine", "methotrexate"})
)
IMMUNE_CHECKPOINT = frozenset(
    {"pembrolizumab", "keytruda", "nivolumab", "opdivo", "cemiplimab", "libtayo", "dostarlimab", "jemperli"}
    | {"atezolizumab", "tecentriq", "durvalumab", "imfinzi", "cadonilimab", "zimberelimab", "socazolimab"}
    | {
        "enlonstobart",
        "iparomlimab",
        "tuvonralimab",
        "camrelizumab",
        "toripalimab",
        "tislelizumab",
        "sintilimab",
    }
)
"""Antibodies against PD-1 or PD-L1, alone or with another target."""
NTRK_INHIBITORS = frozenset(
    {"larotrectinib", "vitrakvi", "entrectinib", "rozlytrek", "repotrectinib", "augtyro"}
)
ANTIBODY_DRUG_CONJUGATES = frozenset({"tisotumab", "tivdak", "deruxtecan", "enhertu", "vedotin", "govitecan"})
"""They carry a cytotoxic drug: whether a label's "chemotherapy" includes them is not stated."""
_OTHERS = frozenset(
    {
        "bevacizumab",
        "avastin",
        "cetuximab",
        "ipilimumab",
        "selpercatinib",
        "pralsetinib",
        "dabrafenib",
        "trametinib",
    }
    | {
        "trastuzumab",
        "pertuzumab",
        "lenvatinib",
        "apatinib",
        "anlotinib",
        "radiotherapy",
        "brachytherapy",
        "surgery",
    }
)
_KNOWN = CHEMOTHERAPY | IMMUNE_CHECKPOINT | NTRK_INHIBITORS | ANTIBODY_DRUG_CONJUGATES | _OTHERS


_NEGATION = frozenset({"no", "not", "without", "planned", "declined", "refused", "instead", "ineligible"})
"""Words next to a drug that may say that it was not given: the entry is asked about."""


def names_one_of(agent: str, names: frozenset[str]) -> bool:
    """Say whether a typed name contains one of these names as a word."""
    words = set(re.split(r"[^a-z0-9-]+", agent)) | set(re.split(r"[^a-z0-9]+", agent))
    return not names.isdisjoint(words) and _NEGATION.isdisjoint(words)


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


class Extent(StrEnum):
    """How far the disease reaches now, whatever the setting: a recurrence may be local or metastatic."""

    RESECTABLE = "resectable"
    LOCALLY_ADVANCED = "locally_advanced"
    METASTATIC = "metastatic"


_IMPOSSIBLE = {
    Setting.EARLY: {Extent.LOCALLY_ADVANCED, Extent.METASTATIC},
    Setting.LOCALLY_ADVANCED: {Extent.METASTATIC},
    Setting.METASTATIC: {Extent.RESECTABLE, Extent.LOCALLY_ADVANCED},
}


_UNTREATED = frozenset({Setting.EARLY, Setting.LOCALLY_ADVANCED})
_BEYOND_EARLY = ("IIB", "III", "IV")


class Edition(StrEnum):
    """Edition of the staging system; stages are never mapped from one to another."""

    FIGO_2009 = "FIGO 2009"
    FIGO_2014 = "FIGO 2014"
    FIGO_2018 = "FIGO 2018"


_STAGES = re.compile(r"(I(A[12]?|B[123]?)?|II(A[12]?|B)?|III([AB]|C[12]?)?|IV[AB]?)[RP]?")
"""Of cervical cancer, FIGO 2009 to 2018 (Bhatla et al. 2019, doi 10.1002/ijgo.12749); `r` and `p` say whether
nodes were found on pictures or by a pathologist."""

_SINCE_2018 = ("IB3", "IIIC")


class Stage(ProfilePart):
    """A stage means nothing without its edition."""

    edition: Edition | None = None
    stage: str | None = None
    """I, IA1 … IVB."""

    @field_validator("stage")
    @classmethod
    def _plain_stage(cls, stage: str | None) -> str | None:
        plain = stage.strip().upper() if stage else None
        if plain is not None and not _STAGES.fullmatch(plain):
            raise ValueError("must be a FIGO stage of cervical cancer from I to IVB, such as IIIB")
        return plain.rstrip("RP") if plain else None

    @model_validator(mode="after")
    def _new_stages_are_new(self) -> Stage:
        stage = self.stage or ""
        if stage.startswith(_SINCE_2018) and self.edition in {Edition.FIGO_2009, Edition.FIGO_2014}:
            raise ValueError(f"stage {stage} exists only since FIGO 2018: state the edition that was used")
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
LOCAL = frozenset({Purpose.SURGERY, Purpose.RADIOTHERAPY})
PERIOPERATIVE = frozenset({Purpose.NEOADJUVANT, Purpose.ADJUVANT})


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
        return tuple(agent.strip().lower() for agent in agents if agent.strip())

    @property
    def unknown_agents(self) -> tuple[str, ...]:
        """Agents whose class is not known here: they may be of any."""
        return tuple(agent for agent in self.agents if not names_one_of(agent, _KNOWN))

    def included(self, names: frozenset[str]) -> bool | None:
        """Say whether one of these agents was given; unknown where none or an unknown agent is stated."""
        if any(names_one_of(agent, names) for agent in self.agents):
            return True
        if not self.agents:
            return False if self.purpose in LOCAL else None
        return None if self.unknown_agents else False

    @property
    def contradicts_itself(self) -> bool:
        """Whether no chemotherapy is stated besides a cytotoxic drug."""
        return self.chemotherapy is False and self.included(CHEMOTHERAPY) is True

    @property
    def doubts(self) -> tuple[str, ...]:
        """What in the entry contradicts itself or is not understood."""
        said = (
            (f"no chemotherapy is stated, but {', '.join(self.agents)}",) if self.contradicts_itself else ()
        )
        unknown = (
            f"the class of {agent!r} is not known here; it may be any" for agent in self.unknown_agents
        )
        return (*said, *unknown)

    @property
    def with_chemotherapy(self) -> bool | None:
        """Whether chemotherapy was part of it: as stated, else by its agents."""
        if self.contradicts_itself:
            return None
        if self.chemotherapy is not None:
            return self.chemotherapy
        is_conjugate = any(names_one_of(agent, ANTIBODY_DRUG_CONJUGATES) for agent in self.agents)
        by_agents = self.included(CHEMOTHERAPY)
        return None if is_conjugate and not by_agents else by_agents

    @property
    def with_platinum(self) -> bool | None:
        """Whether platinum was part of it; therapy without chemotherapy had none."""
        return all_of((self.with_chemotherapy, self.included(PLATINUM)))


class Clinical(ProfilePart):
    """Facts about patient and disease."""

    age_years: float | None = Field(default=None, ge=0, le=120)
    histology: Histology | None = None
    stage: Stage = Stage()
    setting: Setting | None = None
    extent: Extent | None = None
    unresectable: bool | None = None
    resection_severely_morbid: bool | None = None
    """Whether a resection is likely to result in severe morbidity: the board's own judgement."""
    no_satisfactory_alternative: bool | None = None
    """The board's own judgement."""
    platinum_unsuitable: bool | None = None
    """Whether platinum cannot be given: the board's own judgement."""
    prior_pelvic_radiotherapy: bool | None = None
    therapies: tuple[Therapy, ...] | None = None
    """Everything given so far, complete; an empty list says that nothing was given."""

    @model_validator(mode="after")
    def _extent_fits(self) -> Clinical:
        if self.setting and self.extent in _IMPOSSIBLE.get(self.setting, ()):
            raise ValueError(f"setting {self.setting} and extent {self.extent} exclude each other")
        if self.extent is Extent.RESECTABLE and self.unresectable:
            raise ValueError("extent resectable and unresectable = true exclude each other")
        return self

    # Where the disease stands

    @property
    def current_setting(self) -> Setting | None:
        """As stated; disease of metastatic extent is metastatic, whether it is persistent or recurrent."""
        return Setting.METASTATIC if self.extent is Extent.METASTATIC else self.setting

    @property
    def metastatic(self) -> bool | None:
        """Whether the disease is metastatic now; of a persistent or recurrent one only the extent tells."""
        if self.extent is not None:
            return self.extent is Extent.METASTATIC
        if self.setting in {None, Setting.PERSISTENT, Setting.RECURRENT}:
            return None
        return self.setting is Setting.METASTATIC

    @property
    def advanced(self) -> bool | None:
        """Whether the disease is locally advanced or metastatic; an unresectable recurrence is."""
        if self.extent is Extent.LOCALLY_ADVANCED or self.setting is Setting.LOCALLY_ADVANCED:
            return True
        returned = self.setting in {Setting.PERSISTENT, Setting.RECURRENT}
        return True if returned and self.unresectable else self.metastatic

    @property
    def advanced_or_recurrent(self) -> bool | None:
        """Whether the disease is recurrent or advanced, where a label says no more than "advanced".

        Metastatic disease is, and so is unresectable locally advanced disease; whether resectable locally
        advanced or persistent disease is meant, no label says.
        """
        advanced = None if self.advanced and not self.metastatic and not self.unresectable else self.advanced
        recurrent = {None: None, Setting.PERSISTENT: None}.get(
            self.setting, self.setting is Setting.RECURRENT
        )
        return any_of((recurrent, advanced))

    @property
    def unresectable_or_metastatic(self) -> bool | None:
        """Whether either is true."""
        resectable = self.extent is Extent.RESECTABLE
        return any_of((self.metastatic, False if resectable else self.unresectable))

    @property
    def after_first_treatment(self) -> bool | None:
        """Whether the disease is persistent, recurrent or metastatic.

        A FIGO stage describes the disease at diagnosis, and remains valid only as long as this is false.
        """
        if self.current_setting is None or self.contradictions:
            return None
        return self.current_setting not in _UNTREATED

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What setting, stage and earlier therapies say against each other."""
        setting, stage = self.setting, self.stage.stage or ""
        found = []
        if setting is Setting.EARLY and stage.startswith(_BEYOND_EARLY):
            found.append(f"the setting is early, the stage {stage}")
        if setting is Setting.LOCALLY_ADVANCED and stage == "IVB":
            found.append("the setting is locally advanced, the stage IVB")
        if setting in _UNTREATED and self._lines:
            found.append(
                f"the setting is {setting}, but a therapy of recurrent or metastatic disease is listed"
            )
        return tuple(one.replace("_", " ") for one in found)

    # What was given before

    @property
    def metastatic_lines(self) -> int | None:
        """Lines for recurrent or metastatic disease. Chemoradiation is none (brief 2.5)."""
        return None if self.therapies is None else len(self._lines)

    @property
    def prior_definitive_therapy(self) -> bool | None:
        """Whether surgery, radiotherapy or chemoradiation was given."""
        return None if self.therapies is None else any(one.purpose in DEFINITIVE for one in self.therapies)

    @property
    def prior_systemic_therapy(self) -> bool | None:
        """Whether systemic therapy was given.

        A line for recurrent or metastatic disease is; whether (neo)adjuvant therapy or chemoradiation alone
        counts, the labels do not say.
        """
        if self.therapies is None:
            return None
        return any_of(self._is_systemic(one.purpose) for one in self.therapies)

    @property
    def prior_treatment(self) -> bool | None:
        """Whether anything was given; whether surgery or radiotherapy alone counts, no label says."""
        systemic = self.prior_systemic_therapy
        return None if systemic is False and self.therapies else systemic

    @staticmethod
    def _is_systemic(purpose: Purpose) -> bool | None:
        if purpose is Purpose.RECURRENT_OR_METASTATIC:
            return True
        return False if purpose in LOCAL else None

    @property
    def chemotherapy_for_advanced_disease(self) -> bool | None:
        """Whether chemotherapy was given before; chemoradiation is none, and perioperative one is unclear."""
        if self.therapies is None:
            return None
        unclear = [
            None
            for one in self.therapies
            if one.purpose in PERIOPERATIVE and one.with_chemotherapy is not False
        ]
        return any_of([*(one.with_chemotherapy for one in self._lines), *unclear])

    @property
    def progressed(self) -> bool | None:
        """Whether the disease progressed on or after any therapy."""
        return None if self.therapies is None else any_of(one.progressed for one in self.therapies)

    @property
    def progressed_after_chemotherapy(self) -> bool | None:
        """Whether it progressed on or after chemotherapy for recurrent or metastatic disease."""
        return self._progressed_after(lambda one: one.with_chemotherapy)

    @property
    def progressed_after_platinum(self) -> bool | None:
        """Whether it progressed on or after platinum for recurrent or metastatic disease."""
        return self._progressed_after(lambda one: one.with_platinum)

    @property
    def progressed_after_systemic(self) -> bool | None:
        """Whether it progressed on or after systemic therapy for recurrent or metastatic disease."""
        return self._progressed_after(lambda one: True)

    def _progressed_after(self, given: Callable[[Therapy], bool | None]) -> bool | None:
        """Say whether the disease progressed on or after a line of a kind.

        Chemoradiation is not a line. Progression after (neo)adjuvant therapy of the kind leaves it unknown:
        the labels do not say whether that counts.
        """
        if self.therapies is None:
            return None
        lines = [all_of((given(one), one.progressed)) for one in self._lines]
        perioperative = (one for one in self.therapies if one.purpose in PERIOPERATIVE)
        unclear = [None for one in perioperative if all_of((given(one), one.progressed)) is not False]
        return any_of([*lines, *unclear])

    @property
    def progressed_or_no_alternative(self) -> bool | None:
        """Whether the disease progressed after treatment, or no satisfactory alternative is left."""
        return any_of((self.progressed, self.no_satisfactory_alternative))

    @property
    def progressed_after_systemic_or_no_alternative(self) -> bool | None:
        """The same with progression after systemic treatment; chemoradiation leaves it unknown."""
        chemoradiation = [
            None
            for one in self.therapies or ()
            if one.purpose is Purpose.CHEMORADIATION and one.progressed is not False
        ]
        return any_of((self.progressed_after_systemic, self.no_satisfactory_alternative, *chemoradiation))

    @property
    def ntrk_pretreated_or_no_alternative(self) -> bool | None:
        """Whether an NTRK inhibitor was given, or no satisfactory alternative is left."""
        return any_of((self.received(NTRK_INHIBITORS), self.no_satisfactory_alternative))

    @property
    def pelvic_radiotherapy(self) -> bool | None:
        """As stated; chemoradiation in the history says it, too."""
        given = self.therapies or ()
        if any(one.purpose is Purpose.CHEMORADIATION for one in given):
            return True
        return self.prior_pelvic_radiotherapy

    def received(self, agents: Iterable[str]) -> bool | None:
        """Say whether any of these agents was given; an unknown agent, or none stated, leaves it unknown."""
        if self.therapies is None:
            return None
        wanted = frozenset(agents)
        return any_of(one.included(wanted) for one in self.therapies)

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
