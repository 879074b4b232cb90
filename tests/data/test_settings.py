"""How many cores this process may use, with and without limits."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from cxpath.app.configuration import load_configuration
from cxpath.app.therapy_profile import states_case
from cxpath.batch.cohort import read_baseline
from cxpath.data.settings import Settings, import_extra, number_too_large, read_settings, usable_cores
from cxpath.documents import ScoreDocument
from cxpath.errors import (
    CellsFileError,
    ConfigurationError,
    CxpathError,
    MissingExtraError,
    MissingFileError,
    ReadsFileError,
)
from cxpath.io.atomic import read_content
from cxpath.io.foreign_cells import is_dicom, is_hdf5
from cxpath.io.reads import read_reads
from cxpath.io.vcf import read_vcf


def test_a_process_held_to_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    try:
        os.sched_setaffinity(0, {one})
        assert usable_cores() == {one}
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == before


def test_a_system_without_such_limits_offers_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert len(usable_cores()) == os.cpu_count()


class Lamp(Settings):
    watts: int = 40


def test_a_file_becomes_settings(tmp_path: Path) -> None:
    path = tmp_path / "lamp.toml"
    path.write_text("watts = 60\n")
    assert read_settings(Lamp, path, "see lamps").watts == 60


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"watts = \n", "not readable as TOML"),
        (b"\xff\xfe", "not readable as TOML"),
        (b"colour = 'blue'\n", "colour"),
        (b"watts = 'many'\n", "watts"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "lamp.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        read_settings(Lamp, path, "see lamps")
    assert str(path) in str(caught.value)
    assert caught.value.hint == "see lamps"


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_settings(Lamp, tmp_path / "none.toml", "see lamps")
    with pytest.raises(ConfigurationError, match="not readable"):
        read_settings(Lamp, tmp_path, "see lamps")


DEEP, DIGITS = "watts = " + "[" * 5000 + "]" * 5000, f"watts = {'9' * 5000}"


@pytest.mark.parametrize(("content", "said"), [(DEEP, "nested too deeply"), (DIGITS, "has too many digits")])
def test_toml_that_breaks_its_reader_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "lamp.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=f"not readable as TOML: .*{said}"):
        read_settings(Lamp, path, "see lamps")


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ({"a": [{"b": 1e101}]}, "a.0.b"),
        ({"a": {"b": -(2**63)}}, "a.b"),
        (2**63, "file"),
        ({"a": 2**63 - 1, "b": -1e100, "c": True, "d": float("nan"), "e": "9" * 200}, ""),
    ],
)
def test_a_number_beyond_what_can_be_computed_with_is_found(stated: object, place: str) -> None:
    assert number_too_large(stated) == place


def test_numbers_are_looked_for_in_what_is_nested_deeper_than_calls_can_be() -> None:
    stated: object = 1e200
    for _ in range(5_000):
        stated = [stated]
    assert number_too_large(stated) == ".".join(["0"] * 5_000)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "lamp.toml").write_text("watts = 60\n", encoding="utf-8-sig")
    assert read_settings(Lamp, tmp_path / "lamp.toml", "see lamps").watts == 60


PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))


def test_a_module_that_is_there_is_imported() -> None:
    assert import_extra("json.decoder", "agree").__name__ == "json.decoder"


@pytest.mark.parametrize(
    ("module", "extra"), [("openpyxl.reader.excel", "agree"), ("pysam", "tmb"), ("fhir.resources", "fhir")]
)
def test_one_that_is_missing_is_named_with_its_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"is not installed.*cxpath\[{extra}\]"):
        import_extra(module, extra)
    assert extra in PYPROJECT["project"]["optional-dependencies"]


def test_a_workbook_and_a_vcf_ask_for_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl.reader.excel", None)
    monkeypatch.setitem(sys.modules, "pysam", None)
    (tmp_path / "reads.xlsx").write_bytes(b"PK")
    with pytest.raises((MissingExtraError, ReadsFileError), match=r"cxpath\[agree\]|workbook"):
        read_reads(tmp_path / "reads.xlsx")
    (tmp_path / "a.vcf").write_text("##fileformat=VCFv4.2\n")
    with pytest.raises(MissingExtraError, match=r"cxpath\[tmb\]"):
        read_vcf(tmp_path / "a.vcf")


def test_what_the_core_imports_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install cxpath` alone scores a slide: none of these names is asked for on the way."""
    extras = {
        name.split(">")[0].split(";")[0].strip()
        for names in PYPROJECT["project"]["optional-dependencies"].values()
        for name in names
        if not name.startswith("cxpath[")
    }
    core = {name.split(">")[0].strip() for name in PYPROJECT["project"]["dependencies"]}
    assert not extras & core


