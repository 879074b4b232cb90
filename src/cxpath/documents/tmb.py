"""`tmb.json`: the mutational burden of one sample, or of every sample of a file."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from cxpath.documents.base import Document, Part
from cxpath.patient import LEVEL, Burden


class FunnelEntry(Part):
    """What one filter left of the variants; see `FunnelStep`."""

    step: str
    left: int
    removed: int
    unknown: int
    applied: bool
    why_not: str


class SampleBurden(Part):
    """The burden of one sample; see `Burden`."""

    sample: str
    preset: str
    method: str
    value: float
    interval: tuple[float, float]
    level: float
    variants: int
    megabases: float
    funnel: tuple[FunnelEntry, ...]
    not_applied: tuple[str, ...]
    not_reproduced: tuple[str, ...]
    warnings: tuple[str, ...]
    source: str
    as_of: str
    certainty: str

    @classmethod
    def of_burden(cls, burden: Burden) -> SampleBurden:
        """Return the entry of a burden."""
        preset = burden.preset
        return cls(
            sample=burden.sample,
            preset=preset.name,
            method=preset.title,
            value=burden.value,
            interval=burden.interval,
            level=LEVEL,
            variants=burden.variants,
            megabases=burden.megabases,
            funnel=tuple(map(FunnelEntry.of, burden.funnel)),
            not_applied=tuple(step.step for step in burden.funnel if not step.applied),
            not_reproduced=preset.not_reproduced,
            warnings=burden.warnings,
            source=preset.source,
            as_of=preset.as_of,
            certainty=preset.certainty,
        )


class TmbDocument(SampleBurden, Document):
    """The burden of one sample."""

    HINT: ClassVar[str] = "run cxpath tmb again"

    schema_name: Literal["cxpath/tmb/1"] = Field(default="cxpath/tmb/1", alias="schema")
    cxpath: str


class TmbTable(Document):
    """The burdens of several samples."""

    HINT: ClassVar[str] = "run cxpath tmb again"

    schema_name: Literal["cxpath/tmb/1"] = Field(default="cxpath/tmb/1", alias="schema")
    cxpath: str
    samples: tuple[SampleBurden, ...]
