"""`MODEL_CARD.md`: a model's card for people, made from `card.toml`; opens as a page on Hugging Face, too."""

from __future__ import annotations

from collections.abc import Iterator

from cxpath.network.model import EvaluatedFigure, ModelCard

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
    yield "- Classes without real labels in the training data rest on synthetic tissue alone."
    yield "- A laboratory's own stain, scanner and patients may differ: audit its first slides by hand."
    yield f"- {RESEARCH_USE}\n"
