"""Three values: what is not known is neither met nor not met."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """Of a clause and of a criterion."""

    MET = "met"
    NOT_MET = "not_met"
    INDETERMINATE = "indeterminate"

    @property
    def words(self) -> str:
        """The verdict as it is printed."""
        return self.value.replace("_", " ")


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the three-valued *and*: one not met decides, then one indeterminate (Kleene)."""
    known = frozenset(verdicts)
    if Verdict.NOT_MET in known:
        return Verdict.NOT_MET
    return Verdict.INDETERMINATE if Verdict.INDETERMINATE in known else Verdict.MET
