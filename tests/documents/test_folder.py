"""The folder that a run leaves: whole or not at all, and read back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxpath.documents import base as base_module
from cxpath.documents.base import ResultsFolder
from cxpath.documents.folder import read_run_folder, read_score, read_scored_folder
from cxpath.errors import DocumentError, MissingFileError, OutputError
from cxpath.io.cells import read_table, write_cells, write_table
from tests.report.run_folders import normal_score, write_run
from tests.synthetic_cells import synthetic_cells


def fill(folder: Path, mark: str) -> None:
    (folder / "fields").mkdir()
    (folder / "fields" / f"{mark}.png").touch()
    (folder / "score.json").write_text(mark)


def fail(final: Path, mark: str, *, overwrite: bool) -> None:
    with ResultsFolder(final, overwrite=overwrite) as results:
        fill(results.partial, mark)
        raise RuntimeError


def leave(final: Path, mark: str, *, overwrite: bool = False) -> None:
    with ResultsFolder(final, overwrite=overwrite) as results:
        fill(results.partial, mark)
        results.commit()


def test_a_result_appears_whole(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "deep" / "out", overwrite=False) as results:
        fill(results.partial, "a")
        assert not (tmp_path / "deep" / "out").exists()
        results.commit()
    assert (tmp_path / "deep" / "out" / "score.json").read_text() == "a"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_nothing_is_left_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail(tmp_path / "out", "a", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_of_one_process_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out", overwrite=False) as slow:
        fill(slow.partial, "slow")
        leave(tmp_path / "out", "quick")
        with pytest.raises(OutputError, match="cannot be written"):
            slow.commit()
    assert (tmp_path / "out" / "score.json").read_text() == "quick"
    assert [path.name for path in (tmp_path / "out" / "fields").iterdir()] == ["quick.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_existing_result_is_refused_and_kept(tmp_path: Path) -> None:
    leave(tmp_path / "out", "a")
    with pytest.raises(OutputError, match="--overwrite"):
        ResultsFolder(tmp_path / "out", overwrite=False)
    assert (tmp_path / "out" / "score.json").read_text() == "a"


def test_overwriting_replaces_our_files_and_keeps_others(tmp_path: Path) -> None:
    leave(tmp_path / "out", "a")
    (tmp_path / "out" / "my notes.txt").write_text("keep me")
    leave(tmp_path / "out", "b", overwrite=True)
    assert (tmp_path / "out" / "score.json").read_text() == "b"
    assert [path.name for path in (tmp_path / "out" / "fields").iterdir()] == ["b.png"]
    assert (tmp_path / "out" / "my notes.txt").read_text() == "keep me"


def test_the_current_folder_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    leave(Path(), "a")
    assert {path.name for path in tmp_path.iterdir()} == {"score.json", "fields"}
    leave(Path(), "b", overwrite=True)
    assert (Path.cwd() / "score.json").read_text() == "b"


def test_a_failed_overwrite_keeps_the_earlier_result(tmp_path: Path) -> None:
    leave(tmp_path / "out", "a")
    with pytest.raises(RuntimeError):
        fail(tmp_path / "out", "b", overwrite=True)
    assert (tmp_path / "out" / "score.json").read_text() == "a"


def test_a_commit_cut_off_in_the_middle_brings_the_earlier_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / "out", "a")
    (tmp_path / "out" / "my notes.txt").write_text("keep me")
    rename, interrupted = Path.rename, list[Path]()

    def cut_off(self: Path, target: Path) -> Path:
        if self.parent.name.endswith(".partial") and self.name == "score.json" and not interrupted:
            interrupted.append(self)
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", cut_off)
    with pytest.raises(KeyboardInterrupt):
        leave(tmp_path / "out", "b", overwrite=True)
    assert (tmp_path / "out" / "score.json").read_text() == "a"
    assert (tmp_path / "out" / "my notes.txt").read_text() == "keep me"
    assert interrupted
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"score.json", "fields", "my notes.txt"}
    assert (tmp_path / "out" / "fields" / "a.png").exists()


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        ResultsFolder(tmp_path / "out", overwrite=True)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        ResultsFolder(tmp_path / "out" / "below", overwrite=False),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot tell the living from the dead")
def test_what_a_killed_run_left_is_cleared_by_the_next_and_a_living_run_keeps_its_own(tmp_path: Path) -> None:
    killed = tmp_path / ".out.0123abcd.partial"
    killed.mkdir()
    (killed / "tissue.png").touch()
    with ResultsFolder(tmp_path / "out", overwrite=False) as living:
        assert not killed.exists()
        fill(living.partial, "living")
        leave(tmp_path / "out", "other")
        assert (living.partial / "score.json").exists()
    assert (tmp_path / "out" / "score.json").read_text() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_whose_name_is_as_long_as_the_system_allows(tmp_path: Path) -> None:
    leave(tmp_path / ("ü" * 127), "a")
    leave(tmp_path / ("ü" * 127), "b", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["ü" * 127]


def test_everything_a_run_left_is_read(finished_runs: dict[str, Path]) -> None:
    run = read_run_folder(finished_runs["normal"])
    assert run.score.cps is not None
    assert run.score.cps.reported == "12"
    assert run.run.tiles.read == 812
    assert run.tiles is not None
    assert len(run.tiles["cps"]) > 100
    assert [entry.number for entry in run.fields] == [1, 2, 3]
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


@pytest.mark.parametrize("name", ["score.json", "run.json"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [("{", "not readable JSON"), ("[]", "schema is None"), ('{"schema": "other"}', "schema is 'other'")],
)
def test_a_wrong_result_is_one_line(tmp_path: Path, name: str, content: str, problem: str) -> None:
    write_run(tmp_path, normal_score(), pictures=False)
    (tmp_path / name).write_text(content)
    with pytest.raises(DocumentError, match=problem) as caught:
        read_run_folder(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_score_of_another_marker_is_no_cps(tmp_path: Path) -> None:
    write_run(tmp_path, normal_score() | {"marker": "her2"}, pictures=False)
    assert json.loads((tmp_path / "score.json").read_text())["marker"] == "her2"
    with pytest.raises(DocumentError, match="contains marker her2, not PD-L1"):
        read_scored_folder(tmp_path)


@pytest.mark.parametrize("change", ["missing", "words"])
def test_a_table_of_tiles_that_the_report_cannot_count_with_is_named(tmp_path: Path, change: str) -> None:
    folder = write_run(tmp_path, normal_score())
    columns, facts = read_table(folder / "tiles.parquet")
    if change == "missing":
        del columns["tumour_positive"]
    else:
        columns["tumour_positive"] = np.array(["many"] * len(columns["tile"]), dtype=object)
    write_table(columns, folder / "tiles.parquet", facts)
    with pytest.raises(DocumentError, match=r"tiles\.parquet: columns missing or without numbers"):
        read_run_folder(folder)


def test_a_cut_off_without_a_number_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path, normal_score(), pictures=False)
    score = json.loads((folder / "score.json").read_text())
    score["cps"]["cutoffs"] |= {"": score["cps"]["cutoffs"]["1"]}
    (folder / "score.json").write_text(json.dumps(score))
    with pytest.raises(DocumentError, match=r"score\.json: cps\.cutoffs"):
        read_run_folder(folder)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_a_persons_review_is_refused_whatever_was_asked(
    tmp_path: Path, *, overwrite: bool
) -> None:
    """Scoring again would leave a review of cells that are gone."""
    review = tmp_path / "out" / "review" / "a"
    review.mkdir(parents=True)
    (review / "events.ndjson").touch()
    with pytest.raises(OutputError) as caught:
        ResultsFolder(tmp_path / "out", overwrite=overwrite)
    assert str(Path("review") / "a") in str(caught.value)
    assert "move the folder review elsewhere" in (caught.value.hint or "")
    (review / "events.ndjson").unlink()
    leave(tmp_path / "out", "a")


def test_a_folder_that_was_just_made_when_ctrl_c_came_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path.mkdir

    def interrupted(path: Path, *words: Any, **more: Any) -> None:
        made(path, *words, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), ResultsFolder(tmp_path / "out", overwrite=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_claimed_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between making the folder and claiming it: nobody else would ever clear it."""

    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(base_module, "claimed", interrupted)
    with pytest.raises(KeyboardInterrupt), ResultsFolder(tmp_path / "out", overwrite=False):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_that_the_system_refuses_is_one_line_and_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / "out", "a")
    rename = Path.rename
    refused = list[Path]()

    def refuse_once(self: Path, target: Path) -> Path:
        if self.parent.name.endswith(".partial") and self.name == "score.json" and not refused:
            refused.append(self)
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_once)
    with pytest.raises(OutputError, match=r"out: cannot be written: No space left on device") as caught:
        leave(tmp_path / "out", "b", overwrite=True)
    assert caught.value.hint == "choose another --out"
    assert (tmp_path / "out" / "score.json").read_text() == "a"


def test_the_mark_of_a_whole_result_is_moved_last() -> None:
    """Whoever finds `score.json` finds all the rest."""
    assert base_module.OWN_NAMES[-1] == base_module.COMMIT_MARK


def test_a_scored_folder_gives_its_cells_and_counts_its_fields_as_the_score_did(tmp_path: Path) -> None:
    write_run(tmp_path, normal_score(), pictures=False)
    cells = synthetic_cells("T+ T- T- L+ L-\nT- P+ T- T- ..")
    write_cells(cells, tmp_path / "cells.parquet")
    scored = read_scored_folder(tmp_path)
    assert scored.name == read_score(tmp_path).slide.name
    assert len(scored.cells()) == len(cells)
    counts, threshold = scored.fields().counts, scored.scoring.stained_threshold
    assert threshold is not None
    assert counts.tumour.sum() == 6
    assert counts.positive.sum() == 2
    assert scored.fields().side_px == scored.scoring.field_um / cells.facts.mpp
