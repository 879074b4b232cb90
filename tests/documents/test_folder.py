import sys
from pathlib import Path

import pytest

from cxpath.documents.folder import ResultsFolder
from cxpath.errors import OutputError


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
