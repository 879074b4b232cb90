"""A model's card: what it is, may be used on and was measured to be; as TOML, and as a page for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from cxpath.data import (
    FINE_CLASSES,
    REGION_CLASSES,
    STAIN_CLASSES,
    Calibration,
    Direction,
    FamiliarStains,
    Settings,
    parse_toml,
)
from cxpath.errors import ModelError
from cxpath.network.architecture import LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX, AnyArchitecture

# A model's card: what it is, what it may be used on, how good it was measured to be, and its digest.
#
# The only description of `card.toml`; unknown keys are errors.


MetricName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]

IntendedUse = Literal["Research use only. Not for use in diagnostic procedures."]
INTENDED_USE: IntendedUse = "Research use only. Not for use in diagnostic procedures."


UNSTATED = "the model's card does not say what it was trained on; not validated on real PD-L1 slides"
"""The notice of a card that states none."""


class Thresholds(Settings):
    """Thresholds that turn outputs into cells; chosen on held-out synthetic tissue."""

    centre_threshold: float = Field(gt=0, lt=1)
    """A peak of the centre map below this is not a cell."""

    stained_threshold: float = Field(gt=0, lt=1)
    """A cell counts as PD-L1 positive when its calibrated probability reaches this."""

    min_distance_um: float = Field(gt=0, le=10)
    """Two peaks nearer than this are one cell."""


class CardCalibration(Settings):
    """How raw logits become probabilities, fitted on held-out synthetic tissue; see `Calibration`."""

    class_temperature: float = Field(default=1.0, gt=0)
    """Divides the logits of the classes before the softmax."""
    class_biases: tuple[float, ...] = ()
    """One for each of `fine_classes`; empty for none, as in models packed before they were fitted."""
    membrane_temperature: float = Field(default=1.0, gt=0)
    """Divides the logit of membrane staining, which decides tumour cells."""
    membrane_bias: float = 0.0
    """Added to it."""
    any_temperature: float = Field(default=1.0, gt=0)
    """Divides the logit of any staining, which decides all other cells."""
    any_bias: float = 0.0
    """Added to it."""

    def as_value(self) -> Calibration:
        """Return the frozen value that the cells room applies."""
        return Calibration(**self.model_dump())


class KnownStains(Settings):
    """Stain directions of the training: optical densities of red, green and blue. See `FamiliarStains`."""

    hematoxylin_arc: tuple[Direction, Direction]
    """Ends of the arc that haematoxylin was sampled from."""
    dab_arc: tuple[Direction, Direction]
    """Ends of the arc that DAB was sampled from."""
    hematoxylin_deg: tuple[float, float] = (5.0, 9.0)
    """Degrees from the arc up to which a slide's haematoxylin is familiar, and from which it is strange."""
    dab_deg: tuple[float, float] = (3.0, 6.0)
    """The same of DAB."""

    @model_validator(mode="after")
    def _strange_lies_beyond_familiar(self) -> Self:
        for familiar, strange in (self.hematoxylin_deg, self.dab_deg):
            if not 0 <= familiar < strange <= 90:
                raise ValueError("degrees must be two ascending numbers from 0 to 90")
        return self

    def as_value(self) -> FamiliarStains:
        """Return the frozen value that a detector turns colours by."""
        return FamiliarStains(self.hematoxylin_arc, self.dab_arc, self.hematoxylin_deg, self.dab_deg)


class DataSource(Settings):
    """One body of data that the weights were trained or measured on."""

    name: str
    """Name of the data."""
    licence: str
    """Their licence."""
    use: Literal["train", "validate", "evaluate"]
    """What they were used for."""
    amount: str
    """How much of it, in words: "1800 fields of 448 px"."""


