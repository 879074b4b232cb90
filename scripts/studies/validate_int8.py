"""Compare a model in int8 with itself in torch, slide by slide, and record it in the card when both agree.

    python -m scripts.studies.validate_int8 MODEL [--data FOLDER] [--synthetic N] [--restained N] [--record]

Slides are those of `cxpath model evaluate --on synthetic` and of its restained slides, the first N of each.
Agreement means that the 95 % interval of the difference (bootstrap over slides) lies within 0.01 for macro-F1
and for the concordance of log10(CPS + 1) in every arm of 30 slides or more, and that there is such an arm.
`network.engine=auto` then chooses int8. For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.app.slide_cells import quantised_network
from cxpath.errors import CxpathError
from cxpath.evaluation import (
    bundled_settings,
    evaluation_settings,
    make_test_slide,
    plan_slides,
)
from cxpath.evaluation.classifier import CellClassifier, picture_stains
from cxpath.evaluation.restained_slides import ARM, count_tile, mosaic_tiles, plan_mosaics
from cxpath.evaluation.settings import RestainedSetSettings, SyntheticSettings
from cxpath.evaluation.synthetic import count_slide, right_side, score_concordance
from cxpath.metrics import macro_f1, predicted_cps, true_cps
from cxpath.network import OpenvinoEngine, choose_device, load_model
from cxpath.network.card import read_card
from cxpath.network.model import model_folder
from cxpath.synth import SOURCES, Part, prepare, read_tiles
from cxpath.training.pack import write_card

ALLOWED, FEWEST_SLIDES, REPEATS = 0.01, 30, 2_000
CUTOFFS = (1.0, 10.0)

Tables = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Compared:
    """What was counted of the slides of one arm by both engines; int arrays, (slides, 6, 6)."""

    arm: str
    torch: Tables
    int8: Tables

    def difference(self, figure: Callable[[Tables], float]) -> tuple[float, float]:
        """Return the 95 % interval of int8 less torch, slides drawn with replacement."""
        rng = np.random.default_rng(1)
        rows = rng.integers(len(self.torch), size=(REPEATS, len(self.torch)))
        found = [figure(self.int8[row]) - figure(self.torch[row]) for row in rows]
        low, high = np.nanquantile(found, (0.025, 0.975))
        return float(low), float(high)

    def agrees(self) -> bool:
        """Whether both intervals lie within what is allowed."""
        ends = (*self.difference(pooled_f1), *self.difference(concordance))
        return all(abs(end) <= ALLOWED for end in ends)


def pooled_f1(tables: Tables) -> float:
    """Return the macro-F1 of all cells of some slides."""
    return macro_f1(tables.sum(axis=0))


def concordance(tables: Tables) -> float:
    """Return the concordance of called and true CPS over slides that have both."""
    return score_concordance(*_scores(tables))


def _scores(tables: Tables) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known = (tables[:, :2].sum(axis=(1, 2)) > 0) & (tables[:, :, :2].sum(axis=(1, 2)) > 0)
    return np.array([true_cps(one) for one in tables[known]]), np.array(
        [predicted_cps(one) for one in tables[known]]
    )


def lines_of(compared: Compared) -> Iterator[str]:
    """Yield the row of one arm as Markdown."""
    cells = [compared.arm, str(len(compared.torch))]
    for figure in (pooled_f1, concordance):
        low, high = compared.difference(figure)
        cells.append(f"{figure(compared.torch):.3f}, {figure(compared.int8):.3f} ({low:+.3f} to {high:+.3f})")
    for cutoff in CUTOFFS:
        sides = [right_side(*_scores(tables), cutoff) for tables in (compared.torch, compared.int8)]
        cells.append(", ".join(f"{100 * side:.0f}" for side in sides) + " %")
    yield f"| {' | '.join(cells)} |"


def is_validated(arms: list[Compared]) -> bool:
    """Whether int8 agrees with torch wherever there are enough slides to say so."""
    enough = [arm for arm in arms if len(arm.torch) >= FEWEST_SLIDES]
    return bool(enough) and all(arm.agrees() for arm in enough)


def compare(engines: tuple[CellClassifier, CellClassifier], options: argparse.Namespace) -> list[Compared]:
    """Count all slides by both engines, arm by arm."""
    counted: dict[str, list[tuple[Tables, Tables]]] = {}
    for arm, both in (*_synthetic(engines, options.synthetic), *_restained(engines, options)):
        counted.setdefault(arm, []).append(both)
        print(f"{arm}: {len(counted[arm])}", file=sys.stderr)
    return [
        Compared(arm, *(np.stack(tables) for tables in zip(*both, strict=True)))
        for arm, both in counted.items()
    ]


def _synthetic(
    engines: tuple[CellClassifier, CellClassifier], number: int
) -> Iterator[tuple[str, tuple[Tables, Tables]]]:
    settings = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
    for planned in plan_slides(settings)[:number]:
        slide = make_test_slide(planned, settings.tissue, engines[0].mpp)
        first, second = (count_slide(planned, slide, one, settings.match_radius_um)[0] for one in engines)
        yield planned.arm.name, (np.array(first.table), np.array(second.table))


def _restained(
    engines: tuple[CellClassifier, CellClassifier], options: argparse.Namespace
) -> Iterator[tuple[str, tuple[Tables, Tables]]]:
    settings = evaluation_settings(RestainedSetSettings, bundled_settings("restained"))
    prepared = {}
    if options.restained and options.data:
        for source in SOURCES:
            labelled = read_tiles(options.data, [Part.VALIDATE], [source])
            prepared[source.name] = [
                prepare(tile, np.random.default_rng([settings.seed, number]))
                for number, tile in enumerate(labelled)
            ]
    for planned in plan_mosaics(settings)[: options.restained if prepared else 0]:
        tiles = list(mosaic_tiles(planned, prepared[planned.source.name], settings))
        stains = picture_stains([tile.rgb for tile in tiles])
        radius_um = settings.mosaic.match_radius_um
        first, second = (
            np.sum([count_tile(tile, one.calls(tile.rgb, stains), radius_um)[0] for tile in tiles], 0)
            for one in engines
        )
        yield ARM, (first, second)


def main() -> None:
    """Read the options, compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--synthetic", type=int, default=360)
    parser.add_argument("--restained", type=int, default=40)
    parser.add_argument("--record", action="store_true", help="in the model's card")
    options = parser.parse_args()
    if options.restained and not options.data:
        parser.error("restained slides need --data FOLDER; without them, pass --restained 0")
    try:
        model, device = load_model(options.model), choose_device("cpu")
        int8 = OpenvinoEngine(model, device, quantised_network(model))
        arms = compare((CellClassifier(model, device), CellClassifier(model, device, int8)), options)
        print("| arm | slides | macro-F1: torch, int8 (difference) | concordance | right side of 1 | of 10 |")
        print("|---|---:|---|---|---|---|")
        print("\n".join(line for arm in arms for line in lines_of(arm)))
        if options.record:
            _record(model_folder(options.model), arms)
    except CxpathError as error:
        sys.exit(str(error))


def _record(model: Path, arms: list[Compared]) -> None:
    card = read_card(model)
    write_card(
        card.model_copy(update={"validated_precisions": ("int8",) if is_validated(arms) else ()}), model
    )


if __name__ == "__main__":
    main()
