"""The Python API gives what the command gives, needs no results folder, and its examples run."""

from __future__ import annotations

import doctest
import gc
import inspect
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cxpath as cx
from cxpath.app.api import _importing_next_to_threads
from tests.conftest import SyntheticSlide

PUBLIC: list[str] = vars(cx)["__all__"]


@pytest.fixture(scope="module")
def run_folder(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api") / "run"
    cx.score_slide(synthetic_slide.path, folder, assay="22c3", device="cpu")
    return folder


def test_cells_of_the_api_are_the_cells_of_the_run(synthetic_slide: SyntheticSlide, run_folder: Path) -> None:
    with cx.open_slide(synthetic_slide.path) as slide:
        cells = cx.find_cells(slide, cx.find_tissue(slide), device="cpu")
    written = cx.read_cells(run_folder / "cells.parquet")
    assert cells.facts == written.facts
    for name, column in cells.columns().items():
        assert np.array_equal(column, getattr(written, name), equal_nan=column.dtype.kind == "f"), name


def test_cells_read_back_give_the_score_of_the_run(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    """With a staining threshold of the lab's own, too: it travels with the cells."""
    own = cx.load_configuration(None, ["scoring.stained_threshold=0.35"])
    run = cx.score_slide(
        synthetic_slide.path, tmp_path / "own", assay="22c3", device="cpu", configuration=own
    )
    cells = cx.read_cells(tmp_path / "own" / "cells.parquet")
    assert cells.facts.stained_threshold == 0.35
    again = cx.score_cells(cells, assay="22c3")
    assert again.counts == run.counts
    assert again.cps == run.cps
    assert again.tps == run.tps


def test_given_cells_keep_the_threshold_of_whoever_wrote_them(
    synthetic_slide: SyntheticSlide, run_folder: Path, tmp_path: Path
) -> None:
    own = cx.load_configuration(None, ["scoring.stained_threshold=0.35"])
    cells = run_folder / "cells.parquet"
    first = cx.score_slide(synthetic_slide.path, tmp_path / "a", cells=cells, configuration=own)
    again = cx.score_slide(synthetic_slide.path, tmp_path / "b", cells=tmp_path / "a" / "cells.parquet")
    assert again.counts == first.counts


def test_cells_from_elsewhere_do_not_carry_the_networks_error(
    synthetic_slide: SyntheticSlide, run_folder: Path, tmp_path: Path
) -> None:
    """The same cells, once as the network's own and once as anybody's: one count, another interval."""
    own = cx.read_cells(run_folder / "cells.parquet")
    anybodys = replace(own, facts=replace(own.facts, model_digest=""))
    cx.write_cells(anybodys, tmp_path / "cells.parquet")
    given = cx.score_slide(
        synthetic_slide.path, tmp_path / "given", assay="22c3", cells=tmp_path / "cells.parquet"
    )
    found = cx.score_cells(own, assay="22c3")
    assert given.cps is not None
    assert found.cps is not None
    assert given.cps.value == found.cps.value
    assert given.cps.interval_tissue != found.cps.interval_tissue
    assert given.cps.interval_tissue == cx.score_cells(anybodys, assay="22c3").cps.interval_tissue  # type: ignore[union-attr]


def test_a_slide_that_does_not_suit_the_model_is_refused_by_name(synthetic_slide: SyntheticSlide) -> None:
    with (
        cx.open_slide(synthetic_slide.path, 1.2) as slide,
        pytest.raises(cx.CxpathError, match=r"\.svs: not evaluable: 1\.2 µm per pixel"),
    ):
        cx.find_cells(slide)


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - {"__version__"}))
def test_every_public_name_is_documented_and_its_examples_run(
    name: str, synthetic_slide: SyntheticSlide
) -> None:
    public = getattr(cx, name)
    assert inspect.getdoc(public)
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    for example in finder.find(public, name, globs={"demo_slide": synthetic_slide.path}):
        runner.run(example)
    assert runner.failures == 0


def test_no_public_function_hides_options() -> None:
    """A misspelt option is an error with its name, not a silent nothing."""
    functions = [getattr(cx, name) for name in PUBLIC if inspect.isfunction(getattr(cx, name))]
    assert len(functions) >= 8
    for function in functions:
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, function.__name__


@pytest.mark.parametrize("collects", [True, False])
def test_an_import_that_fails_leaves_pythons_own_settings_as_they_were(*, collects: bool) -> None:
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    (gc.enable if collects else gc.disable)()
    try:
        with suppress(ImportError), _importing_next_to_threads():
            assert not gc.isenabled()
            assert sys.getswitchinterval() < interval
            raise ImportError
        assert gc.isenabled() == collects
    finally:
        gc.enable()
    assert sys.getswitchinterval() == interval
    assert gc.get_freeze_count() == frozen
