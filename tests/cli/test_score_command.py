"""`cxpath score` as a user meets it: exit codes and one clear line for everything that goes wrong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import cxpath
from tests.conftest import SyntheticSlide


def test_a_slide_is_scored_and_summarised(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    done = cxpath("score", synthetic_slide.path, "--out", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    words = done.stdout
    assert re.search(r"CPS >= 1 \(label cut-off\): (met\b|uncertain, probability 0\.\d\d)", words)
    assert words.index("warning  the model was trained on synthetic tissue") < words.index("assay not stated")
    assert "assay not stated" in words
    assert str(tmp_path / "out" / "report.html") in words
    assert "For Research Use Only. Not for use in diagnostic procedures." in words

    refused = cxpath("score", synthetic_slide.path, "--out", tmp_path / "out")
    assert refused.returncode == 1
    assert "contains a result already (pass --overwrite" in refused.only_line

    (tmp_path / "out" / "report.html").unlink()
    rebuilt = cxpath("report", tmp_path / "out")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000

    again = cxpath("score", synthetic_slide.path, "--out", tmp_path / "out", "--overwrite", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == json.loads((tmp_path / "out" / "score.json").read_text())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("cmu_small_region.svs", "pink, as in H&E"), ("test3-DAPI-2-(387).ndpi", "not a brightfield slide")],
)
def test_another_stain_is_not_evaluable(name: str, reason: str, data_dir: Path, tmp_path: Path) -> None:
    done = cxpath("score", data_dir / "wsi" / name, "--out", tmp_path / "out")
    assert done.returncode == 4
    assert done.stdout.count("because") == 1
    assert reason in done.stdout
    assert json.loads((tmp_path / "out" / "score.json").read_text())["evaluable"] is False


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("boxes.tiff", r"352.8.*--mpp 0.25"),
        ("broken.svs", "broken.svs"),
        ("unopenable.tiff", "unopenable.tiff"),
    ],
)
def test_bad_files_get_one_line_and_leave_nothing(
    name: str, reason: str, data_dir: Path, tmp_path: Path
) -> None:
    done = cxpath("score", data_dir / "wsi" / name, "--out", tmp_path / "out")
    assert done.returncode == 1
    line = done.only_line
    assert name in line
    assert re.search(reason, line)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_slide_at_all_gets_one_line_too(tmp_path: Path) -> None:
    (tmp_path / "empty.svs").touch()
    (tmp_path / "text.svs").write_text("this is not a slide\n" * 50)
    (tmp_path / "folder.svs").mkdir()
    expected = {
        "empty.svs": "the file is empty",
        "text.svs": "looks like a text file",
        "folder.svs": "a folder, not a slide",
        "missing.svs": "no such file",
    }
    for name, reason in expected.items():
        done = cxpath("score", tmp_path / name, "--out", tmp_path / "out")
        assert done.returncode == 1
        assert reason in done.only_line
        assert not (tmp_path / "out").exists()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((300, 300, 3), 240, np.uint8)).save(path)
    return path


def test_a_picture_needs_its_resolution(picture: Path, tmp_path: Path) -> None:
    done = cxpath("score", picture, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "--mpp 0.25" in done.only_line
    glass = cxpath("score", picture, "--out", tmp_path / "out", "--mpp", "0.25")
    assert glass.returncode == 4
    assert "no tissue was found" in glass.stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--assay", "e1l3n"], "known assays: 22c3"),
        (["--assay", "sp142"], "does not support CPS in cervix"),
        (["--set", "scoring.levle=1"], "no such setting"),
        (["--marker", "her2"], "intensity_thresholds_od"),
        (["--tumour", "lung"], "--research"),
        (["--device", "tpu"], "is not one of 'auto', 'cpu', 'cuda'"),
        (["--no-such-option"], "No such option"),
        (["--marker", "cd3"], "Invalid value"),
    ],
)
def test_wrong_usage_ends_with_2(options: list[str], reason: str, picture: Path, tmp_path: Path) -> None:
    done = cxpath("score", picture, "--mpp", "0.25", "--out", tmp_path / "out", *options)
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_one_line(picture: Path, tmp_path: Path) -> None:
    done = cxpath("score", picture, "--mpp", "0.25", "--out", tmp_path / "out", "--model", "huge")
    assert done.returncode == 1
    assert "bundled models: base, small" in done.only_line


def test_even_an_unforeseen_error_is_one_line(picture: Path, tmp_path: Path) -> None:
    """A cache folder that is a file, and a results folder on a device that takes none."""
    done = cxpath("score", picture, "--mpp", "0.25", "--out", "/proc/none/out")
    assert done.returncode == 1
    assert "cannot be written" in done.only_line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json"], "--review is for a person"),
        (["--mode", "adaptive"], "--review needs a whole slide"),
        (["--marker", "her2"], "--review needs a whole slide"),
    ],
)
def test_what_cannot_be_reviewed_afterwards_is_refused_before_the_work(
    options: list[str], said: str, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    refused = cxpath("score", synthetic_slide.path, "--out", out, "--review", *options)
    assert refused.returncode in {1, 2}
    assert said in refused.only_line
    assert not out.exists()


def test_a_scored_slide_is_handed_to_its_review(
    synthetic_slide: SyntheticSlide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Path, Path, str | None]] = []
    monkeypatch.setattr(
        "cxpath.cli.review.serve_review",
        lambda folder, slide, reviewer: opened.append((folder, slide, reviewer)),
    )
    out = tmp_path / "out"
    done = cxpath("score", synthetic_slide.path, "--out", out, "--review", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert opened == [(out, synthetic_slide.path, None)]
    assert "report" in done.stdout
