"""What all JSON documents of cxpath share: they are read and written whole, and nothing in them is guessed.

A document is a frozen class. A key that it does not know, a missing one or a wrong value is an error that
names file and field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cxpath.data import RESEARCH_USE, ReasonCode, ResearchUse
from cxpath.errors import DocumentError, MissingFileError
from cxpath.io import atomic_write


class Part(BaseModel):
    """A part of a document; numbers are finite, and what is not known is null."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        from_attributes=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the part that states the attributes of a value under their own names."""
        return cls.model_validate(value)


class CodedText(Part):
    """A reason or a warning: what it is about, and the same for a person."""

    code: ReasonCode
    text: str


class ColourEntry(Part):
    """The ICC profile of a slide; see `ColourProfile`."""

    description: str
    digest: str
    intent: str
    use: Literal["applied", "identity", "ignored", "unusable"]


class Document(Part):
    """A whole document; its field `schema_name` states the schema that it reads and writes."""

    HINT: ClassVar[str]
    """What to do about one that cannot be read."""

    schema_name: str = Field(default="", alias="schema")
    research_use: ResearchUse = RESEARCH_USE

    @classmethod
    def schema_of(cls) -> str:
        """Return the schema of these documents."""
        return str(cls.model_fields["schema_name"].default)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a document.

        Raises
        ------
        MissingFileError
            When there is no such file.
        DocumentError
            When it is no JSON, of another schema, or does not say what such a document says.
        """
        if not path.is_file():
            raise MissingFileError(f"{path}: no such file", cls.HINT)
        try:
            text = path.read_text(encoding="utf-8")
            stated = json.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise DocumentError(f"{path}: not readable JSON", cls.HINT) from error
        found = stated.get("schema") if isinstance(stated, dict) else None
        if found != cls.schema_of():
            raise DocumentError(f"{path}: schema is {found!r}, not {cls.schema_of()!r}", cls.HINT)
        try:
            return cls.model_validate_json(text, strict=True)
        except ValidationError as error:
            raise DocumentError(f"{path}: {_complaint(error.errors()[0])}", cls.HINT) from error

    def write(self, path: Path) -> None:
        """Write the document whole or not at all.

        Raises
        ------
        OutputError
            When the operating system refuses.
        """
        with atomic_write(path) as partial:
            partial.write_text(self.text() + "\n", encoding="utf-8", newline="\n")

    def text(self) -> str:
        """Return the document as it is written, and as `--json` prints it."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _complaint(detail: ErrorDetails) -> str:
    """Return which field is wrong, and how, on one line."""
    field = ".".join(str(part) for part in detail["loc"]) or "document"
    said = {"missing": "is missing", "extra_forbidden": "is not a key of this document"}
    return f"{field}: {said.get(detail['type'], ' '.join(detail['msg'].split()))}"
