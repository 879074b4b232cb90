from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxpath.errors import CellsFileError, MissingFileError, OutputError
from cxpath.io import atomic as file_content
from cxpath.io.atomic import (
    append_durably,
    atomic_write,
    claimed,
    claimed_in_time,
    clear_leftovers,
    leftovers_of,
    partial_path,
    read_content,
    text_lines,
)

HINT = "export it again"


def test_plain_and_packed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x,y\n1,2\n")
    assert read_content(tmp_path / "a.csv", CellsFileError, HINT) == b"x,y\n1,2\n"
    two_members = gzip.compress(b"x,y\n") + gzip.compress(b"1,2\n")  # as bgzip writes
    (tmp_path / "a.csv.gz").write_bytes(two_members)
    assert read_content(tmp_path / "a.csv.gz", CellsFileError, HINT) == b"x,y\n1,2\n"


def test_a_bomb_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(200 * 1024**2)))
    with pytest.raises(CellsFileError, match=r"bomb\.gz: unpacks to more than 64 MB, from \d+ bytes"):
        read_content(tmp_path / "bomb.gz", CellsFileError, HINT)


def test_what_shrinks_well_is_no_bomb(tmp_path: Path) -> None:
    rows = b"".join(b"Tumor: Positive,%d,%d\n" % (number * 7919 % 100_000, number) for number in range(10**6))
    packed = gzip.compress(rows)
    (tmp_path / "cells.gz").write_bytes(packed)
    assert read_content(tmp_path / "cells.gz", CellsFileError, HINT) == rows


def test_a_file_too_large_for_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_content, "MOST_BYTES", 10)
    (tmp_path / "a.csv").write_bytes(b"x" * 11)
    with pytest.raises(CellsFileError, match=r"a\.csv: too large to read"):
        read_content(tmp_path / "a.csv", CellsFileError, HINT)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b",
        b"\x1f\x8b\x08" + bytes(30),
        gzip.compress(b"text" * 99)[:-12],
        gzip.compress(b"a")[:-3] + b"xyz",
    ],
    ids=["head alone", "nonsense", "cut off", "wrong length"],
)
def test_a_damaged_archive_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(CellsFileError, match=r"a\.gz: ") as caught:
        read_content(tmp_path / "a.gz", CellsFileError, HINT)
    assert "\n" not in str(caught.value)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_content(tmp_path / "a\0b", CellsFileError, HINT)
    with pytest.raises((CellsFileError, MissingFileError), match=r"a{300}"):
        read_content(tmp_path / ("a" * 300), CellsFileError, HINT)
    (tmp_path / "e").write_bytes(b" \n")
    with pytest.raises(CellsFileError, match="empty"):
        read_content(tmp_path / "e", CellsFileError, HINT)


def test_packed_and_plain_content_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"content")
    (tmp_path / "packed").write_bytes(gzip.compress(b"content"))
    for name in ("plain", "packed"):
        assert read_content(tmp_path / name, CellsFileError, "again") == b"content"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(gzip.compress(bytes(80 << 20)), "unpacks to more than 64 MB", id="zeros"),
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


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "猫" * 85, "short.json"])
def test_names_as_long_as_the_system_allows_can_be_written(tmp_path: Path, name: str) -> None:
    with atomic_write(tmp_path / name) as partial:
        assert len(os.fsencode(partial.name)) <= 255
        partial.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_that_differ_at_their_end_have_leftovers_of_their_own(tmp_path: Path) -> None:
    first, second = tmp_path / f"{'a' * 254}1", tmp_path / f"{'a' * 254}2"
    partial_path(first).mkdir()
    assert len(leftovers_of(first)) == 1
    assert leftovers_of(second) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot tell the living from the dead")
@pytest.mark.parametrize("name", ["out", "case [1] 50%?", "*"])
def test_leftovers_go_but_those_of_a_living_run_and_of_other_names_stay(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    inside, beside, living = folder / partial_path(folder).name, partial_path(folder), partial_path(folder)
    other = partial_path(tmp_path / "other")
    for left in (inside, beside, living, other):
        left.mkdir(parents=True)
        (left / "tissue.png").touch()
    with claimed(living) as ours:
        assert ours
        clear_leftovers(folder)
    assert [path.exists() for path in (inside, beside, living, other)] == [False, False, True, True]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot tell the living from the dead")
def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    partial = partial_path(tmp_path / "out")
    partial.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from cxpath.io.atomic import claimed\n"
        "with claimed(Path(sys.argv[1])) as ours: print(ours, flush=True); input(); os._exit(9)"
    )
    command = [sys.executable, "-c", code, str(partial)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline() == "True\n"
        clear_leftovers(tmp_path / "out")
        assert partial.exists()
        running.communicate("\n")
    clear_leftovers(tmp_path / "out")
    assert not partial.exists()


def test_a_folder_that_is_gone_cannot_be_claimed(tmp_path: Path) -> None:
    with claimed(tmp_path / "gone") as ours:
        assert not ours
    (tmp_path / "here").mkdir()
    with claimed(tmp_path / "here"):
        shutil.rmtree(tmp_path / "here")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_are_read_in_every_form_that_spreadsheets_save(encoding: str) -> None:
    text = "Chromosome\tµ\r\n1\ta\x0cb\r2\t\u2028\n"
    assert text_lines(text.encode(encoding)) == ["Chromosome\tµ", "1\ta\x0cb", "2\t\u2028", ""]


def test_what_is_appended_follows_what_was_there(tmp_path: Path) -> None:
    record = tmp_path / "events.ndjson"
    append_durably(record, b"one\n")
    append_durably(record, b"two\n")
    assert record.read_bytes() == b"one\ntwo\n"


def test_an_append_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "events.ndjson"
    append_durably(record, b"one\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        append_durably(record, b"two\n")
    assert record.read_bytes() == b"one\n"


def test_a_folder_in_use_is_waited_for(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("folders are not locked there")
    with claimed(tmp_path) as first:
        assert first
        with claimed_in_time(tmp_path, seconds=0.05) as second:
            assert not second
    with claimed_in_time(tmp_path, seconds=0.05) as third:
        assert third


def test_many_processes_append_whole_lines_under_a_claim(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from cxpath.io.atomic import append_durably, claimed_in_time\n"
        "folder = Path(sys.argv[1])\n"
        "for _ in range(10):\n"
        "    with claimed_in_time(folder):\n"
        "        record = folder / 'record'\n"
        "        number = len(record.read_bytes().splitlines()) if record.exists() else 0\n"
        "        append_durably(record, f'{number}\\n'.encode())\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    lines = (tmp_path / "record").read_text().split()
    assert lines == [str(number) for number in range(30)]
