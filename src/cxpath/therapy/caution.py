"""A caution: a flag with the patient's fact beside it, for the board. Never an exclusion by software."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import Field

from cxpath.therapy.certainty import Certainty
from cxpath.therapy.clause import Clause
from cxpath.values.settings import Settings


class CautionState(StrEnum):
    """Whether a caution applies to this patient."""

    RAISED = "raised"
    NOT_RAISED = "not_raised"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The state as it is printed."""
        return self.value.replace("_", " ")


class Caution(Settings):
    """One `[[caution]]` of `configs/therapy/cautions.toml`."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    agents: str
    """The kind of agents, as criteria name it under `cautions`."""
    when: Clause
    flag: str
    source: str
    as_of: date
    certainty: Certainty


class Advice(Settings):
    """What goes with an agent whoever the patient is; one `[[advice]]`."""

    agents: str
    text: str
    source: str
    as_of: date
    certainty: Certainty
