"""A laboratory's own threshold and map: fitted to its reads, written with where they come from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxpath.agreement.base import Interval, Statistic
from cxpath.app.calibrate import Calibration, Fit, calibrate, with_interval, write_configuration
from cxpath.app.configuration import load_configuration
from cxpath.errors import MissingFileError, OutputError, StudyError
from tests.cli.scored_folders import scored_folder
from tests.report.run_folders import RUN
from tests.synthetic_cells import many

CASES = 60
CELLS = 200
FAINT = 0.42
"""Cells that a reader calls stained and the present threshold of 0.5 does not."""


def _stained(case: int) -> int:
    return 0 if case % 5 == 0 else 1 + (case * 37) % 60


def _faint(case: int) -> int:
    return 0 if case % 5 == 0 else (case * 53) % 50


def _folder(results: Path, case: int, **changes: Any) -> Path:
    cells = many({"T+": _stained(case) + _faint(case), "T-": CELLS - _stained(case) - _faint(case)})
    stained = cells.stained.copy()
    stained[_stained(case) : _stained(case) + _faint(case)] = FAINT
    return scored_folder(results / f"case{case:02d}", replace(cells, stained=stained), **changes)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Reads that count faint cells, and results whose threshold leaves them out; do not change them."""
    base = tmp_path_factory.mktemp("laboratory")
    for case in range(CASES):
        _folder(base / "results", case)
    write_reads(base / "reads.csv", lambda case: 100 * (_stained(case) + _faint(case)) / CELLS)
    return base / "reads.csv", base / "results"


def write_reads(path: Path, score: Callable[[int], float], cases: int = CASES, what: str = "CPS") -> Path:
    rows = [f"case{case:02d},Ann,{what},{score(case):g}" for case in range(cases)]
    path.write_text("\n".join(["case,reader,score,value", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(laboratory: tuple[Path, Path]) -> Calibration:
    return calibrate(laboratory[0], [laboratory[1]], fit=Fit.THRESHOLD_AND_MAP)


def test_the_threshold_that_counts_what_readers_count_is_chosen(found: Calibration) -> None:
    assert found.choice.threshold < FAINT
    assert found.present == 0.5
    assert found.cases == CASES
    assert found.choice.honest.value > found.choice.present


def test_the_document_states_both_thresholds_and_where_they_come_from(found: Calibration) -> None:
    document = found.document()
    assert document.stained_threshold == found.choice.threshold
    assert document.present_threshold == 0.5
    assert document.concordance.estimate == pytest.approx(found.choice.honest.value)
    assert (document.model_digest, document.reads_digest) == (found.model_digest, found.reads_digest)
    assert document.map is not None
    assert replace(found, map_choice=None).document().map is None


def test_what_is_written_is_a_configuration_that_loads(found: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "calibrated.toml"
    write_configuration(found, path)
    text = path.read_text(encoding="utf-8")
    assert load_configuration(path).scoring.stained_threshold == pytest.approx(found.choice.threshold)
    assert f"reads SHA-256 {found.reads_digest}" in text
    assert "For Research Use Only" in text
    assert tomllib.loads(text)["scoring"].keys() >= {"stained_threshold", "association_distance_um"}


def test_a_map_that_does_not_help_is_left_out_and_that_is_said(found: Calibration, tmp_path: Path) -> None:
    assert found.map_choice is not None
    useless = replace(found, map_choice=replace(found.map_choice, gain=statistic(0.0, -0.1, 0.1)))
    assert useless.map_choice is not None
    assert not useless.map_choice.helps
    write_configuration(useless, tmp_path / "a.toml")
    text = (tmp_path / "a.toml").read_text(encoding="utf-8")
    assert "# The interval of the difference contains 0: no map is written." in text
    assert "laboratory_map" not in tomllib.loads(text)["scoring"]


def test_a_map_that_helps_is_written_with_what_it_is_bound_to(found: Calibration, tmp_path: Path) -> None:
    assert found.map_choice is not None
    helpful = replace(found, map_choice=replace(found.map_choice, gain=statistic(0.2, 0.1, 0.3)))
    write_configuration(helpful, tmp_path / "a.toml")
    written = load_configuration(tmp_path / "a.toml").scoring.laboratory_map
    assert written is not None
    assert (written.model_digest, written.assay, written.cases) == (found.model_digest, found.assay, CASES)
    assert written.scores == pytest.approx(found.map_choice.score_map.scores, rel=1e-4)


def test_a_file_that_is_there_is_replaced_only_when_asked(found: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        write_configuration(found, path)
    assert path.read_text() == "mine"
    write_configuration(found, path, overwrite=True)
    assert path.read_text() != "mine"


def statistic(value: float, low: float, high: float) -> Statistic:
    return Statistic("k", "K", value, (Interval(low, high, "bootstrap"),), 30, "", "")


def test_a_figure_is_printed_with_its_interval_where_it_has_one() -> None:
    one = statistic(0.9123, 0.87, 0.941)
    assert with_interval(one) == "0.912 (0.870 to 0.941)"
    assert with_interval(one, "+") == "+0.912 (+0.870 to +0.941)"
    assert with_interval(replace(one, intervals=())) == "0.912"


# What one threshold cannot serve.


def test_reads_of_another_score_and_of_no_case_are_refused(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    tps = write_reads(tmp_path / "tps.csv", float, what="TPS")
    with pytest.raises(StudyError, match="contains no reads of the CPS"):
        calibrate(tps, [laboratory[1]])
    strangers = tmp_path / "strangers.csv"
    strangers.write_text("case,reader,score,value\nX,Ann,CPS,1\n")
    with pytest.raises(StudyError, match="no case has both reads and an evaluable result"):
        calibrate(strangers, [laboratory[1]])


def test_results_of_two_models_are_refused(laboratory: tuple[Path, Path], tmp_path: Path) -> None:
    _folder(tmp_path, 0)
    _folder(tmp_path, 1, provenance={"model_digest": "ff" * 32})
    with pytest.raises(StudyError, match="the results come from 2 models"):
        calibrate(laboratory[0], [tmp_path])


def test_a_result_that_nobody_read_need_not_be_of_the_same_model(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    _folder(tmp_path, CASES + 1, provenance={"model_digest": "ff" * 32})
    alone, both = (calibrate(laboratory[0], found) for found in ([laboratory[1]], [laboratory[1], tmp_path]))
    assert both.document() == alone.document()


def test_a_map_is_never_fitted_to_cells_of_other_programs(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    for case in range(CASES):
        folder = _folder(tmp_path, case)
    (folder / "run.json").write_text(json.dumps(RUN | {"given_cells": {"form": "CSV", "cells": 3}}))
    with pytest.raises(StudyError, match="its cells were read from a file"):
        calibrate(laboratory[0], [tmp_path], fit=Fit.THRESHOLD_AND_MAP)


def test_too_few_cases_and_missing_files_are_said(laboratory: tuple[Path, Path], tmp_path: Path) -> None:
    few = write_reads(tmp_path / "few.csv", float, cases=3)
    with pytest.raises(StudyError, match="3 cases"):
        calibrate(few, [laboratory[1]])
    with pytest.raises(MissingFileError):
        calibrate(tmp_path / "gone.csv", [laboratory[1]])


def test_slides_that_are_not_evaluable_say_nothing_of_a_threshold(tmp_path: Path) -> None:
    reads = write_reads(tmp_path / "reads.csv", lambda case: float(np.exp(case % 5)), cases=1)
    _folder(tmp_path / "results", 0, evaluable=False)
    with pytest.raises(StudyError, match="no case has both reads and an evaluable result"):
        calibrate(reads, [tmp_path / "results"])
