from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.command import cxpath as command


@pytest.fixture(scope="module")
def one_real_image(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    (folder / "cells" / "bcdata").mkdir(parents=True)
    for name in ("1.png", "1.csv"):
        shutil.copy(data_dir / "cells" / "bcdata" / name, folder / "cells" / "bcdata" / name)
    return folder


def test_a_real_image_gives_table_document_and_page(tmp_path: Path, one_real_image: Path) -> None:
    words = ("evaluate", "--set", "real", "--data", one_real_image, "--out", tmp_path, "--device", "cpu")
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
    done = command("evaluate", "--set", "real", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "nothing was measured" in done.only_line
    assert str(tmp_path / "none") in done.only_line


def test_wrong_words_are_usage_errors(tmp_path: Path) -> None:
    assert command("evaluate").returncode == 2
    assert command("evaluate", "--out", tmp_path, "--set", "some").returncode == 2
    assert command("evaluate", "--out", tmp_path, "--limit", "0").returncode == 2


def test_a_limited_record_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    ended = command("evaluate", "--out", tmp_path / "out", "--limit", "1", "--record")
    assert ended.returncode == 2
    assert "--limit" in ended.stderr
    assert not (tmp_path / "out").exists()
    missing = command("evaluate", "--out", tmp_path, "--model", "huge")
    assert missing.returncode == 1
    assert "model 'huge' is unknown" in missing.only_line