class Metric(Settings):
    """One measured figure with its interval."""

    value: float
    """The figure."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""
    level: float = 0.95
    """Coverage of the interval."""
    count: int
    """What the figure rests on: cells or fields, as `method` says."""
    method: str
    """How it was measured, and on what."""


class ReliabilityCurve(Settings):
    """Stated probabilities and observed shares; one entry for each bin that contains a cell."""

    method: str
    """What was counted, and where."""
    bin_width: float = Field(default=0.1, gt=0, le=1)
    """Width of a bin of probability. A bin without a cell is left out of all lists."""
    from_probability: tuple[float, ...]
    """Lower end of each bin; the last bin includes its upper end."""
    count: tuple[int, ...]
    """Cells in the bin."""
    mean_probability: tuple[float, ...]
    """Mean of the stated probabilities in the bin."""
    observed_share: tuple[float, ...]
    """Observed share of the bin's cells."""
    expected_error: Metric
    """Mean gap between the two over all cells (expected calibration error, Guo et al. 2017). Chance only adds
    to it: with few cells it is too high."""

    @model_validator(mode="after")
    def _one_entry_a_bin(self) -> Self:
        columns = (self.from_probability, self.count, self.mean_probability, self.observed_share)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("from_probability, count, mean_probability and observed_share differ in length")
        return self


class Reliability(Settings):
    """How reliable the probabilities are, on held-out synthetic tissue that was not used for calibration."""

    kind: ReliabilityCurve | None = None
    """Probability of the called kind, against whether it is the true one; found cells."""
    stained: ReliabilityCurve | None = None
    """Probability of being PD-L1 positive by the called kind's rule, against the truth; found cells called
    tumour or immune."""


class EvaluatedFigure(Settings):
    """One figure that `cxpath model evaluate` measured against a target, on images not used in training."""

    set_name: str
    """Which body of images: "bcdata", "synthetic_held_out", ..."""
    name: str
    """Name of the figure."""
    label: str
    """The figure in words."""
    value: float
    """The figure."""
    low: float | None = None
    """Lower end of its interval."""
    high: float | None = None
    """Upper end of its interval."""
    level: float = 0.95
    """Coverage of the interval."""
    target: str
    """As "≥ 0.82"."""
    met: bool
    """Whether the target is met."""
    n: int
    """Things counted."""
    n_of: str
    """What was counted."""
    mpp: float | None = None
    """Micrometres per pixel assumed or stated; none where pictures differ."""
    method: str
    """How it was computed."""


class TrainingRecord(Settings):
    """How the weights were made, in enough detail to make them again."""

    command: str
    """The command that made it."""
    seed: int
    """Seed of the training."""
    steps: int
    """Steps of the optimiser."""
    minutes: float
    """How long they took."""
    software: str
    """Versions of cxpath and torch."""
    settings_digest: str
    """SHA-256 of the effective settings, as JSON with sorted keys."""


