"""`cxpath score --cells`: every form a user may bring gives the score that can be counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cxpath.data.cells import CellTable
from tests.cli.command import Done, cxpath
from tests.cli.given_cells import (
    as_csv,
    as_own_geojson,
    as_parquet,
    as_qupath_geojson,
    as_qupath_table,
    countable_cells,
)
from tests.conftest import SyntheticSlide

FORMS: dict[str, Callable[[CellTable, Path], None]] = {
    "Parquet": as_parquet,
    "table of cells": as_csv,
    "QuPath GeoJSON": as_qupath_geojson,
    "QuPath GeoJSON of cxpath": as_own_geojson,
    "QuPath measurement table": as_qupath_table,
}


def score(slide: SyntheticSlide, cells: Path, out: Path, *options: str | Path) -> Done:
    return cxpath("score", slide.path, "--cells", cells, "--out", out, "--device", "cpu", *options)


def read(folder: Path, name: str = "score.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / name).read_text())
    return document


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_score_and_the_report(
    form: str, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    FORMS[form](countable_cells(), tmp_path / "cells.dat")
    done = score(synthetic_slide, tmp_path / "cells.dat", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    document, run = read(tmp_path / "out"), read(tmp_path / "out", "run.json")
    assert document["counts"]["tumour_positive"] == 30
    assert document["counts"]["tumour_negative"] == 90
    assert document["counts"]["immune_positive"] == 18
    assert document["counts"]["other"] == 20
    assert document["cps"]["value"] == pytest.approx(40)
    assert document["tps"]["value"] == pytest.approx(25)
    low, high = document["cps"]["interval_tissue"]
    assert low < 40 < high
    assert document["h_score"] is None
    said = {(warning["code"], "no H-score" in warning["text"]) for warning in document["warnings"]}
    assert ("given_cells", True) in said
    assert document["warnings"][0]["code"] != "model_notice", "no network called these cells"
    assert document["notice"] is None
    assert any("plain yes or no" in warning["text"] for warning in document["warnings"])
    assert run["given_cells"]["form"] in form
    assert run["given_cells"]["cells"] == 200
    assert "CPS" in (tmp_path / "out" / "report.html").read_text()


def test_what_a_run_leaves_for_qupath_scores_the_same_again(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    as_parquet(countable_cells(), tmp_path / "cells.parquet")
    assert score(synthetic_slide, tmp_path / "cells.parquet", tmp_path / "first").returncode == 0
    exported = tmp_path / "first" / "cells.geojson.gz"
    assert score(synthetic_slide, exported, tmp_path / "again").returncode == 0
    first, again = read(tmp_path / "first"), read(tmp_path / "again")
    assert {key: first[key] for key in ("counts", "cps", "tps")} == {
        key: again[key] for key in ("counts", "cps", "tps")
    }


def test_a_labs_own_class_names(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    as_qupath_table(countable_cells(), tmp_path / "cells.csv")
    text = (tmp_path / "cells.csv").read_text().replace("Tumor: ", "Karzinom ")
    (tmp_path / "cells.csv").write_text(text)
    refused = score(synthetic_slide, tmp_path / "cells.csv", tmp_path / "out")
    assert refused.returncode == 1
    assert "unknown classes: 'Karzinom Negative' (90), 'Karzinom Positive' (30)" in refused.only_line
    assert "--class-map" in refused.only_line
    (tmp_path / "ours.toml").write_text(
        """
        ignored = ["Other: Negative"]
        [cells]
        "Karzinom Positive" = { kind = "tumour", stained = true }
        "Karzinom Negative" = { kind = "tumour", stained = false }
        "Immune cells: Positive" = { kind = "immune", subkind = "macrophage", stained = true }
        "Immune cells: Negative" = { kind = "immune", stained = false }
        """
    )
    mapped = score(
        synthetic_slide, tmp_path / "cells.csv", tmp_path / "out", "--class-map", tmp_path / "ours.toml"
    )
    assert mapped.returncode == 0, mapped.stderr
    counts = read(tmp_path / "out")["counts"]
    assert (counts["tumour_positive"], counts["tumour_negative"], counts["other"]) == (30, 90, 0)


def test_cells_without_a_sign_are_refused(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    as_csv(countable_cells(), tmp_path / "cells.csv")
    text = (tmp_path / "cells.csv").read_text().replace("tumour,1", "tumour,")
    (tmp_path / "cells.csv").write_text(text)
    done = score(synthetic_slide, tmp_path / "cells.csv", tmp_path / "out")
    assert done.returncode == 1
    assert "30 tumour cells without staining" in done.only_line
    assert not (tmp_path / "out").exists()


def test_cells_of_another_slide_are_refused(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    cells = countable_cells()
    as_csv(replace(cells, x_px=cells.x_px + 10_000), tmp_path / "cells.csv")
    done = score(synthetic_slide, tmp_path / "cells.csv", tmp_path / "out")
    assert done.returncode == 1
    assert "200 of 200 cells lie outside the slide" in done.only_line


def test_a_class_map_without_cells_is_wrong_usage(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    (tmp_path / "a.toml").touch()
    done = cxpath(
        "score", synthetic_slide.path, "--class-map", tmp_path / "a.toml", "--out", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "--class-map without --cells" in done.only_line


@pytest.mark.parametrize(("step_px", "said"), [(70, True), (270, False)])
def test_places_in_micrometres_are_doubted(
    step_px: int, said: bool, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    """They would heap in the upper left of the slide, where nothing else gives them away."""
    rows = [f"{x * step_px},{y * step_px},tumour,{(x + y) % 2}" for x in range(1, 15) for y in range(1, 15)]
    (tmp_path / "cells.csv").write_text("\n".join(["x_px,y_px,kind,stained", *rows]), encoding="utf-8")
    done = score(synthetic_slide, tmp_path / "cells.csv", tmp_path / "out", "--stain-check", "off")
    assert done.returncode == 0, done.stderr
    assert said == ("level-0 pixels" in done.stdout)
