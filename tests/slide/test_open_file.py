from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cxpath.slide import open_file
from cxpath.slide.open_file import OpenFile

BYTES = bytes(range(256)) * 40


@pytest.mark.parametrize("positional", [True, False])
def test_threads_read_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, positional: bool) -> None:
    monkeypatch.setattr(open_file, "_POSITIONAL", positional)
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    places = [(place * 37) % 10_000 for place in range(500)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: file.read(100, place), places))
    assert found == [BYTES[place : place + 100] for place in places]


def test_the_end_of_the_file_cuts(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    assert file.read(100, len(BYTES) - 7) == BYTES[-7:]
    assert file.read(100, len(BYTES) + 7) == b""


def test_shares_that_give_less_than_asked_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda number, length, place: whole(number, min(length, 33), place))
    assert file.read(200, 11) == BYTES[11:211]


def test_let_go_of_it_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BYTES)
    file = OpenFile(tmp_path / "a")
    number = file._number
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    with pytest.raises(FileNotFoundError):
        OpenFile(tmp_path / "none")