class ModelCard(Settings):
    """Everything `card.toml` contains."""

    schema_name: Literal["cxpath/model/2"] = Field(default="cxpath/model/2", alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Name of the model."""
    version: str
    """Its version."""
    description: str
    """What it is, in one sentence."""
    intended_use: IntendedUse = INTENDED_USE
    """What it may be used for."""
    notice: str = Field(default=UNSTATED, min_length=1, pattern=r"^[^\n]+$")
    """What it was trained on, and what it was never validated on, in one sentence: the first warning of every
    result."""
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of `model.safetensors`."""
    validated_precisions: tuple[Literal["int8"], ...] = ()
    """Number formats besides float32 and bfloat16 in which the whole evaluation was repeated and every target
    was met: engine "auto" uses no others."""
    embedding_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of `embedding.safetensors`; empty for a model without one."""
    mpp: float = Field(gt=0.05, lt=5)
    """Micrometres per pixel of the network's input."""
    accepted_mpp: tuple[float, float]
    """Range of the *slide's* µm/px from which the input may be made."""
    stride_px: int
    """Tile origins must be multiples of this at the network's µm/px."""
    output_stride_px: int
    """Outputs are on every so many pixels."""
    halo_px: int = Field(ge=0, le=4096)
    """Width of the halo around a tile's core, pixels."""
    receptive_field_px: int
    """How far the network sees, pixels."""
    fine_classes: tuple[str, ...]
    """Outputs for the class of a cell, in order."""
    stain_classes: tuple[str, ...]
    """Outputs for its staining, in order."""
    region_classes: tuple[str, ...]
    """Outputs for the tissue around it, in order."""
    architecture: AnyArchitecture
    """What is needed to rebuild the network."""
    thresholds: Thresholds
    """Thresholds that turn outputs into cells, chosen on held-out tissue."""
    calibration: CardCalibration
    """How raw outputs become probabilities, fitted on held-out tissue."""
    stains: KnownStains | None = None
    """Stain directions of the training; slides in others are shown to the network in these. None in models
    packed before: they see every slide as it is."""
    training: TrainingRecord
    """How the weights were made."""
    data: tuple[DataSource, ...]
    """Every body of data that the weights were trained or measured on."""
    metrics: dict[MetricName, Metric]
    """Every measured figure, by its name."""
    reliability: Reliability | None = None
    """How reliable the probabilities are; none in models packed before it was measured."""
    evaluation: tuple[EvaluatedFigure, ...] = ()
    """What `cxpath model evaluate --record` wrote; empty until then."""

    @model_validator(mode="after")
    def _fits_this_software(self) -> Self:
        expected = (FINE_CLASSES, STAIN_CLASSES, REGION_CLASSES)
        if (self.fine_classes, self.stain_classes, self.region_classes) != expected:
            raise ValueError("classes are not the ones, or not in the order, that this cxpath knows")
        if (self.stride_px, self.output_stride_px) != (LATTICE_STRIDE_PX, OUTPUT_STRIDE_PX):
            raise ValueError(
                f"stride_px and output_stride_px must be {LATTICE_STRIDE_PX} and {OUTPUT_STRIDE_PX}"
            )
        # A core that starts on the lattice sees half of what lies beyond one lattice block on each side.
        if 2 * self.halo_px < self.receptive_field_px - self.stride_px:
            raise ValueError("halo_px is less than the receptive field reaches")
        if len(self.calibration.class_biases) not in (0, len(FINE_CLASSES)):
            raise ValueError("calibration.class_biases must have one entry for each of fine_classes, or none")
        low, high = self.accepted_mpp
        if not 0 < low <= self.mpp <= high:
            raise ValueError("accepted_mpp must enclose mpp")
        return self


# Reading `card.toml`, and the text that is written into one.


CARD_NAME = "card.toml"

EARLIER_SCHEMA = "cxpath/model/1"
"""Its staining threshold is for a probability that left out the doubt about the kind."""


def read_card(folder: Path) -> ModelCard:
    """Read the card of the model in `folder`.

    Raises
    ------
    ModelError
        When the card is missing, is no TOML or does not describe a model this version can run.
    """
    path = folder / CARD_NAME
    try:
        content = parse_toml(path.read_text(encoding="utf-8"))
        _refuse_earlier(content, path)
        return ModelCard.model_validate(content)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no model card there", "give a folder that `cxpath model list` names"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"{path}: {where}: {first['msg']}", "the model may belong to another version of cxpath"
        ) from error
    except ModelError:
        raise
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as TOML: {error}", "restore the model folder") from error


def _refuse_earlier(content: dict[str, Any], path: Path) -> None:
    if content.get("schema") == EARLIER_SCHEMA:
        raise ModelError(
            f"{path}: packed by an earlier cxpath, whose staining threshold was for another probability",
            "pack its training again: cxpath model pack",
        )


def card_text(card: ModelCard) -> str:
    """Return the card as TOML text; `read_card` gives back an equal card."""
    content = card.model_dump(mode="json", by_alias=True, exclude_none=True)
    return "\n".join(_table_lines(content, "")) + "\n"


