"""The small editable map of codes; a concept that it does not hold gets a code of cxpath's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxpath.therapy.certainty import Certainty
from cxpath.values.bundled import bundled
from cxpath.values.settings import Settings
from cxpath.values.settings_file import read_settings

OWN_SYSTEM = "urn:cxpath:concept"


class Code(Settings):
    """One `[[code]]`."""

    concept: str
    system: str
    code: str
    certainty: Certainty
    note: str = ""


class CodesFile(Settings):
    """The content of `configs/fhir/codes.toml`."""

    code: tuple[Code, ...] = ()


def read_codes() -> Mapping[str, Code]:
    """Return the codes by concept.

    Raises
    ------
    ConfigurationError
        When the file cannot be used.
    """
    path = bundled("configs") / "fhir" / "codes.toml"
    return {one.concept: one for one in read_settings(CodesFile, path, "restore the file").code}


def concept(name: str, words: str, codes: Mapping[str, Code]) -> dict[str, Any]:
    """Return a CodeableConcept; its text is always there."""
    known = codes.get(name)
    coding = {"system": known.system, "code": known.code} if known else {"system": OWN_SYSTEM, "code": name}
    return {"coding": [coding], "text": words}
