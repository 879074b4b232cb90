from __future__ import annotations

import csv
import gzip
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxpath.app.configuration import load_configuration
from cxpath.cli.output import FAILED, USAGE
from cxpath.data.cells import CellTable, CellTableFacts
from cxpath.io.reads import read_reads
from cxpath.io.tables import write_rows
from tests.agreement.simulated_reads import simulated_reads
from tests.cell_tables import write_cells_geojson
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
    assert "contains a study already" in refused.only_line
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
        (("--results", "nowhere"), FAILED, "contains no result"),
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


def test_readers_of_a_wide_table_are_named(tmp_path: Path) -> None:
    reads = tmp_path / "reads.csv"
    write_rows(reads, ["case", "Ann", "Bob", "age"], [[f"c{n}", n, n + 2, 50 + n] for n in range(12)])
    words = ("agree", "run", reads, "--out", tmp_path / "out", *FEW)
    refused = cxpath(*words)
    assert refused.returncode == FAILED
    assert "column 'age' may contain something other" in refused.only_line
    assert "--readers Ann,Bob" in refused.only_line
    done = cxpath(*words, "--readers", "Ann,Bob", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert "age" not in json.dumps(document["rounds"])
    assert any("columns not used: age" in warning["text"] for warning in document["warnings"])


def test_names_that_differ_between_tables_in_case_alone_are_asked_about(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ["case", "reader", "value"], [[f"c{n}", "Ann", n] for n in range(12)])
    write_rows(tmp_path / "b.csv", ["case", "reader", "value"], [[f"c{n}", "ANN", n] for n in range(12)])
    done = cxpath("agree", "run", tmp_path / "a.csv", tmp_path / "b.csv", "--out", tmp_path / "out", *FEW)
    assert done.returncode == FAILED
    assert "reader 'Ann'" in done.only_line


def pale_cells(at: float) -> CellTable:
    """A lattice of 40 tumour cells 20 µm apart, half of them stained with a probability of 0.4."""
    number = np.arange(40)
    return CellTable.from_columns(
        CellTableFacts(mpp=0.5, width_px=10_000, height_px=10_000),
        x_px=at + 40.0 * (number % 8),
        y_px=at + 40.0 * (number // 8),
        kind=np.zeros(40, dtype=np.uint8),
        stained=np.where(number % 2, 0.4, 0.1),
    )


def compared_cells(truth: Path, found: Path, *more: str) -> tuple[dict[str, Any], dict[str, float]]:
    """Return `cells.json` and the figures at 6 µm, by key."""
    done = cxpath("agree", "cells", "--truth", truth, "--found", found, "--json", *more)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    at_6 = {one["key"]: one["estimate"] for one in document["statistics"] if one.get("radius") == "6 µm"}
    return document, at_6


def test_cells_are_positive_from_the_runs_own_threshold_on(tmp_path: Path) -> None:
    """Stained with 0.4 and called with 0.3: positive on both sides, though 0.5 would say otherwise."""
    cells = pale_cells(1000)
    folder = scored_folder(tmp_path / "run", cells)
    score = json.loads((folder / "score.json").read_text(encoding="utf-8"))
    score["scoring"]["stained_threshold"] = 0.3
    (folder / "score.json").write_text(json.dumps(score), encoding="utf-8")
    bounds = (0, 0, 10_000, 10_000)
    write_cells_geojson([cells], folder / "cells.geojson.gz", cells.facts, bounds, stained_threshold=0.3)
    document, figures = compared_cells(folder / "cells.geojson.gz", folder)
    assert document["confusion"][0][0] == 20
    assert document["confusion"][1][1] == 20
    assert figures["cell_recall"] == figures["cell_precision"] == figures["cell_class"] == 1
    # A file that lost the threshold on its way through QuPath is read with that of the run.
    with gzip.open(folder / "cells.geojson.gz", "rt", encoding="utf-8") as file:
        collection = json.load(file)
    del collection["cxpath"]["stained_threshold"]
    with gzip.open(folder / "cells.geojson.gz", "wt", encoding="utf-8") as file:
        json.dump(collection, file)
    assert compared_cells(folder / "cells.geojson.gz", folder)[0]["confusion"][0][0] == 20


def test_cells_outside_the_marked_area_count_on_neither_side(tmp_path: Path) -> None:
    """A file against itself is found whole, though its outline leaves out a third of its cells."""
    places = [[40.0 * x, 40.0 * y] for x in range(6) for y in range(6)]
    square = [[-10, -10], [150, -10], [150, 250], [-10, 250], [-10, -10]]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "MultiPoint", "coordinates": places},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor: Positive"}},
        },
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [square]},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
        },
    ]
    path = tmp_path / "marked.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    document, figures = compared_cells(path, path, "--mpp", "0.5")
    assert document["images"] == [
        {
            "name": "marked.geojson", "reference": 24, "compared": 24,
            "reference_outside": 12, "compared_outside": 12,
        }
    ]  # fmt: skip
    assert figures["cell_recall"] == figures["cell_precision"] == 1
    printed = cxpath("agree", "cells", "--truth", path, "--found", path, "--mpp", "0.5").stdout
    assert "outside the marked area and left out: 12 marked, 12 compared" in printed
    far = [[[x + 5000, y] for x, y in square]]
    features[1]["geometry"] = {"type": "Polygon", "coordinates": far}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    refused = cxpath("agree", "cells", "--truth", path, "--found", path, "--mpp", "0.5")
    assert "no marked cell lies within the drawn outlines" in refused.only_line


