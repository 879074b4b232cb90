"""A command among others' terminals, disks, homes and signals: it prints, ends in one line, and cleans up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.command import cxpath
from tests.cli.given_cells import as_parquet, countable_cells
from tests.conftest import SyntheticSlide

PATIENCE_S = 120.0
PRINTING = (
    "import cxpath.cli.main as m\n"
    "def speak(): print('CPS \\u2265 1, \\xb5m, \\u03ba, \\u732b')\n"
    "m.app = speak\nm.main()"
)


def run_code(code: str, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run code in a Python of its own, as a shell runs the command."""
    command = [sys.executable, "-c", code, *map(str, words)]
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONUTF8", "CXPATH_DEBUG"}}
    return subprocess.run(command, capture_output=True, check=False, env={**kept, **environment})


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("cp1252", "CPS >= 1, µm, kappa, ?"),
        ("ascii", "CPS >= 1, um, kappa, ?"),
        ("latin-1:strict", "CPS >= 1, µm, kappa, ?"),
        ("utf-8", "CPS ≥ 1, µm, κ, 猫"),
    ],
)
def test_what_an_encoding_lacks_is_written_plainly(encoding: str, printed: str) -> None:
    done = run_code(PRINTING, PYTHONUTF8="0", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding.partition(":")[0]).strip() == printed


