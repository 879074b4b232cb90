"""The scripts for QuPath are run by Groovy, on classes that have the parts of QuPath which they call.

QuPath itself cannot be installed here. The classes in `api` have the names, arguments and habits of QuPath
0.6 and 0.7 as its published source states them, and nothing more: a call of anything else fails.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from cxpath.cli.main import app
from cxpath.data import bundled
from cxpath.data.cells import Kind
from cxpath.io.cell_classes import default_cell_classes, read_cell_classes
from cxpath.io.cells import read_cells
from cxpath.io.foreign_cells import read_given_cells
from cxpath.slide.open import open_slide
from tests.cli.command import cxpath
from tests.cli.given_cells import as_csv, countable_cells
from tests.conftest import SyntheticSlide
from tests.debian_packages import require_program

HERE = Path(__file__).resolve().parent
SCRIPTS = bundled("configs") / "qupath"
IMPORT, EXPORT = SCRIPTS / "import_result.groovy", SCRIPTS / "export_corrections.groovy"
MPP = 0.25

State = dict[str, Any]


class Session:
    """One start of Groovy that runs steps and tells the state of the image after each."""

    def __init__(self, folder: Path) -> None:
        self._java = Path(require_program("java", "default-jre-headless")).resolve()
        self._groovy = require_program("groovy", "groovy", "default-jre-headless")
        self._folder = folder

    def run(self, *steps: dict[str, Any]) -> list[State]:
        path = self._folder / "steps.json"
        path.write_text(json.dumps(steps), encoding="utf-8")
        command = [self._groovy, "-cp", str(HERE / "api"), str(HERE / "session.groovy"), str(path)]
        surroundings = os.environ | {"JAVA_HOME": str(self._java.parents[1]), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, env=surroundings, capture_output=True, encoding="utf-8", check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(tmp_path_factory.mktemp("groovy"))


@pytest.fixture(scope="module")
def scored(synthetic_slide: SyntheticSlide, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of 200 known cells on a real slide file, with its overlay."""
    folder = tmp_path_factory.mktemp("scored") / "case"
    as_csv(countable_cells(), folder.parent / "cells.csv")
    done = cxpath("score", synthetic_slide.path, "--cells", folder.parent / "cells.csv", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert cxpath("export", folder, "--format", "qupath").returncode == 0
    return folder


def features(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    document = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    found: list[dict[str, Any]] = document["features"]
    return found


def own(kind: str, name: str) -> dict[str, Any]:
    """An object that a person added in QuPath."""
    square = [[[10, 10], [200, 10], [200, 200], [10, 200], [10, 10]]]
    return {
        "type": "Feature",
        "id": str(uuid.uuid4()),
        "geometry": {"type": "Polygon", "coordinates": square},
        "properties": {"objectType": kind, "classification": {"name": name}, "measurements": {"Area": 1.0}},
    }


def test_a_result_is_seen_corrected_and_given_back(
    session: Session, scored: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    """Exactly the cells whose class was changed are changed; own regions come back as regions."""
    ids = [one["id"] for one in features(scored / "cells.geojson.gz")]
    overlay = len(features(scored / "overlay.geojson.gz"))
    changed = {ids[3]: ["Tumor", "Negative"], ids[70]: ["Other"], ids[71]: ["Immune cells", "Positive"]}
    added = [own("annotation", "Tumor"), own("detection", "Tumor: Positive")]
    seen, _, after = session.run(
        {"open": MPP, "run": str(IMPORT), "folder": str(scored)},
        {"classify": changed, "add": added},
        {"run": str(EXPORT), "args": [str(tmp_path)]},
    )
    assert (seen["detections"], seen["annotations"], seen["locked"]) == (len(ids), overlay, overlay)
    assert f"{len(ids)} cells and {overlay} other objects of" in seen["printed"]
    assert f"{len(ids)} cells written" in after["printed"]
    assert "1 detection of other origin left out" in after["printed"]
    assert "1 region written" in after["printed"]
    assert after["shown"] == []

    (region,) = features(tmp_path / "regions.geojson")
    assert region["id"] == added[0]["id"]
    corrected = tmp_path / "corrected.geojson.gz"
    with open_slide(synthetic_slide.path) as slide:
        info = slide.info
    found = read_given_cells(corrected, info, read_cell_classes(default_cell_classes()), 0.5).cells
    before = read_cells(scored / "cells.parquet")
    side = (found.stained >= 0.5) != (before.stained >= 0.5)
    differ = np.flatnonzero((found.kind != before.kind) | side)
    assert differ.tolist() == [3, 70, 71]
    assert found.kind[[70, 71]].tolist() == [Kind.OTHER, Kind.IMMUNE]
    np.testing.assert_allclose(found.x_px, before.x_px, rtol=0, atol=0.005 + 1e-9)

    done = cxpath("review", "apply", scored, "--cells", corrected, "--reviewer", "Dr A")
    assert done.returncode == 0, done.stderr
    assert re.search(r"edited +3 cells changed, 0 added, 0 removed", done.stdout)


def test_a_second_import_replaces_the_first_and_nothing_else(session: Session, scored: Path) -> None:
    cells = len(features(scored / "cells.geojson.gz"))
    added = [own("annotation", "Stroma"), own("detection", "Tumor")]
    first, _, second = session.run(
        {"open": MPP, "run": str(IMPORT), "args": [str(scored)]},
        {"add": added},
        {"run": str(IMPORT), "args": [str(scored)]},
    )
    assert second["detections"] == cells + 1
    assert second["annotations"] == first["annotations"] + 1
    assert f"{cells + first['annotations']} objects of an earlier import replaced" in second["printed"]
    assert second["mapsOfCells"] == 0  # a map for each of a million cells fills QuPath's memory


def test_a_result_of_another_scale_needs_a_persons_word(session: Session, scored: Path) -> None:
    asked, refused, agreed = session.run(
        {"open": 0.5, "run": str(IMPORT), "args": [str(scored)]},
        {"run": str(IMPORT), "folder": str(scored), "answer": False},
        {"run": str(IMPORT), "folder": str(scored), "answer": True},
    )
    assert asked["detections"] == refused["detections"] == 0
    assert "the result is of 0.25 µm/px, the open image of 0.5" in asked["printed"]
    assert any(text.startswith("cxpath? The result is of 0.25") for text in refused["shown"])
    assert agreed["detections"] == 200


def test_what_is_missing_is_said_and_nothing_is_written(
    session: Session, scored: Path, tmp_path: Path
) -> None:
    first = features(scored / "cells.geojson.gz")[0]["id"]
    no_image, other_folder, cancelled, no_cells, _, unnamed, _, no_folder = session.run(
        {"run": str(IMPORT), "args": [str(scored)]},
        {"open": MPP, "run": str(IMPORT), "args": [str(tmp_path)]},
        {"run": str(IMPORT)},
        {"run": str(EXPORT), "args": [str(tmp_path)]},
        {"run": str(IMPORT), "args": [str(scored)]},
        {"classify": {first: None}, "run": str(EXPORT), "args": [str(tmp_path)]},
        {"classify": {first: ["Ignore*"]}},
        {"run": str(EXPORT)},
    )
    assert "Open the slide that was scored" in no_image["shown"][0]
    assert "no cells.geojson.gz; choose a folder that cxpath score wrote" in other_folder["shown"][0]
    assert cancelled["shown"] == ["Folder of a cxpath result"]
    assert "run import_result.groovy first" in no_cells["shown"][0]
    assert "Cells without a class: 1." in unnamed["shown"][0]
    assert unnamed["selected"] == [first]
    assert no_folder["shown"] == ["Folder for corrected cells and regions"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", [IMPORT, EXPORT], ids=lambda path: path.stem)
def test_commands_that_a_script_names_have_these_options(script: Path) -> None:
    commands = get_command(app)
    named = re.findall(r"`cxpath ([^`]+)`", script.read_text(encoding="utf-8"))
    assert named
    for words in named:
        command: Any = commands
        for word in words.split():
            command = getattr(command, "commands", {}).get(word, command)
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", words)) <= options, words
