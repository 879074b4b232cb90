from __future__ import annotations

import json
from pathlib import Path

import pytest

from cxpath.documents.run import RunFolderError, read_run_folder
from cxpath.errors import MissingFileError
from tests.report.run_folders import normal_score, write_run


def test_everything_a_run_left_is_read(finished_runs: dict[str, Path]) -> None:
    run = read_run_folder(finished_runs["normal"])
    assert run.score["cps"]["reported"] == "12"
    assert run.run["tiles"]["read"] == 812
    assert run.tiles is not None
    assert len(run.tiles["cps"]) > 100
    assert [entry["number"] for entry in run.fields] == [1, 2, 3]
    assert run.picture("tissue.png") is not None
    assert run.picture("none.png") is None


def test_pictures_and_tiles_may_be_missing(tmp_path: Path) -> None:
    run = read_run_folder(write_run(tmp_path, normal_score(), pictures=False))
    assert run.tiles is None
    assert run.fields == ()


@pytest.mark.parametrize("name", ["score.json", "run.json"])
def test_a_missing_result_is_one_line(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, normal_score(), pictures=False)
    (tmp_path / name).unlink()
    with pytest.raises(MissingFileError, match=f"{name}: no such file"):
        read_run_folder(tmp_path)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        read_run_folder(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "problem"),
    [("{", "not readable JSON"), ("[]", "schema is None"), ('{"schema": "other"}', "schema is 'other'")],
)
def test_a_wrong_result_is_one_line(tmp_path: Path, content: str, problem: str) -> None:
    write_run(tmp_path, normal_score(), pictures=False)
    (tmp_path / "score.json").write_text(content)
    with pytest.raises(RunFolderError, match=problem) as caught:
        read_run_folder(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_fake_run_has_the_keys_of_the_design() -> None:
    assert list(json.loads(json.dumps(normal_score()))) == [
        "schema", "research_use", "slide", "assay", "tumour", "warnings", "evaluable",
        "not_evaluable_because", "adequacy", "counts", "cps", "tps",
        "heterogeneity", "sensitivity", "scoring", "ic_area", "ic_cells", "tap", "h_score", "tissue",
        "provenance",
    ]  # fmt: skip
