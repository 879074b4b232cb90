"""The slide error term of a model: from what `cxpath model evaluate` counted on slides of known truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.documents.evaluation import EVALUATION_NAME
from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.network.card import Metric, read_card
from cxpath.scores.settings import METRIC_PREFIX, RATES, SLOPES, SlideErrorSettings
from cxpath.training.pack import write_card
from scripts.studies.coverage import fit_slide_error

FEWEST_SLIDES = 10
_SHAPE = (6, 6)
_EVALUATE = (
    "evaluate with `cxpath model evaluate --on synthetic` or `--on restained`, each with `--out FOLDER`"
)


@dataclass(frozen=True)
class MeasuredError:
    """An error term, and what it was measured on.

    Parameters
    ----------
    error : SlideErrorSettings
    arms : tuple of str
        Which slides, by the names of their recipes' arms.
    model_digest : str or None
        Of the weights that were evaluated; None while an evaluation is not finished.
    """

    error: SlideErrorSettings
    arms: tuple[str, ...]
    model_digest: str | None

    def metrics(self) -> dict[str, Metric]:
        """Return the entries of a model card."""
        slides = self.error.held_out_slides
        several = f"arms {' and '.join(self.arms)}, which weigh alike"
        named = f"arm {self.arms[0]}" if len(self.arms) == 1 else several
        method = f"maximum likelihood over {slides} slides of {named}"
        return {
            METRIC_PREFIX + name: Metric(value=getattr(self.error, name), count=slides, method=method)
            for name in (*RATES, *SLOPES)
        }


def measure_slide_error(folders: Sequence[Path], arms: Sequence[str]) -> MeasuredError:
    """Estimate the error term from the folders of evaluations of one model.

    Parameters
    ----------
    folders : sequence of Path
        Each the `--out` of `cxpath model evaluate --on synthetic` or `--on restained`.
    arms : sequence of str
        Such as "held_out" and "restained"; slides of all of them are taken together.

    Raises
    ------
    MissingFileError
        When a folder contains no evaluated slide.
    ConfigurationError
        When the slides of an arm are too few, are not of one model, or say nothing about one of the rates.
    """
    try:
        slides = slides_of_arms(folders, arms)
        error = fit_slide_error(slides.tables)
    except ValueError as problem:
        named = ", ".join(map(str, folders))
        raise ConfigurationError(
            f"{named}: arm {' and '.join(arms)}: {problem}", "evaluate more slides"
        ) from problem
    return MeasuredError(error, tuple(arms), _one_model_digest(folders))


@dataclass(frozen=True, eq=False)
class EvaluatedSlides:
    """What was counted on slides of known truth.

    Parameters
    ----------
    tables : int array, (slides, 6, 6)
        Truth against call.
    arm : array of str, (slides,)
    """

    tables: NDArray[np.int64]
    arm: NDArray[np.str_]


def slides_of_arms(folders: Sequence[Path], arms: Sequence[str]) -> EvaluatedSlides:
    """Return the slides of all arms, arm by arm; see `measure_slide_error`."""
    tables = []
    for arm in arms:
        own = np.concatenate([_tables(folder, arm) for folder in folders])
        if len(own) < FEWEST_SLIDES:
            named = ", ".join(map(str, folders))
            raise ConfigurationError(
                f"{named}: {len(own)} slides of arm {arm!r}; at least {FEWEST_SLIDES} are needed", _EVALUATE
            )
        tables.append(own)
    numbers = [len(own) for own in tables]
    return EvaluatedSlides(np.concatenate(tables), np.repeat(np.array(arms), numbers))


def record_slide_error(measured: MeasuredError, model: Path) -> None:
    """Write the error term into a model's card, in place of an earlier one; all else of it stays.

    Raises
    ------
    ConfigurationError
        When the evaluation is not finished, or was of other weights.
    ModelError, OutputError
        When the card cannot be read or written.
    """
    card = read_card(model)
    if measured.model_digest is None:
        raise ConfigurationError(
            f"no {EVALUATION_NAME} says which model was evaluated", "let `evaluate` finish"
        )
    if measured.model_digest != card.digest:
        raise ConfigurationError(f"{model}: not the model that was evaluated", "evaluate it again")
    changed = card.model_copy(update={"metrics": card.metrics | measured.metrics()})
    write_card(changed, model)


def _tables(folder: Path, arm: str) -> NDArray[np.int64]:
    """Return truth against call of each slide of an arm, (slides, 6, 6)."""
    paths = sorted((folder / "items").glob("*.json"))
    if not paths:
        raise MissingFileError(f"{folder}: no evaluated slides there", _EVALUATE)
    items = [_read(path) for path in paths]
    own = [item for item in items if isinstance(item, dict) and item.get("arm") == arm and "table" in item]
    names = [str(item.get("name")) for item in own]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"{folder}: slide {twice[0]} was evaluated more than once, by different models or settings",
            "evaluate into a new folder",
        )
    tables = [np.asarray(item["table"]) for item in own]
    for name, table in zip(names, tables, strict=True):
        if table.shape != _SHAPE or table.dtype.kind not in "iu" or (table < 0).any():
            raise ConfigurationError(f"{folder}: slide {name}: its table is not 6 by 6 counts", _EVALUATE)
    return np.array(tables, dtype=np.int64).reshape(-1, *_SHAPE)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: not readable JSON", "delete it and evaluate again") from error


def _one_model_digest(folders: Sequence[Path]) -> str | None:
    digests = {_model_digest(folder) for folder in folders}
    if len(digests - {None}) > 1:
        raise ConfigurationError(
            f"{', '.join(map(str, folders))}: evaluations of different models",
            "give evaluations of one model",
        )
    return None if None in digests else digests.pop()


def _model_digest(folder: Path) -> str | None:
    path = folder / EVALUATION_NAME
    if not path.is_file():
        return None
    document = _read(path)
    model = document.get("model") if isinstance(document, dict) else None
    return str(model["digest"]) if isinstance(model, dict) and "digest" in model else None