def test_output_to_a_file_is_utf_8_in_every_locale() -> None:
    done = run_code(PRINTING, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C", PYTHONIOENCODING="")
    assert done.stdout.decode("utf-8").strip() == "CPS ≥ 1, µm, κ, 猫"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("much", [1, 100_000])
def test_a_full_disk_behind_the_output_is_one_line(much: int) -> None:
    code = f"import cxpath.cli.main as m\ndef speak(): print('x' * {much})\nm.app = speak\nm.main()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    lines = done.stderr.decode().strip().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1
    assert "cannot be written: No space left on device" in lines[0]
    assert "internal error" not in lines[0]


@pytest.mark.parametrize("out", ["L" * 300, "file/below"])
def test_a_folder_that_no_system_makes_is_no_internal_error(
    out: str, synthetic_slide: SyntheticSlide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    line = cxpath("score", synthetic_slide.path, "--out", out).only_line
    assert "internal error" not in line
    assert "File name too long" in line or "Not a directory" in line


def test_what_the_system_refuses_is_no_internal_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", "cxpath.toml")

    monkeypatch.setattr("cxpath.io.atomic_write", refuse)
    line = cxpath("config", "init", tmp_path / "cxpath.toml").only_line
    assert "cxpath.toml: cannot be read or written: Read-only file system" in line


WITHOUT_HOME = (
    "import os, pwd, sys\n"
    "for name in ('HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME'): os.environ.pop(name, None)\n"
    "def unknown(number): raise KeyError(number)\n"
    "pwd.getpwuid = unknown\n"
    "from cxpath.cli.main import main\n"
    "sys.argv[0] = 'cxpath'; main()"
)
"""The command for a user number without a name, as in a container."""


def test_a_user_without_a_home_can_score(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    as_parquet(countable_cells(), tmp_path / "cells.parquet")
    words: list[str | Path] = [
        "score",
        synthetic_slide.path,
        "--cells",
        tmp_path / "cells.parquet",
        "--out",
        tmp_path / "out",
    ]
    done = run_code(WITHOUT_HOME, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "score.json").read_text())["cps"]["value"] == pytest.approx(40)
    done = run_code(WITHOUT_HOME, *words, "--pseudonym")
    (line,) = done.stderr.decode().strip().splitlines()
    assert "no home folder (set CXPATH_PSEUDONYM_KEY" in line


LISTENING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_DFL)\n"
    "from cxpath.cli.main import main; sys.argv[0] = 'cxpath'; main()"
)
"""The command, listening to signals even where the tests themselves were started by nohup."""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_leaves_nothing_and_says_how_to_resume(
    synthetic_slide: SyntheticSlide, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    words = ["score", str(synthetic_slide.path), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", LISTENING, *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE_S
    while not list(tmp_path.glob(".out.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(number)
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == code
    assert f"run the same command again: cxpath {' '.join(words)}" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_how_to_resume_names_nothing_that_a_pseudonym_hides() -> None:
    code = "import cxpath.cli.main as m\ndef end(**_): raise SystemExit(130)\nm.app = end\nm.main()"
    done = run_code(code, "score", "DOE_JANE.svs", "--pseudonym")
    assert b"interrupted" in done.stderr
    assert b"DOE" not in done.stderr
    assert b"DOE_JANE.svs" in run_code(code, "score", "DOE_JANE.svs").stderr


def test_what_is_unforeseen_names_nothing_that_a_pseudonym_hides() -> None:
    code = "import cxpath.cli.main as m\ndef end(**_): raise RuntimeError('DOE_JANE')\nm.app = end\nm.main()"
    done = run_code(code, "score", "a.svs", "--pseudonym")
    assert done.stderr.startswith(b"cxpath: internal error: RuntimeError")
    assert b"DOE" not in done.stderr


def test_other_libraries_do_not_speak() -> None:
    code = (
        "import cxpath.cli.main as m, logging, warnings\n"
        "def speak():\n"
        "    m._options(version=False, verbose=True)\n"
        "    logging.getLogger('tifffile').error('DOE_JANE.svs')\n"
        "    logging.getLogger('PIL.Image').error('DOE_JANE.svs')\n"
        "    warnings.warn('DOE_JANE.svs')\n"
        "    logging.getLogger('cxpath.slide').info('ours')\n"
        "m.app = speak\nm.main()"
    )
    assert run_code(code).stderr.decode() == "cxpath: ours\n"


def test_a_slide_whose_name_is_not_utf_8_is_scored(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    slide = tmp_path / os.fsdecode(b"M\xfcller 4711.svs")
    try:
        slide.write_bytes(synthetic_slide.path.read_bytes())
    except OSError:
        pytest.skip("this file system refuses such names")
    as_parquet(countable_cells(), tmp_path / "cells.parquet")
    cells = ("--cells", tmp_path / "cells.parquet")
    done = cxpath("score", slide, *cells, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (
        json.loads((tmp_path / "out" / "score.json").read_text())["slide"]["name"] == "M\ufffdller 4711.svs"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXPATH_PSEUDONYM_KEY", "0123456789abcdef")
        done = cxpath("score", slide, *cells, "--out", tmp_path / "hidden", "--pseudonym")
    assert done.returncode == 0, done.stderr
    assert "4711" not in (tmp_path / "hidden" / "score.json").read_text()


def test_a_batch_with_a_name_that_is_not_utf_8_scores_all(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    broken = b"II*\0\x08\0\0\0"  # ends at once: this is about names
    try:
        (folder / os.fsdecode(b"M\xfcller.tif")).write_bytes(broken)
    except OSError:
        pytest.skip("this file system refuses such names")
    (folder / "good.tif").write_bytes(broken)
    done = cxpath("batch", "run", folder, "--out", tmp_path / "out", "--workers", "1")
    assert done.returncode == 3, done.stderr
    table = (tmp_path / "out" / "cohort.csv").read_text(encoding="utf-8-sig")
    assert "M\ufffdller.tif" in table
    assert "good.tif" in table


# With --pseudonym no file of the command line is named.


@pytest.fixture
def roe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A patient's folder with files that cannot be scored."""
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", "0123456789abcdef")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ROE JANE"
    folder.mkdir()
    for name in ("roe.svs", "roe.geojson", "roe.toml", "jane-1961.csv"):
        (folder / name).write_text("nonsense", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("score {roe}/roe.svs --pseudonym", "slide-"),
        ("score {roe}/gone.svs --pseudonym", "the slide: no such file"),
        ("score --pseudonym jane", "the slide: no such file"),
        ("score {roe} --pseudonym", "a folder, not a slide"),
        ("score {roe}/roe.svs --pseudonym --cells {roe}/gone.csv", "the cells file: no such file"),
        ("score {roe}/roe.svs --pseudonym --regions={roe}/gone.json", "the regions file: no such file"),
        ("score {roe}/roe.svs --pseudonym --class-map {roe}/gone.toml", "the class map: no such file"),
        ("score {roe}/roe.svs --pseudonym --config {roe}/roe.toml", "the settings file: not readable"),
        ("score {roe}/roe.svs --pseudonym --model {roe}/net", "model 'the model' is unknown"),
        ("score roe.svs jane.svs --pseudonym", "unexpected extra argument"),
        ("batch run {roe}/gone.csv --pseudonym", "the worklist: no such folder, worklist or slide"),
        ("batch run {roe}/jane-1961.csv --pseudonym", "the worklist: has no column `slide`"),
        ("batch run --pseudonym {roe}/jane*.svs", "the worklist: contains no slide"),
    ],
)
def test_with_a_pseudonym_no_file_of_the_command_line_is_named(roe: Path, words: str, says: str) -> None:
    line = cxpath(*(word.replace("{roe}", str(roe)) for word in words.split(" "))).only_line
    assert says in line
    assert "roe" not in line.lower()
    assert "jane" not in line.lower()


def test_with_a_pseudonym_no_line_of_the_log_names_a_file(roe: Path) -> None:
    link = roe / "again"
    link.symlink_to(roe)
    done = cxpath("--verbose", "batch", "run", roe, "--pseudonym", "--check", "--out", "results")
    assert "wrong" in done.stdout or "fail" in done.stdout
    assert "roe" not in (done.stdout + done.stderr).lower()


def test_without_a_pseudonym_files_are_named_as_they_were_given(roe: Path) -> None:
    assert f"{roe}/gone.svs: no such file" in cxpath("score", roe / "gone.svs").only_line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["score", "a.svs", "--out", ""], "--out is empty"),
        (["score", "a.svs", "--out="], "--out is empty"),
        (["score", "a.svs", "--out", " "], "--out is empty"),
        (["score", "", "--out", "b"], "an argument is empty"),
    ],
)
def test_an_empty_argument_is_refused(words: list[str], says: str) -> None:
    """The current folder would be meant; an unset variable of a shell looks like this."""
    ended = cxpath(*words)
    assert ended.returncode == 2
    assert says in ended.only_line


@pytest.mark.parametrize("written", ["--out {}", "--out={}"])
@pytest.mark.parametrize("place", ["/", "home", "home/../home/"])
def test_results_are_not_written_among_everything_else(
    written: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = place if place == "/" else f"{tmp_path}/{place}"
    ended = cxpath("tmb", "a.vcf", "--preset", "wes_nonsyn", *written.format(folder).split())
    assert ended.returncode == 2
    assert f"--out {folder} is no folder for results alone" in ended.only_line
    assert list((tmp_path / "home").iterdir()) == []