def _table_lines(table: dict[str, Any], path: str) -> list[str]:
    """Plain values first, as TOML demands, then tables and lists of tables."""
    lines = [f"{key} = {_literal(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            lines += ["", f"[{inner}]", *_table_lines(value, inner)]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{inner}]]", *_table_lines(row, inner)]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _literal(value: Any) -> str:
    """JSON's strings, numbers, booleans and lists of these are TOML's too, but for an unescaped DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# `MODEL_CARD.md`: a model's card for people, made from `card.toml`; opens as a page on Hugging Face, too.


PAGE_NAME = "MODEL_CARD.md"
RESEARCH_USE = "For Research Use Only. Not for use in diagnostic procedures."

_HEAD = """---
license: {licence}
library_name: cxpath
pipeline_tag: object-detection
tags:
  - pathology
  - pd-l1
  - immunohistochemistry
---
"""
_USE = """## Intended use

Research on the combined positive score (CPS) in cervical cancer: scoring with intervals, agreement studies
and review by a person. It is not a medical device, and no figure below was measured on cervical cancer
stained for PD-L1 in clinical practice.
"""


def card_page(card: ModelCard, licence: str = "mit") -> str:
    """Return the page of a card, as Markdown.

    Parameters
    ----------
    card : ModelCard
    licence : str
        Of the weights, as Hugging Face spells it.
    """
    parts = [
        _HEAD.format(licence=licence),
        f"# {card.name} {card.version}\n\n**{RESEARCH_USE}**\n\n{card.description}\n\nNote: {card.notice}.\n",
        _USE,
        "\n".join(_how_to_use(card)),
        "\n".join(_data(card)),
        "\n".join(_training(card)),
        "\n".join(_figures(card.evaluation)),
        "\n".join(_limits(card)),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _how_to_use(card: ModelCard) -> Iterator[str]:
    low, high = card.accepted_mpp
    thresholds = card.thresholds
    yield "## Use\n"
    yield "Copy the folder next to your slides and name it:\n"
    yield f"```console\n$ cxpath score slide.svs --assay 22c3 --model {card.name}\n```\n"
    yield "| | |\n|---|---|"
    yield f"| weights | `{card.digest[:12]}` (SHA-256) |"
    yield f"| resolution | {card.mpp:g} µm/px, made from slides of {low:g} to {high:g} µm/px |"
    yield f"| output | a quarter of the input's size; halo {card.halo_px} px |"
    yield f"| classes | {', '.join(name.replace('_', ' ') for name in card.fine_classes)} |"
    yield (
        f"| thresholds | centre {thresholds.centre_threshold:g}, stained {thresholds.stained_threshold:g}, "
        f"least distance {thresholds.min_distance_um:g} µm |\n"
    )


def _data(card: ModelCard) -> Iterator[str]:
    yield "## Data\n"
    yield "| data | use | amount | licence |\n|---|---|---|---|"
    for source in card.data:
        yield f"| {source.name} | {source.use} | {source.amount} | {source.licence} |"
    yield ""


def _training(card: ModelCard) -> Iterator[str]:
    record = card.training
    yield "## Training\n"
    yield (
        f"`{record.command}`: {record.steps:,} steps in {record.minutes:.0f} minutes, seed {record.seed}, "
        f"{record.software}.\n"
    )


def _figures(figures: tuple[EvaluatedFigure, ...]) -> Iterator[str]:
    yield "## Figures\n"
    if not figures:
        yield "None was recorded; `cxpath model evaluate --record` records them.\n"
        return
    yield "Measured on images that took no part in training, with 95 % bootstrap intervals.\n"
    yield "| set | figure | value | interval | target | met |\n|---|---|---:|---:|---:|---|"
    for one in figures:
        interval = "" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
        met = "yes" if one.met else "**no**"
        yield f"| {one.set_name} | {one.label} | {one.value:.3f} | {interval} | {one.target} | {met} |"
    yield ""


def _limits(card: ModelCard) -> Iterator[str]:
    low, high = card.accepted_mpp
    yield "## Limits\n"
    yield f"- Slides outside {low:g} to {high:g} µm/px are not evaluable."
    yield "- For classes without real labels, the training data are synthetic tissue only."
    yield "- A laboratory's own stain, scanner and patients may differ: audit its first slides by hand."
    yield f"- {RESEARCH_USE}\n"
