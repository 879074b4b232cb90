"""Planted identifiers must appear in no output, whatever its form."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cxpath
from cxpath.app.configuration import ScoreRequest
from tests.conftest import SyntheticSlide
from tests.slide.synthetic_slides import PLANTED, write_aperio

FILE_STEM = "Mueller_Anna_1961"


@pytest.fixture(scope="module")
def planted(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic tissue in an SVS whose metadata, label and macro carry identifiers."""
    with cxpath.open_slide(synthetic_slide.path) as slide:
        pixels = slide.read(1200, 1200, 1400, 1400, 0.25)
    return write_aperio(tmp_path_factory.mktemp("planted") / f"{FILE_STEM}.svs", [pixels])


def score(slide: Path, out: Path, *options: str) -> bytes:
    """Run the command; return everything it printed and every byte it left, unpacked."""
    command = [sys.executable, "-m", "cxpath", "--verbose", "score", str(slide), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode in {0, 4}, done.stderr.decode()
    parts = [done.stdout, done.stderr]
    for path in sorted(out.rglob("*")):
        parts.append(path.name.encode())
        if path.is_file():
            content = path.read_bytes()
            parts.extend([content, gzip.decompress(content) if path.suffix == ".gz" else b""])
    assert (out / "cells.parquet").exists()
    return b"\n".join(parts)


def test_no_user_barcode_or_date_leaves_the_slide(planted: Path, tmp_path: Path) -> None:
    assert all(text.encode() in planted.read_bytes() for text in PLANTED.values())
    left = score(planted, tmp_path / "out")
    assert [name for name, text in PLANTED.items() if text.encode() in left] == []
    assert FILE_STEM.encode() in left  # shown unless a pseudonym is asked for


def test_with_a_pseudonym_not_even_the_file_name_leaves(planted: Path, tmp_path: Path) -> None:
    left = score(planted, tmp_path / "out", "--pseudonym")
    assert FILE_STEM.encode() not in left
    assert b"slide-" in left


def test_the_default_folder_of_a_pseudonym_is_the_pseudonym(planted: Path) -> None:
    folder = ScoreRequest(planted, pseudonym=True).folder
    assert folder.parent == Path("cxpath-out")
    assert folder.name.startswith("slide-")
