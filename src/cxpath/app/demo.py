"""A synthetic slide with known truth, scored at once, and the check that the installation works."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import numpy as np

from cxpath import __version__
from cxpath.app.configuration import ScoreRequest
from cxpath.app.results import PACKAGES
from cxpath.app.score_slide import Progress, score_slide
from cxpath.data import StainBasis
from cxpath.errors import CxpathError, OutputError
from cxpath.io import write_json
from cxpath.network import Detector, choose_device, list_models, load_model
from cxpath.scores import SlideScore
from cxpath.synth import SlideTruth, make_field, random_recipe, write_synthetic_slide

# The demo: a synthetic slide whose every cell is known, scored like any other.


@dataclass(frozen=True, eq=False)
class DemoSlide:
    """A synthetic slide and its truth."""

    path: Path
    truth: SlideTruth


def make_demo_slide(out: Path, seed: int, cps: float) -> DemoSlide:
    """Make the slide next to the results folder, with its truth in a JSON of the same name.

    Parameters
    ----------
    out : Path
        The results folder to be.
    seed : int
    cps : float
        About the true CPS to make.
    """
    path = out.parent / f"{out.name}-slide.svs"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be written: {error.strerror}", "choose another --out"
        ) from error
    truth = write_synthetic_slide(path, seed=seed, cps=cps)
    counts = {name: value for name, value in vars(truth).items() if isinstance(value, int | float)}
    write_json(path.with_suffix(".truth.json"), {"seed": seed, **counts})
    return DemoSlide(path, truth)


def score_demo_slide(
    slide: DemoSlide, out: Path, device: str, progress: Progress | None = None
) -> SlideScore:
    """Score a synthetic slide as if it had been stained with 22C3; replaces an earlier demo's result."""
    request = ScoreRequest(slide.path, out, overwrite=True, assay="22c3", device=device)
    return score_slide(request, progress)


# What `cxpath doctor` looks at. Every check runs, whatever the ones before it found.


SELF_TEST_SEED = 20261123
SELF_TEST_SIDE_PX = 512
SELF_TEST_MARGIN = 0.4


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what, what was found, and whether that is fine."""

    what: str
    found: str
    fine: bool


def examine(device: str = "auto") -> Iterator[Finding]:
    """Look at everything that scoring a slide needs.

    Parameters
    ----------
    device : str
        "auto", "cpu" or "cuda".

    Yields
    ------
    Finding
    """
    yield Finding("cxpath", __version__, fine=True)
    yield Finding("python", platform.python_version(), fine=True)
    for package in PACKAGES:
        yield _package(package)
    yield _checked("device", lambda: choose_device(device).describe())
    yield _checked("models", _models)
    yield _checked("one tile", lambda: _one_tile(device))


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), fine=True)
    except PackageNotFoundError:
        return Finding(name, "not installed: pip install cxpath again", fine=False)


def _checked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look(), fine=True)
    except CxpathError as error:
        return Finding(what, str(error), fine=False)


def _models() -> str:
    cards = list_models()
    for card in cards:
        load_model(card.name)  # proves the digest
    return ", ".join(f"{card.name} {card.version}" for card in cards)


def _one_tile(device: str) -> str:
    """Find the cells of a synthetic tile and compare their number with the truth."""
    rng = np.random.default_rng(SELF_TEST_SEED)
    recipe = random_recipe(rng, size_px=(SELF_TEST_SIDE_PX, SELF_TEST_SIDE_PX), mpp=0.5)
    field = make_field(recipe, rng)
    detector = Detector(load_model("small"), choose_device(device), StainBasis())
    started = perf_counter()
    (peaks,) = detector.detect(field.rgb[None])
    seconds = perf_counter() - started
    words = f"{len(peaks)} cells found, {len(field.cells)} made, {seconds:.2f} s"
    if abs(len(peaks) - len(field.cells)) > SELF_TEST_MARGIN * len(field.cells):
        raise CxpathError(
            words, "the network finds too few or too many cells: reinstall, or try --device cpu"
        )
    return words
