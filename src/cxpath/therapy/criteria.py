"""All criteria and cautions together, as read from the files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cxpath.therapy.caution import Advice, Caution
from cxpath.therapy.criterion import Criterion
from cxpath.values.settings import Settings


class CriteriaFile(Settings):
    """The content of one file of `configs/therapy`."""

    criterion: tuple[Criterion, ...] = ()
    caution: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class Criteria:
    """What a profile is judged by."""

    criteria: tuple[Criterion, ...] = ()
    cautions: tuple[Caution, ...] = ()
    advice: tuple[Advice, ...] = ()

    def of(self, jurisdictions: Collection[str]) -> Criteria:
        """Return the criteria of these jurisdictions, and those that hold anywhere."""
        kept = [one for one in self.criteria if one.jurisdiction in {*jurisdictions, "any"}]
        return Criteria(tuple(kept), self.cautions, self.advice)
