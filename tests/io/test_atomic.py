from __future__ import annotations

from pathlib import Path

import pytest

from cxpath.errors import OutputError
from cxpath.io.atomic import atomic_write


def test_the_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with atomic_write(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def _write_half_and_fail(partial: Path) -> None:
    partial.write_text("half")
    raise RuntimeError


def test_an_error_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as partial:
        _write_half_and_fail(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="cannot be written") as caught,
        atomic_write(tmp_path / "no" / "a") as partial,
    ):
        partial.write_text("x")
    assert "\n" not in str(caught.value)


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with atomic_write(path) as first:
        first.write_text("first, still writing")
        with atomic_write(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first, still writing"
    assert list(tmp_path.iterdir()) == [path]
