"""`evaluation.json`: everything that was measured of one model, and its only definition."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cxpath.data.settings import Settings
from cxpath.evaluation.cache import ContactPicture
from cxpath.evaluation.composition import Ingredient
from cxpath.io.atomic import atomic_write
from cxpath.metrics.figures import Figure
from cxpath.network.model import ReliabilityCurve

FILE_NAME = "evaluation.json"

ResearchUse = Literal["For Research Use Only. Not for use in diagnostic procedures."]
RESEARCH_USE: ResearchUse = "For Research Use Only. Not for use in diagnostic procedures."


class EvaluatedModel(Settings):
    """Which model was measured, and on what it ran."""

    name: str
    version: str
    digest: str
    """SHA-256 of the weights."""
    centre_threshold: float
    stained_threshold: float
    cxpath: str
    device: str
    precision: str


class SetSummary(Settings):
    """One body of images."""

    name: str
    title: str
    mpp: float | None
    """None when pictures differ."""
    mpp_source: str
    items: int
    """Images or slides measured."""


class Skipped(Settings):
    """What was not measured, and why."""

    item: str
    reason: str


class SlideScore(Settings):
    """True and called CPS of one drawn slide."""

    name: str
    arm: str
    stratum: str
    true_cps: float
    predicted_cps: float


class EvaluatedReliability(Settings):
    """How far one body of images lets one probability be believed."""

    set_name: str
    of: Literal["kind", "stained"]
    """Probability of the called kind; of being PD-L1 positive by that kind's rule."""
    curve: ReliabilityCurve


class Evaluation(Settings):
    """The whole document."""

    schema_name: Literal["cxpath/evaluation/1"] = Field(default="cxpath/evaluation/1", alias="schema")
    research_use: ResearchUse = RESEARCH_USE
    model: EvaluatedModel
    limit: int | None
    """Only so many items of each set were asked for; None: all."""
    sets: tuple[SetSummary, ...]
    figures: tuple[Figure, ...]
    composition: tuple[Ingredient, ...] = ()
    """What the drawn test set held, against what it must hold."""
    hard_negative_shares: dict[str, float] = Field(default_factory=dict)
    """Share of drawn fields that hold each trap."""
    slides: tuple[SlideScore, ...] = ()
    reliability: tuple[EvaluatedReliability, ...] = ()
    pictures: tuple[ContactPicture, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def write_evaluation(evaluation: Evaluation, folder: Path) -> Path:
    """Write `evaluation.json` into a folder; returns its path."""
    path = folder / FILE_NAME
    with atomic_write(path) as partial:
        partial.write_text(evaluation.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    return path
