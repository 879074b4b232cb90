import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cxpath.cli.exits import FAILED
from cxpath.exchange.safe_rows import write_rows
from cxpath.runs.configuration import load_configuration
from cxpath.values.cell_table import CellTable
from tests.cli.command import cxpath
from tests.cli.scored_folders import scored_folder
from tests.drawn_cells import many


def cells(positive: int) -> CellTable:
    """200 tumour cells, some positive with probability 0.35: the threshold of 0.5 misses them."""
    table = many({"T+": positive, "T-": 200 - positive}) if positive else many({"T-": 200})
    columns = table.columns()
    stained = np.where(columns["stained"] >= 0.5, 0.35, 0.02).astype(np.float32)
    return CellTable.from_columns(table.facts, **{**columns, "stained": stained})


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("laboratory")
    rows: list[list[str | float]] = []
    halved: list[list[str | float]] = []
    for number in range(60):
        positive = 0 if number % 3 == 0 else number
        scored_folder(folder / "results" / f"case{number:02d}", cells(positive))
        rows += [[f"case{number:02d}", reader, positive / 2] for reader in ("Ann", "Bob")]
        halved.append([f"case{number:02d}", "Ann", positive / 4])
    write_rows(folder / "reads.csv", ["case", "reader", "value"], rows)
    write_rows(folder / "halved.csv", ["case", "reader", "value"], halved)
    return folder / "reads.csv", folder / "results"


def test_the_threshold_is_written_with_where_it_comes_from(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "lab.toml"
    done = cxpath("calibrate", *laboratory, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 0.02 < found["stained_threshold"] <= 0.35
    assert found["concordance"]["estimate"] == pytest.approx(1)
    text = out.read_text(encoding="utf-8")
    assert tomllib.loads(text) == {
        "scoring": {"stained_threshold": found["stained_threshold"], "association_distance_um": 500.0}
    }
    assert found["map"] is None
    for words in ("nested cross-validation", "reads SHA-256", "model SHA-256", "Research Use Only"):
        assert words in text
    assert "is there already" in cxpath("calibrate", *laboratory, "--out", out).only_line


def test_a_map_is_written_where_it_helps_and_read_back_as_settings(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    reads, results = laboratory
    out = tmp_path / "lab.toml"
    done = cxpath("calibrate", reads.parent / "halved.csv", results, "--map", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    own = load_configuration(out).scoring.laboratory_map
    assert own is not None
    assert found["map"]["helps"]
    assert own.value_of(10.0)["value"] == pytest.approx(5, rel=0.1)
    assert own.concordance > own.concordance_unmapped
    assert (own.model_digest, own.reads_digest) == (found["model_digest"], found["reads_digest"])
    assert own.stained_threshold == found["stained_threshold"]


def test_a_map_that_does_not_help_is_left_out_and_that_is_said(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "lab.toml"
    printed = cxpath("calibrate", *laboratory, "--map", "--out", out).stdout
    assert "not written: the interval of the difference holds 0" in printed
    assert "no map is written" in out.read_text(encoding="utf-8")
    assert load_configuration(out).scoring.laboratory_map is None


def test_too_few_cases_are_refused_and_nothing_is_written(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    reads = tmp_path / "few.csv"
    write_rows(reads, ["case", "reader", "value"], [["case01", "Ann", 1], ["case02", "Ann", 2]])
    done = cxpath("calibrate", reads, laboratory[1], "--out", tmp_path / "lab.toml")
    assert done.returncode == FAILED
    assert "30 of each are needed" in done.only_line
    assert not (tmp_path / "lab.toml").exists()
