"""Install the wheel with each extra into a fresh environment, and do there what the extra is for.

    make wheel
    python -m scripts.studies.check_extras dist/cxpath-*.whl [--only EXTRA ...] [--python PYTHON] [--uv]

Prints a table; ends with 1 when anything failed. Each environment lies outside the checkout and is removed
when it has been tried. Packages come from pip's index, wheels only; `--uv` installs with uv, which links
files instead of copying them. For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.studies.extra_trials import BARE, OUTFIT, TRIALS, Step, extras, write_files

_TIMEOUT_S = 900
_BIN = "Scripts" if sys.platform == "win32" else "bin"


@dataclass(frozen=True)
class Result:
    """What became of one extra.

    Parameters
    ----------
    extra : str
    packages : int
        Installed, cxpath and what pip itself brings included.
    mebibytes : int
        Of the environment.
    done : int
        Commands that did what they should.
    failed : tuple of str
        A line for each that did not.
    """

    extra: str
    packages: int
    mebibytes: int
    done: int
    failed: tuple[str, ...]

    @property
    def row(self) -> str:
        """A row of the table."""
        name = f"`{self.extra}`" if self.extra else "none"
        outcome = "; ".join(self.failed) or "ok"
        return f"| {name} | {self.packages} | {self.mebibytes:,} | {self.done} | {outcome} |"


def run_step(step: Step, environment: Path, folder: Path) -> str:
    """Run a command with the programs of an environment; return what went wrong, or an empty text."""
    words = _words(step.words, environment)
    if shutil.which(words[0]) is None:
        return f"{words[0]} is not installed"
    surroundings = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "CI"}}
    try:
        done = subprocess.run(
            words, cwd=folder, env=surroundings | {"COLUMNS": "200"}, capture_output=True,
            encoding="utf-8", errors="replace", check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{step.words}: not done after {_TIMEOUT_S} s"
    return _fault(step, done, folder)


def _words(command: str, environment: Path) -> list[str]:
    """Return the words of a command, with `cxpath` and `python` of the environment."""
    program, *others = command.split()
    if program in {"cxpath", "python"}:
        program = str(environment / _BIN / program)
    return [program, *others]


def _fault(step: Step, done: subprocess.CompletedProcess[str], folder: Path) -> str:
    said = done.stdout + done.stderr
    last = (said.strip().splitlines() or ["nothing said"])[-1]
    if "Traceback" in said:
        return f"{step.words}: traceback: {last}"
    if done.returncode not in step.exits:
        return f"{step.words}: exit {done.returncode}: {last}"
    if 0 not in step.exits and len(done.stderr.strip().splitlines()) > 2:
        return f"{step.words}: more than one line and a hint: {last}"
    if step.says not in said:
        return f"{step.words}: does not say {step.says!r}: {last}"
    if step.leaves and not any(folder.glob(step.leaves)):
        return f"{step.words}: left no {step.leaves}"
    return ""


@dataclass(frozen=True)
class Installer:
    """Makes environments.

    Parameters
    ----------
    python : str
        The interpreter that they are made of.
    uv : bool
        Whether uv installs, not pip.
    """

    python: str
    uv: bool

    def install(self, wheel: Path, extra: str, environment: Path) -> str:
        """Make an environment with the wheel and an extra; return what went wrong, or an empty text."""
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        program = str(environment / _BIN / "python")
        make = ["uv", "venv", "--quiet", "--python", self.python] if self.uv else [self.python, "-m", "venv"]
        pip = ["uv", "pip"] if self.uv else [program, "-m", "pip"]
        options = ["--python", program] if self.uv else []
        for words in (
            [*make, str(environment)],
            [*pip, "install", "--quiet", *options, "--only-binary", ":all:", wanted],
            [*pip, "check", *options],
        ):
            done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", check=False)
            if done.returncode != 0:
                said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
                return f"{' '.join(words[:4])} ...: {said[-1]}"
        return ""


def size_of(environment: Path) -> tuple[int, int]:
    """Return the packages of an environment, and its MiB."""
    packages = len(list(environment.glob("**/*.dist-info")))
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    return packages, round(sum(path.stat().st_size for path in files) / 2**20)


def check(
    wheel: Path, wanted: Sequence[str], installer: Installer, outfit: Path, folder: Path
) -> Iterator[Result]:
    """Try the wheel with each wanted extra.

    What commands work on is taken from `outfit`. Where it is not there, the environment without an extra
    makes it, and is tried first.
    """
    if made := not outfit.exists():
        outfit.mkdir()
        write_files(outfit)
        wanted = [BARE, *(name for name in wanted if name != BARE)]
    for extra in wanted:
        environment, work = folder / f"environment-{extra}", folder / f"work-{extra}"
        failed = [fault] if (fault := installer.install(wheel, extra, environment)) else []
        steps: tuple[Step, ...] = () if failed else TRIALS[extra]
        if made and extra == BARE and not failed:
            failed = [fault for step in OUTFIT if (fault := run_step(step, environment, outfit))]
        shutil.copytree(outfit, work)
        faults = [run_step(step, environment, work) for step in steps]
        failed += [fault for fault in faults if fault]
        yield Result(extra, *size_of(environment), faults.count(""), tuple(failed))
        shutil.rmtree(environment)
        shutil.rmtree(work)


def main() -> None:
    """Check the extras that the command line names, else all, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--only", nargs="*", choices=[BARE, *extras()], help="these extras")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to try")
    parser.add_argument("--outfit", type=Path, help="folder of what commands work on, made where it is not")
    parser.add_argument("--uv", action="store_true", help="install with uv")
    given = parser.parse_args()
    wanted = [BARE, *extras()] if given.only is None else given.only
    failed = False
    print("| extra | packages | MiB | commands | outcome |\n|---|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="cxpath-extras-") as folder:
        installer = Installer(given.python, given.uv)
        outfit = given.outfit or Path(folder) / "outfit"
        for result in check(given.wheel.resolve(), wanted, installer, outfit, Path(folder)):
            print(result.row, flush=True)
            failed = failed or bool(result.failed)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