DOUBLE = """
from cxpath.data.settings import worker_processes

def double():
    with worker_processes(2, print, (b"x" * 5_000_000,) if LARGE else ("begun",)) as pool:
        print(list(pool.map(abs, [-1, 2])))
"""
"""A program whose workers take more than a pipe contains, where `LARGE` is true."""

DIE = """
import os, signal
from cxpath.data.settings import worker_processes

def kill_myself(_):
    os.kill(os.getpid(), signal.SIGKILL)

def die():
    with worker_processes(2) as pool:
        list(pool.map(kill_myself, range(2)))
"""
"""A program whose workers are killed at their work, as a system without memory does."""

WORK_ON = """
import os, sys, time
from pathlib import Path
from cxpath.data.settings import worker_processes

def number_of_process(folder):
    (Path(folder) / str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < 2:
        time.sleep(0.05)
    return os.getpid()

def work_on():
    with worker_processes(2) as pool:
        print(*pool.map(number_of_process, 2 * [sys.argv[1]]), flush=True)
        pool.submit(time.sleep, 600).result()
"""
"""A program that prints the process numbers of its two workers, of which one then works and one waits."""

PATIENCE_S = 60.0


def python(*words: str | Path, program: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], input=program, capture_output=True, text=True, check=False
    )


def runs(process: int) -> bool:
    """Say whether a process is there and no mere entry of one that has ended."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    return "".join(line for line in done.stderr.splitlines() if "WorkersError: " in line)


def test_a_guarded_script_has_workers(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"LARGE = False\n{DOUBLE}\nif __name__ == '__main__':\n    double()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines())[0] == "[1, 2]"
    assert "begun" in done.stdout


def test_an_unguarded_script_ends_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"LARGE = True\n{DOUBLE}\ndouble()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 1
    assert "no worker process could be started" in complaint(done)
    assert 'save the program as a file and call this below `if __name__ == "__main__":`' in complaint(done)


def test_a_worker_that_dies_at_its_work_is_not_laid_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{DIE}\n\nif __name__ == '__main__':\n    die()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 1
    assert "a worker process ended unexpectedly" in complaint(done)
    assert "__main__" not in complaint(done)


def test_a_program_from_standard_input_does_without_workers_or_says_so() -> None:
    counted = python("-", program="from cxpath.data.settings import *\nprint(default_workers())")
    assert counted.stdout.strip() == "1", counted.stderr
    refused = python("-", program=f"LARGE = True\n{DOUBLE}\ndouble()")
    assert "a program from standard input cannot have worker processes" in complaint(refused)


def test_workers_end_with_the_program_that_began_them_even_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{WORK_ON}\n\nif __name__ == '__main__':\n    work_on()")
    (tmp_path / "begun").mkdir()
    program = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path / "begun"], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    workers = [int(number) for number in program.stdout.readline().split()]
    assert len(set(workers)) == 2
    assert all(runs(worker) for worker in workers)
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + PATIENCE_S
    while any(runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(runs(worker) for worker in workers)


def test_else_there_is_a_worker_for_each_core() -> None:
    counted = python("-c", "from cxpath.data.settings import *\nprint(default_workers())")
    assert int(counted.stdout) == len(os.sched_getaffinity(0)) >= 1


# Devices and pipes: reading from one may never end.


def _read_by(reader: str, path: Path) -> object:
    readers: dict[str, Callable[[Path], object]] = {
        "settings": lambda pipe: read_settings(Settings, pipe, ""),
        "configuration": load_configuration,
        "reads": read_reads,
        "baseline": read_baseline,
        "document": ScoreDocument.read,
        "cells": lambda pipe: is_hdf5(pipe) or is_dicom(pipe) or read_content(pipe, CellsFileError, ""),
        "score of a case": lambda pipe: states_case(pipe) or ScoreDocument.read(pipe),
    }
    return readers[reader](path)


@pytest.mark.parametrize(
    "reader", ["settings", "configuration", "reads", "baseline", "document", "cells", "score of a case"]
)
def test_a_pipe_is_refused_before_it_is_opened(reader: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CxpathError, match=r"is a device or pipe|no such file"):
        _read_by(reader, tmp_path / "pipe")