def named_reads(path: Path, score: str | None, software: str = "") -> Path:
    """Write three readers' reads of ten cases; with a column score where a name is given."""
    columns = ["case", "reader", "value", *(["score"] if score is not None else [])]
    rows: list[list[str | int | float | None]] = [
        [f"case{case:03d}", reader, case * 3 + place, *([score] if score is not None else [])]
        for place, reader in enumerate(["Ann", "Bob", "Cem", *([software] if software else [])])
        for case in range(10)
    ]
    write_rows(path, columns, rows)
    return path


def test_a_study_of_readers_alone_shows_readers_and_names_their_score(tmp_path: Path) -> None:
    reads = named_reads(tmp_path / "tps.csv", "TPS")
    done = cxpath("agree", "run", reads, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 0, done.stderr
    assert "readers: ICC(A,1)" in done.stdout
    assert "against" not in done.stdout
    document = json.loads((tmp_path / "out" / "agreement.json").read_text(encoding="utf-8"))
    assert document["score"] == "TPS"
    assert document["rounds"][0]["compared"] is None
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "CPS" not in page
    assert not (tmp_path / "out" / "tables" / "comparison.csv").exists()


def test_each_reader_has_a_table_of_its_own_against_a_named_reference(tmp_path: Path) -> None:
    reads = named_reads(tmp_path / "reads.csv", "CPS")
    done = cxpath("agree", "run", reads, "--reference", "Ann", "--out", tmp_path / "out", *FEW)
    assert done.returncode == 0, done.stderr
    assert "Bob against Ann: kappa" in done.stdout
    assert "Cem against Ann: kappa" in done.stdout
    tables = {path.name for path in (tmp_path / "out" / "tables").iterdir()}
    assert {"comparison.csv", "comparison-2.csv"} <= tables


def test_a_score_that_nobody_named_is_not_taken_for_the_cps(tmp_path: Path) -> None:
    reads = named_reads(tmp_path / "reads.csv", None)
    done = cxpath("agree", "run", reads, "--out", tmp_path / "out", "--json", *FEW)
    document = json.loads(done.stdout)
    assert document["score"] == "score"
    assert any("do not state the score" in warning["text"] for warning in document["warnings"])
    two = cxpath(
        "agree", "run", named_reads(tmp_path / "a.csv", "TPS"), named_reads(tmp_path / "b.csv", "CPS"),
        "--out", tmp_path / "two",
    )  # fmt: skip
    assert "several scores: TPS, CPS" in two.only_line
    mixed = cxpath("agree", "run", named_reads(tmp_path / "c.csv", ""), reads, "--out", tmp_path / "mixed")
    assert "was read by" in mixed.only_line


def test_of_several_results_of_a_slide_one_is_chosen(tmp_path: Path) -> None:
    """Scored in March with 10 positive cells and in May with 20 of 200: 5 and 10 per cent."""
    for month, began, positive in (("march", "2026-03-01T10:00:00", 10), ("may", "2026-05-01T10:00:00", 20)):
        for case in range(3):
            cells = many({"T+": positive, "T-": 200 - positive})
            folder = scored_folder(tmp_path / month / f"case{case:03d}", cells)
            run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            (folder / "run.json").write_text(json.dumps(run | {"started": began}), encoding="utf-8")
    reads = named_reads(tmp_path / "reads.csv", "CPS")
    words = ("agree", "run", reads, "--results", tmp_path / "march", "--results", tmp_path / "may")
    refused = cxpath(*words, "--out", tmp_path / "refused")
    assert "is of the same slide as" in refused.only_line
    assert "--prefer newest" in refused.only_line
    for prefer, value in (("newest", 10.0), ("march", 5.0), ("may", 10.0)):
        done = cxpath(*words, "--prefer", prefer, "--out", tmp_path / f"by-{prefer}", "--json", *FEW)
        assert done.returncode == 0, done.stderr
        found = [one for one in json.loads(done.stdout)["rounds"][0]["compared"]["values"] if one is not None]
        assert found == [value] * 3
    unknown = cxpath(*words, "--prefer", "june", "--out", tmp_path / "june")
    assert "of 2 results of its slide 0 have 'june' in their path" in unknown.only_line


def test_slides_of_one_name_and_different_content_are_not_chosen_by_age(tmp_path: Path) -> None:
    for place in ("one", "two"):
        folder = scored_folder(tmp_path / place / "case000", many({"T+": 10, "T-": 190}))
        score = json.loads((folder / "score.json").read_text(encoding="utf-8"))
        score["slide"]["digest"] = place
        (folder / "score.json").write_text(json.dumps(score), encoding="utf-8")
    words = ("agree", "run", named_reads(tmp_path / "reads.csv", "CPS"), "--results", tmp_path / "one")
    refused = cxpath(*words, "--results", tmp_path / "two", "--prefer", "newest", "--out", tmp_path / "out")
    assert "of another slide of the same name" in refused.only_line


@pytest.mark.parametrize("readers", [("A", "B"), ("A", "B", "C", "sw")])
def test_a_study_in_which_nobody_disagrees_is_written_whole(tmp_path: Path, readers: tuple[str, ...]) -> None:
    """Figures without an interval are drawn without, and nothing is shown by six equal cases."""
    scores = [0, 0.2, 3, 5, 12, 40]
    rows: list[list[str | float]] = [
        [f"c{case}", reader, score] for reader in readers for case, score in enumerate(scores)
    ]
    write_rows(tmp_path / "six.csv", ["case", "reader", "value"], rows)
    software = ("--software", "sw") if "sw" in readers else ()
    done = cxpath("agree", "run", tmp_path / "six.csv", *software, "--out", tmp_path / "out", *FEW)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out" / "agreement.json").read_text(encoding="utf-8"))
    found = [one for one in document["statistics"] if one["interval"]]
    assert found
    assert all(one["interval"][0] is None or one["interval"][0] != one["interval"][1] for one in found)
    assert not any(one["note"].endswith(": shown") for one in document["statistics"])
    assert ">1.000 to 1.000" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_reads_that_fall_are_drawn_without_a_line(tmp_path: Path) -> None:
    rows: list[list[str | int]] = [
        [f"c{case}", reader, value] for case in range(12) for reader, value in (("A", case), ("B", 20 - case))
    ]
    write_rows(tmp_path / "falling.csv", ["case", "reader", "value"], rows)
    done = cxpath("agree", "run", tmp_path / "falling.csv", "--out", tmp_path / "out", *FEW)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out" / "agreement.json").read_text(encoding="utf-8"))
    (slope,) = [one for one in document["statistics"] if one["key"] == "passing_bablok_slope"]
    assert slope["estimate"] is None
    assert slope["interval"] is None


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
    out = tmp_path / "calibrated.toml"
    done = cxpath("agree", "calibrate", *laboratory, "--out", tmp_path, "--json")
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
    assert "is there already" in cxpath("agree", "calibrate", *laboratory, "--out", tmp_path).only_line


def test_a_map_is_written_where_it_helps_and_read_back_as_settings(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    reads, results = laboratory
    out, halved = tmp_path / "calibrated.toml", reads.parent / "halved.csv"
    done = cxpath("agree", "calibrate", halved, results, "--map", "--out", tmp_path, "--json")
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
    out = tmp_path / "calibrated.toml"
    printed = cxpath("agree", "calibrate", *laboratory, "--map", "--out", tmp_path).stdout
    assert "not written: the interval of the difference contains 0" in printed
    assert "no map is written" in out.read_text(encoding="utf-8")
    assert load_configuration(out).scoring.laboratory_map is None


def test_too_few_cases_are_refused_and_nothing_is_written(
    laboratory: tuple[Path, Path], tmp_path: Path
) -> None:
    reads = tmp_path / "few.csv"
    write_rows(reads, ["case", "reader", "value"], [["case01", "Ann", 1], ["case02", "Ann", 2]])
    done = cxpath("agree", "calibrate", reads, laboratory[1], "--out", tmp_path)
    assert done.returncode == FAILED
    assert "30 of each are needed" in done.only_line
    assert not (tmp_path / "calibrated.toml").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SystemExit(143)])
def test_a_study_that_was_not_written_whole_is_none(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its document lay there, so that the same command refused to write the figures that were missing."""

    def fail(_folder: Path) -> None:
        raise error

    rows = [f"{case},{reader},{case % 7}" for case in range(20) for reader in "AB"]
    table = tmp_path / "reads.csv"
    table.write_text("\n".join(["case,reader,value", *rows]), encoding="utf-8")
    words = ("agree", "run", table, "--out", tmp_path / "study", "--replicates", "100")
    with monkeypatch.context() as patch:
        patch.setattr("cxpath.app.agree.build_agreement_report", fail)
        assert cxpath(*words).returncode != 0
    done = cxpath(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study" / "report.html").is_file()
