"""Writing into a model's card what an evaluation measured against targets."""

from __future__ import annotations

from pathlib import Path

from cxpath.exchange.whole_file import whole_file
from cxpath.network.card import JudgedFigure
from cxpath.network.card_file import CARD_NAME, card_text, read_card
from cxpath.training.judging.evaluation_document import Evaluation
from cxpath.training.judging.figure import Figure
from cxpath.values.errors import ConfigurationError


def record_in_card(evaluation: Evaluation, folder: Path) -> None:
    """Put the figures that have a target into the card, in place of earlier ones of the same sets.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        The model that was judged.

    Raises
    ------
    ConfigurationError
        When only part of a set was measured, or the folder holds other weights.
    ModelError, OutputError
        When the card cannot be read or written.
    """
    card = read_card(folder)
    if evaluation.limit is not None:
        raise ConfigurationError("a limited evaluation is not recorded in a card", "leave out --limit")
    if card.digest != evaluation.model.digest:
        raise ConfigurationError(f"{folder}: not the model that was evaluated", "evaluate it again")
    judged = tuple(_judged(figure) for figure in evaluation.figures if figure.target is not None)
    again = {figure.set_name for figure in judged}
    kept = tuple(figure for figure in card.evaluation if figure.set_name not in again)
    changed = card.model_copy(update={"evaluation": (*kept, *judged)})
    with whole_file(folder / CARD_NAME) as partial:
        partial.write_text(card_text(changed), encoding="utf-8", newline="\n")


def _judged(figure: Figure) -> JudgedFigure:
    if figure.value is None or figure.met is None:
        raise ConfigurationError(f"{figure.set_name}: {figure.label}: nothing to measure it on was there")
    return JudgedFigure(
        set_name=figure.set_name,
        name=figure.name,
        label=figure.label,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        level=figure.level,
        target=str(figure.target),
        met=figure.met,
        n=figure.n,
        n_of=figure.n_of,
        mpp=figure.mpp,
        method=figure.method,
    )
