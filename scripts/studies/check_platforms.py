"""Ask uv whether everything that the wheel needs has wheels, for each system and each Python.

    make wheel
    python -m scripts.studies.check_platforms dist/cxpath-*.whl

Nothing is installed. `uv` must be on the path (`pip install uv`). Prints a table of the number of packages,
or of what has no wheel; ends with 1 where that is not a known gap.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = {
    "Linux, x86": "x86_64-manylinux_2_35",
    "Linux, ARM": "aarch64-manylinux_2_35",
    "Windows": "x86_64-pc-windows-msvc",
    "macOS, Apple silicon": "aarch64-apple-darwin",
    "macOS, Intel": "x86_64-apple-darwin",
}
EXTRAS = ("", "all")
KNOWN_GAPS = {("macOS, Intel", "torch")}
"""Systems, and a package without wheels for them, of which docs/install.md tells."""


@dataclass(frozen=True)
class Resolution:
    """What uv found for one system, Python and extra.

    Parameters
    ----------
    system, python, extra : str
    packages : int
        To be installed, cxpath not counted; 0 where a wheel is missing.
    missing : str
        The package without a wheel; empty without a gap.
    """

    system: str
    python: str
    extra: str
    packages: int
    missing: str

    @property
    def row(self) -> str:
        """A row of the table."""
        outcome = str(self.packages) if not self.missing else f"no wheel of {self.missing}"
        return f"| {self.system} | {self.python} | {self.extra or 'none'} | {outcome} |"

    @property
    def is_new(self) -> bool:
        """Whether it is a gap that nobody knows of."""
        return bool(self.missing) and (self.system, self.missing) not in KNOWN_GAPS


def resolve(wheel: Path, system: str, python: str, extra: str) -> Resolution:
    """Let uv choose the versions of everything that the wheel needs, wheels only."""
    wanted = (
        f"cxpath[{extra}] @ {wheel.resolve().as_uri()}" if extra else f"cxpath @ {wheel.resolve().as_uri()}"
    )
    words = ["uv", "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    chosen = ["--python-version", python, "--python-platform", SYSTEMS[system]]
    done = subprocess.run([*words, *chosen], input=wanted, capture_output=True, encoding="utf-8", check=False)
    if done.returncode == 0:
        return Resolution(system, python, extra, len(re.findall("^[^#].*==", done.stdout, re.MULTILINE)), "")
    return Resolution(system, python, extra, 0, missing_in(done.stderr))


def missing_in(said: str) -> str:
    """Return the package of which uv says that it has no fitting wheel; uv's last line without one."""
    found = re.search(r"([\w.-]+?)[<>=!~]\S* has no wheels", " ".join(said.split()))
    return found[1] if found else (said.strip().splitlines() or ["nothing said"])[-1]


def resolutions(wheel: Path) -> Iterator[Resolution]:
    """Yield what uv finds for every system, Python and extra."""
    for system in SYSTEMS:
        for python in PYTHONS:
            for extra in EXTRAS:
                yield resolve(wheel, system, python, extra)


def main() -> None:
    """Print the table for the wheel that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scripts.studies.check_platforms WHEEL")
    print("| system | Python | extra | packages |\n|---|---|---|---|", flush=True)
    gaps = 0
    for found in resolutions(Path(sys.argv[1])):
        print(found.row, flush=True)
        gaps += found.is_new
    sys.exit(int(gaps > 0))


if __name__ == "__main__":
    main()
