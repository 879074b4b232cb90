"""One condition of a criterion or a caution: a fact, an operator, a value."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cxpath.values.settings import Settings

Scalar = bool | int | float | str
Operator = Literal[">=", ">", "<", "is", "in", "not_in"]

IN_WORDS = {">=": "≥", ">": ">", "<": "<", "is": "is", "in": "one of", "not_in": "none of"}


class Clause(Settings):
    """A condition; `assay` and `edition` say by which test or staging system the fact must be known."""

    fact: str
    """A key of `facts.FACTS`."""
    op: Operator
    value: Scalar | tuple[str, ...]
    assay: tuple[str, ...] = ()
    """Assays, or scoring systems, whose result counts; empty: any."""
    edition: str | None = None
    words: str = Field(default="")
    """The condition in words, where the fact's own are not enough."""

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Clause:
        is_list = isinstance(self.value, tuple)
        if is_list != (self.op in {"in", "not_in"}):
            raise ValueError(f"operator {self.op} {'takes one value' if is_list else 'takes a list'}")
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if self.op in {">=", ">", "<"} and not is_number:
            raise ValueError(f"operator {self.op} takes a number")
        return self

    def holds(self, found: Scalar) -> bool:
        """Say whether a known fact fulfils the condition."""
        if isinstance(self.value, tuple):
            return (str(found) in self.value) == (self.op == "in")
        if self.op == "is":
            return found == self.value
        number, limit = float(found), float(self.value)
        return {">=": number >= limit, ">": number > limit, "<": number < limit}[self.op]
