""""""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cxpath.errors import CellsFileError, MissingFileError, OutputError
from cxpath.io.atomic import atomic_write, read_content


def test_packed_and_plain_content_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"content")
    (tmp_path / "packed").write_bytes(gzip.compress(b"content"))
    for name in ("plain", "packed"):
        assert read_content(tmp_path / name, CellsFileError, "again") == b"content"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(gzip.compress(bytes(80 << 20)), "unpacks to more than 150 times its size", id="zeros"),
        pytest.param(gzip.compress(b"content")[:-9], "cannot be read", id="cut"),
        pytest.param(gzip.compress(b"content" * 9)[:12] + b"\xff" * 30, "cannot be read", id="damaged"),
        pytest.param(gzip.compress(b" \n"), "is empty", id="blank"),
    ],
)
def test_what_cannot_be_unpacked_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(CellsFileError, match=said) as caught:
        read_content(tmp_path / "a.gz", CellsFileError, "again")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_content(tmp_path, CellsFileError, "again")


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
