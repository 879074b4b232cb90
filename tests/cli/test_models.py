"""`cxpath model`: evaluate, train and fine-tune, as a laboratory would type them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxpath.network.model import load_model
from tests.cli.command import cxpath as command
from tests.training.annotated_pictures import cell_points, point, write_annotated, write_geojson, write_png
from tests.training.blob_fields import blob_field
from tests.training.tiny_models import seconds_text, untrained_model


@pytest.fixture(scope="module")
def one_real_image(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "cells" / "bcdata").mkdir(parents=True)
    for name in ("1.png", "1.csv"):
        shutil.copy(data_dir / "cells" / "bcdata" / name, folder / "cells" / "bcdata" / name)
    return folder


def test_a_real_image_gives_table_document_and_page(tmp_path: Path, one_real_image: Path) -> None:
    where = ("--data", one_real_image, "--out", tmp_path)
    words = ("model", "evaluate", "--on", "real", *where, "--device", "cpu")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "labelled cells found, F1" in line]
    assert "≥ 0.82" in line
    assert "met" in line or "missed" in line
    assert "0.25 µm/px, assumed" in done.stdout
    assert "skipped  glioma" in done.stdout
    assert "For Research Use Only" in done.stdout
    html = (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in html
    again = command(*words, "--json")
    assert json.loads(again.stdout) == json.loads((tmp_path / "evaluation.json").read_text())


def test_the_data_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXPATH_DATA", str(tmp_path / "none"))
    done = command("model", "evaluate", "--on", "real", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "nothing was measured" in done.only_line
    assert str(tmp_path / "none") in done.only_line


def test_wrong_words_are_usage_errors(tmp_path: Path) -> None:
    assert command("model", "evaluate").returncode == 2
    assert command("model", "evaluate", "--out", tmp_path, "--on", "some").returncode == 2
    assert command("model", "evaluate", "--out", tmp_path, "--limit", "0").returncode == 2


def test_a_limited_record_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    ended = command("model", "evaluate", "--out", tmp_path / "out", "--limit", "1", "--record")
    assert ended.returncode == 2
    assert "--limit" in ended.stderr
    assert not (tmp_path / "out").exists()
    missing = command("model", "evaluate", "--out", tmp_path, "--model", "huge")
    assert missing.returncode == 1
    assert "model 'huge' is unknown" in missing.only_line


MAP = """
complete_areas = ["Annotated region"]
[cells]
"Tumor: Positive" = { kind = "tumour", stained = true }
"Tumor: Negative" = { kind = "tumour", stained = false }
"Immune cells: Positive" = { kind = "immune", stained = true }
"Immune cells: Negative" = { kind = "immune", stained = false }
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_model(tmp_path_factory.mktemp("start") / "untaught")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "fields"
    for number in range(2):
        write_annotated(folder, f"case{number}", blob_field(5, number, 160))
    return folder


def test_fine_tuning_prints_before_and_after_and_leaves_a_model(
    lab: Path, start: Path, tmp_path: Path
) -> None:
    (tmp_path / "tune.toml").write_text(seconds_text(steps=4, synthetic_share=0.0), encoding="utf-8")
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    words = (
        "model", "fine-tune", lab, "--from", start, "--class-map", tmp_path / "map.toml",
        "--config", tmp_path / "tune.toml", "--work", tmp_path / "work", "--out", tmp_path / "tuned",
    )  # fmt: skip
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "measured on 1 of 2 annotated images, held out" in done.stdout
    assert ["before", "after", "of"] in [line.split() for line in done.stdout.splitlines()]
    assert any(line.strip().startswith("cells found, F1") for line in done.stdout.splitlines())
    model = load_model(tmp_path / "tuned")
    assert model.card.digest[:12] in done.stdout
    again = command(*words, "--json")
    card = json.loads(again.stdout)
    assert card["digest"] == model.card.digest, "a finished training is not trained on"
    assert {"found_f1_before", "found_f1_after"} <= set(card["metrics"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train",), "Missing option '--config'"),
        (("fine-tune",), "Missing argument"),
        (("fine-tune", "fields", "--class-map", "none.toml"), "none.toml: no such file"),
    ],
)
def test_what_is_missing_is_named(words: tuple[str, ...], said: str) -> None:
    done = command("model", *words)
    assert done.returncode in {1, 2}
    assert said in done.stderr


def wrong_lab(folder: Path, case: str) -> None:
    """Leave a folder with one thing wrong in it."""
    folder.mkdir()
    field = blob_field(5, 0, 96)
    if case != "no image":
        write_png(folder / "case.png", field.rgb)
    features = cell_points(field.cells)
    if case == "unknown class":
        features.append(point(5, 5, "Blob"))
    if case == "outside":
        features.append(point(5000, 5, "Tumor"))
    if case == "no cells":
        features = []
    if case != "no geojson":
        write_geojson(folder / "case.geojson", features)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("no geojson", "no .geojson file there"),
        ("no image", "case.geojson: no image of the same name next to it"),
        ("unknown class", "case.geojson: feature 17 has the class 'Blob', which the class map does not name"),
        ("outside", "the cell at (5000, 5) lies outside case.png (96 x 96 px)"),
        ("no cells", "case.geojson: contains no point or outline"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(tmp_path: Path, start: Path, case: str, said: str) -> None:
    wrong_lab(tmp_path / "fields", case)
    done = command(
        "model", "fine-tune", tmp_path / "fields", "--from", start, "--mpp", "0.5",
        "--work", tmp_path / "work",
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "work").exists()


def test_a_picture_without_its_resolution_is_refused(tmp_path: Path, start: Path) -> None:
    wrong_lab(tmp_path / "fields", "none")
    done = command("model", "fine-tune", tmp_path / "fields", "--from", start, "--work", tmp_path / "work")
    assert done.returncode == 1
    assert "case.png: the file does not say its µm per pixel" in done.stderr
    assert "--mpp" in done.stderr


def test_a_model_is_exported_as_onnx_and_never_over_another_file(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    done = command("model", "export", "small", "--out", path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["onnx"] == str(path)
    before = path.read_bytes()
    again = command("model", "export", "small", "--out", path)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert path.read_bytes() == before
    other = command("model", "export", "small", "--out", tmp_path / "small.pt")
    assert other.returncode == 2
    assert "end it in .onnx" in other.stderr
