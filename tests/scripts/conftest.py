"""Runs a recipe as a user does, and a small synthetic slide for it to work on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxpath.synth.slide import SlideTruth, write_synthetic_slide

ROOT = Path(__file__).resolve().parents[2]
RECIPES, STUDIES = ROOT / "scripts" / "recipes", ROOT / "scripts" / "studies"
RunScript = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_script() -> RunScript:
    def run(name: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
        recipe = RECIPES / name
        program = [str(recipe)] if recipe.exists() else ["-m", f"scripts.studies.{name.removesuffix('.py')}"]
        command = [sys.executable, *program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)

    return run


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SlideTruth]:
    path = tmp_path_factory.mktemp("slides") / "case.svs"
    return path, write_synthetic_slide(path, seed=1, cps=20.0, width_px=2048, height_px=2048)


@pytest.fixture(scope="session")
def slide(drawn: tuple[Path, SlideTruth]) -> Path:
    return drawn[0]


@pytest.fixture(scope="session")
def scored(
    run_script: RunScript, slide: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The results folder of the synthetic slide, and what `score_one_slide.py` said when it made it."""
    folder = tmp_path_factory.mktemp("results") / "case"
    return folder, run_script("score_one_slide.py", slide, folder)
