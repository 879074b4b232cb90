"""Containers, the conda environment and the Nextflow example name what is there.

They are built by hand: no builder runs where these tests do.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from tests.report.run_folders import SCORES, write_run
from tests.scripts.conftest import RECIPES, ROOT

INSTALL, NEXTFLOW = RECIPES / "install", RECIPES / "nextflow"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCORE_TABLE = NEXTFLOW / "bin" / "score_table.py"


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_an_image_installs_extras_that_there_are_on_a_python_that_is_supported(name: str) -> None:
    text = text_of(INSTALL / name)
    (extras,) = set(re.findall(r"(?:EXTRAS=|\}\[)((?!\$)[a-z,]+)", text))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    versions = set(re.findall(r"python:(3\.\d+)-slim", text))
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in PROJECT["classifiers"]
    assert "For Research Use Only" in text


def test_the_entry_point_of_the_image_is_the_programs() -> None:
    assert 'ENTRYPOINT ["cxpath"]' in text_of(INSTALL / "Dockerfile")
    assert "cxpath" in PROJECT["scripts"]
    assert 'exec cxpath "$@"' in text_of(INSTALL / "apptainer.def")


def test_commands_in_the_comments_name_files_that_are_there() -> None:
    for path in [*INSTALL.iterdir(), NEXTFLOW / "main.nf", NEXTFLOW / "nextflow.config"]:
        for named in re.findall(r"scripts/recipes/[\w./-]+", text_of(path)):
            assert (ROOT / named.rstrip(".")).exists(), f"{path.name}: {named}"


def test_the_conda_environment_takes_the_same_pythons() -> None:
    text = text_of(INSTALL / "environment.yml")
    (lowest,) = re.findall(r"python >=(3\.\d+)", text)
    assert PROJECT["requires-python"] == f">={lowest}"
    (too_new,) = re.findall(r"<3\.(\d+)", text)
    newest = max(int(one) for one in re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["classifiers"])))
    assert int(too_new) == newest + 1


def test_the_workflow_passes_options_that_the_command_has() -> None:
    script = text_of(NEXTFLOW / "main.nf")
    call = re.search(r"cxpath score (.*?)\|\|", script, re.DOTALL)
    assert call
    ended = subprocess.run(
        [sys.executable, "-m", "cxpath", "score", "--help"], capture_output=True, text=True, check=True
    )
    options = re.findall(r"--[a-z-]+", call.group(1))
    assert options == ["--assay", "--model", "--out"]
    assert all(option in ended.stdout for option in options)
    assert script.count("{") == script.count("}")


def process_script(name: str, values: dict[str, str]) -> str:
    """Return what Nextflow hands to the shell: values for `${...}`, and one backslash of two."""
    body = text_of(NEXTFLOW / "main.nf").split(f"process {name} ", 1)[1].split('"""')[1]
    for key, value in values.items():
        body = body.replace(f"${{{key}}}", value)
    assert not re.search(r"(?<!\\)\$", body), "Nextflow would take this for a value of its own"
    return body.replace("\\\\", "\\").replace("\\$", "$")


def test_the_workflows_table_has_a_slide_that_is_not_evaluable(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (600, 400), "white").save(tmp_path / "empty slide.png")
    values = {
        "slide": "empty slide.png",
        "slide.baseName": "empty slide",
        "params.assay": "22c3",
        "params.model": "small",
        "params.extra": "--mpp 0.5",
    }
    programs = [str(Path(sys.executable).parent), str(SCORE_TABLE.parent), os.environ["PATH"]]
    surroundings = os.environ | {"PATH": os.pathsep.join(programs)}
    shell = ["bash", "-euo", "pipefail", "-c"]
    for name, folder in (("SCORE", tmp_path / "scored"), ("COHORT", tmp_path)):
        folder.mkdir(exist_ok=True)
        if name == "SCORE":
            (folder / "empty slide.png").symlink_to(tmp_path / "empty slide.png")
        command = [*shell, process_script(name, values)]
        done = subprocess.run(
            command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["slide"] == "empty slide"
    assert row["not_evaluable_because"]


def table_of(folder: Path, table: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCORE_TABLE), str(folder), str(table)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_has_a_row_a_slide_whether_it_has_a_score_or_not(tmp_path: Path) -> None:
    for case, make in SCORES.items():
        write_run(tmp_path / "scored" / case.replace(" ", "-"), make())
    ended = table_of(tmp_path / "scored", tmp_path / "scores.csv")
    assert ended.returncode == 0, ended.stderr
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["slide"]: row for row in csv.DictReader(stream)}
    assert len(rows) == len(SCORES)
    for case, make in SCORES.items():
        row, score = rows[case.replace(" ", "-")], make()
        if score["evaluable"]:
            assert float(row["cps"]) == score["cps"]["value"]
            assert [float(row["low"]), float(row["high"])] == score["cps"]["interval_tissue"]
            assert not row["not_evaluable_because"]
        else:
            assert not row["cps"]
            assert row["not_evaluable_because"]


def test_a_folder_without_results_and_a_damaged_one_are_one_line(tmp_path: Path) -> None:
    ended = table_of(tmp_path, tmp_path / "scores.csv")
    assert ended.returncode == 1
    assert "no score.json" in ended.stderr
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "score.json").write_text("{", encoding="utf-8")
    ended = table_of(tmp_path, tmp_path / "scores.csv")
    assert ended.returncode == 1
    assert str(folder / "score.json") in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "scores.csv").exists()
