"""Damaged files of every kind are read or refused in one line; and the fuzzer sees what it should see."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cxpath.errors import CxpathError
from scripts.studies import fuzz_readers
from scripts.studies.fuzz_readers import (
    Answer,
    Input,
    Outcome,
    Tally,
    fuzz,
    inputs,
    read_tallies,
    table,
    write_tallies,
)
from scripts.studies.fuzzed_readers import FuzzedReader, readers
from scripts.studies.mutations import Form, mutated

SEED = 17
_SLOW = {"profile": 25, "score.json": 15, "run.json": 10, "fields.json": 10, "tiles.parquet": 10}
_SLOW |= {"result's cells": 10, "therapy.json": 60}
"""Readers that write pages: fewer inputs of them."""


@pytest.mark.parametrize("name", readers())
def test_no_damaged_file_ends_a_reader_otherwise_than_in_one_line(name: str, tmp_path: Path) -> None:
    tally, found = fuzz(name, SEED, _SLOW.get(name, 250), tmp_path)
    assert found == []
    assert tally.outcomes[Outcome.REFUSED] > 0


@pytest.mark.parametrize("name", readers())
def test_the_undamaged_files_are_read(name: str, tmp_path: Path) -> None:
    """Else the other test would prove nothing."""
    reader, taken = readers()[name](), list[bool]()
    for seed in reader.seeds:
        (tmp_path / reader.name).write_bytes(seed)
        try:
            reader.read(tmp_path / reader.name)
        except CxpathError:
            taken.append(False)
        else:
            taken.append(True)
    assert any(taken) or name == "DICOM"  # its seed is a header without a picture


def _fails(_: Path) -> None:
    raise ZeroDivisionError("division by zero")


def _says_two_lines(path: Path) -> None:
    error = CxpathError("")
    error.message = f"{path}: one\ntwo"
    raise error


def _names_no_file(_: Path) -> None:
    raise CxpathError("something is wrong", "do something")


def _needs_much(_: Path) -> None:
    bytearray(3 * 2**30)


def _ends(path: Path) -> None:
    while path.stem != "whole":
        os.abort()


def _is_damaged(path: Path) -> bool:
    """Say whether a file is none of those that a worker reads to warm up."""
    return "whole" not in {path.stem, path.parent.name}


def _never_ends(path: Path) -> None:
    while _is_damaged(path):
        pass


def _sleeps(path: Path) -> None:
    while path.stem != "whole":
        time.sleep(1)


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (_fails, Outcome.EXCEPTION),
        (_says_two_lines, Outcome.WORDING),
        (_names_no_file, Outcome.WORDING),
        (_needs_much, Outcome.MEMORY),
        (_ends, Outcome.CRASH),
        (_never_ends, Outcome.HANG),
        (_sleeps, Outcome.HANG),
        (Path.read_bytes, Outcome.READ),
    ],
)
def test_each_fault_is_seen_and_the_next_input_is_read(
    read: Callable[[Path], object], outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the worker, another one takes over."""
    monkeypatch.setattr(fuzz_readers, "_PATIENCE_S", 20 if read is _sleeps else 600)
    reader = FuzzedReader(read, Form.TEXT, "a.txt", (b"text",))
    whole, path = tmp_path / "whole.txt", tmp_path / "a.txt"
    whole.write_bytes(b"text")
    path.write_bytes(b"text")
    with fuzz_readers.worker_for(reader, whole, tmp_path) as worker:
        answers = list(worker.read([path, path]))
    assert [answer.outcome for answer in answers] == [outcome, outcome]
    assert read is not _never_ends or "_never_ends" in answers[0].said


def _hangs_the_first_time(mark: Path, path: Path) -> None:
    """Stand for a machine that stood still while an input was read."""
    if _is_damaged(path) and not mark.exists():
        mark.touch()
        _never_ends(path)


def test_a_process_that_is_ended_once_is_no_fault_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Processor time grows on a busy virtual machine, too; alone, the input is read."""
    reader = FuzzedReader(partial(_hangs_the_first_time, tmp_path / "mark"), Form.TEXT, "a.txt", (b"text",))
    monkeypatch.setattr(fuzz_readers, "readers", lambda _=(): {"slow": lambda: reader})
    tally, found = fuzz("slow", 3, 3, tmp_path)
    assert (found, tally.read_again) == ([], 1)
    assert tally.outcomes == {Outcome.READ: 3}
    assert "which counts" in capsys.readouterr().err


def test_an_input_that_hangs_each_time_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_readers, "_TIMES_ALONE", 1)
    reader = FuzzedReader(_never_ends, Form.TEXT, "a.txt", (b"text",))
    monkeypatch.setattr(fuzz_readers, "readers", lambda _=(): {"endless": lambda: reader})
    tally, found = fuzz("endless", 3, 1, tmp_path)
    assert (tally.faults, tally.read_again, len(found)) == (1, 1, 1)


def test_readers_that_were_not_run_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fuzz", "--only", "BED", "--inputs", "1", "--corpus", "--tallies", str(tmp_path / "t.json")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        fuzz_readers.main()
    assert not end.value.code
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("Not run: ")
    assert last.count(", ") == len(readers()) - 2


def test_a_fault_is_written_down_with_its_input_and_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FuzzedReader(_fails, Form.TEXT, "a.txt", (b"case,reader\n1,2\n",))
    monkeypatch.setattr(fuzz_readers, "readers", lambda _=(): {"broken": lambda: reader})
    tally, found = fuzz("broken", 3, 2, tmp_path)
    assert tally.faults == 2
    assert all("ZeroDivisionError" in line for line in found)
    again = list(inputs(reader, "broken", 3, 2))
    assert (tmp_path / "broken-3-1" / "a.txt").read_bytes() == again[1].content
    assert '"number": 1' in (tmp_path / "broken-3-1" / "fault.json").read_text()
    assert "| broken | 2 | 0 | 0 | 2 | 0 |" in table({"broken": tally})


@pytest.mark.parametrize("form", Form)
def test_the_same_seed_damages_alike_and_nothing_fails_on_nothing(form: Form) -> None:
    for content in (
        b"",
        b"\0",
        b"x,y\n1,2\n",
        b"\x89PNG\r\n\x1a\n",
        b"II*\0\x08\0\0\0",
        b"\x1f\x8b\x08broken",
    ):
        for number in range(60):
            once, again = (mutated(content, form, random.Random(f"{form}/{number}")) for _ in range(2))
            assert once == again


def test_most_damaged_files_differ_from_the_file() -> None:
    reader = readers()["cells GeoJSON"]()
    found = [
        isinstance(one, Input) and one.content not in reader.seeds for one in inputs(reader, "x", 1, 100)
    ]
    assert sum(found) > 90


def test_runs_are_summed_up(tmp_path: Path) -> None:
    first, second = Tally(), Tally()
    first.add(Answer(Outcome.READ, 1.0, 10))
    second.add(Answer(Outcome.REFUSED, 3.0, 5))
    write_tallies(tmp_path / "tallies.json", {"MAF": first})
    kept = read_tallies(tmp_path / "tallies.json")["MAF"]
    kept.merge(second)
    assert kept == Tally(Counter({Outcome.READ: 1, Outcome.REFUSED: 1}), 3.0, 10)
    assert read_tallies(tmp_path / "none.json") == {}
