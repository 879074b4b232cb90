""""""

from __future__ import annotations

import csv
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from cxpath.app.configuration import load_configuration
from cxpath.cli.output import FAILED, USAGE
from cxpath.data.cells import CellTable
from cxpath.io.reads import read_reads
from cxpath.io.tables import write_rows
from tests.agreement.simulated_reads import simulated_reads
from tests.cli.command import cxpath
from tests.cli.scored_folders import scored_folder
from tests.synthetic_cells import many

FEW = ("--replicates", "100")


def table(path: Path, cases: int = 12, software: float | None = None) -> Path:
    reads = simulated_reads(cases=cases, software_error=software)
    rows = [[r.case, r.reader, "NE" if math.isnan(r.value.number) else r.value.number] for r in reads]
    write_rows(path, ["case", "reader", "value"], rows)
    return path


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("study")
    reads = table(folder / "reads.csv", software=0.3)
    done = cxpath("agree", "run", reads, "--software", "AI", "--out", folder / "out", *FEW)
    assert done.returncode == 0, done.stderr
    return folder / "out", done.stdout


def test_a_study_leaves_document_report_tables_and_figures(studied: tuple[Path, str]) -> None:
    out, printed = studied
    document = json.loads((out / "agreement.json").read_text(encoding="utf-8"))
    assert document["schema"] == "cxpath/agreement/2"
    assert document["software"] == "AI"
    assert "Research Use Only" in document["research_use"]
    assert {"estimate", "interval", "n", "method", "source"} <= document["statistics"][0].keys()
    assert "readers: ICC(A,1)" in printed
    names = {path.name for path in (out / "figures").iterdir()}
    assert {
        "scatter.svg",
        "scatter.pdf",
        "bland-altman.svg",
        "passing-bablok.svg",
        "confusion.svg",
        "onest.svg",
    } <= names
    with (out / "tables" / "comparison.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["Scale or cut-off", "Statistic", "Estimate"]
    latex = (out / "tables" / "comparison.tex").read_text(encoding="utf-8")
    assert "\\toprule" in latex
    assert "α" not in latex


def test_the_page_is_one_offline_file_that_says_what_was_done(studied: tuple[Path, str]) -> None:
    page = (studied[0] / "report.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/svg+xml;base64,") >= 6
    for words in ("Read this first", "Methods, to quote", "Shrout and Fleiss (1979)", "cxpath ", "seed 1"):
        assert words in page


def test_an_earlier_study_stays_unless_told(studied: tuple[Path, str]) -> None:
    out, _ = studied
    reads = out.parent / "reads.csv"
    refused = cxpath("agree", "run", reads, "--out", out, *FEW)
    assert refused.returncode == FAILED
    assert "holds a study already" in refused.only_line
    done = cxpath("agree", "run", reads, "--software", "AI", "--out", out, "--overwrite", "--json", *FEW)
    assert json.loads(done.stdout)["software"] == "AI"


def test_results_are_joined_by_name(tmp_path: Path) -> None:
    for number in range(3):
        scored_folder(tmp_path / "results" / f"case{number:03d}", many({"T+": 10 * number, "T-": 190}))
    scored_folder(tmp_path / "results" / "stranger", many({"T+": 10, "T-": 190}))
    done = cxpath(
        "agree", "run", table(tmp_path / "reads.csv"), "--results", tmp_path / "results",
        "--out", tmp_path / "out", "--json", *FEW,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["software"] == "cxpath"
    values = [value for value in document["rounds"][0]["compared"]["values"] if value is not None]
    assert values == pytest.approx([0, 5, 100 * 20 / 210], abs=1e-4)
    assert any("9 cases have no cxpath result" in warning["text"] for warning in document["warnings"])
    assert any("stranger" in warning["text"] for warning in document["warnings"])
    assert {warning["code"] for warning in document["warnings"]} <= {"join", "caveat", "reads_table"}


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--software", "Eve"), FAILED, "no reader named 'Eve'"),
        (("--score", "TPS"), FAILED, "one reader only"),
        (("--cutoffs", "10,1"), USAGE, "cut-offs must rise"),
        (("--cutoffs", "one"), USAGE, "cutoffs"),
        (("--results", "nowhere"), FAILED, "holds no result"),
    ],
)
def test_one_clear_line_for_what_is_wrong(
    tmp_path: Path, words: tuple[str, ...], code: int, line: str
) -> None:
    reads = tmp_path / "reads.csv"
    write_rows(reads, ["case", "reader", "value"], [["a", "Ann", 1], ["b", "Ann", 2]])
    done = cxpath("agree", "run", reads, "--out", tmp_path / "out", *words)
    assert done.returncode == code
    assert line in done.only_line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["reads.csv", "reads.xlsx"])
def test_the_template_reads_back_as_nothing_read(tmp_path: Path, name: str) -> None:
    done = cxpath("agree", "init", tmp_path / name, "--cases", "4", "--readers", "2", "--json")
    assert json.loads(done.stdout) == {"template": str(tmp_path / name)}
    reads = read_reads(tmp_path / name).reads
    assert len(reads) == 8
    assert {read.value.state for read in reads} == {"missing"}
    assert "is there already" in cxpath("agree", "init", tmp_path / name).only_line


def test_a_plan_in_words_and_as_json() -> None:
    words = ("agree", "plan", "icc", "--value", "0.8", "--width", "0.3", "--studies", "200")
    assert "cases    " in cxpath(*words).stdout
    assert json.loads(cxpath(*words, "--json").stdout)["study"]["cases"] > 10
    assert cxpath("agree", "plan", "icc", "--value", "0.8").returncode == USAGE


def test_cells_of_two_people(tmp_path: Path) -> None:
    def points(places: list[list[float]]) -> str:
        feature = {
            "type": "Feature",
            "geometry": {"type": "MultiPoint", "coordinates": places},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor: Positive"}},
        }
        return json.dumps({"type": "FeatureCollection", "features": [feature]})

    grid = [[40.0 * x, 40.0 * y] for x in range(5) for y in range(5)]
    (tmp_path / "a.geojson").write_text(points(grid), encoding="utf-8")
    (tmp_path / "b.geojson").write_text(points([[x + 8, y] for x, y in grid[5:]]), encoding="utf-8")
    words = ("agree", "cells", "--truth", tmp_path / "a.geojson", "--found", tmp_path / "b.geojson")
    assert "pass --mpp" in cxpath(*words).only_line
    document = json.loads(cxpath(*words, "--mpp", "0.5", "--json").stdout)
    found = {(one["key"], one.get("radius")): one["estimate"] for one in document["statistics"]}
    assert found["cell_recall", "3 µm"] == 0
    assert found["cell_recall", "6 µm"] == pytest.approx(0.8)
    assert document["confusion"][0][0] == 20


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
    assert own.value_of(10.0).value == pytest.approx(5, rel=0.1)
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
