from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxpath.data.cells import FINE_CLASSES
from cxpath.errors import MissingFileError, TissueTileError
from cxpath.synth.labelled_tissue import (
    BRCA_M2C,
    CONSEP,
    LABELS,
    SOURCES,
    Part,
    part_of,
    read_tile,
    read_tiles,
)
from tests.tissue_tiles import tissue_tile, write_tile


def test_labels_are_sets_of_the_networks_classes() -> None:
    assert all(label.classes <= set(FINE_CLASSES) for label in LABELS)
    stromal = next(label for label in LABELS if label.name == "stromal")
    assert "macrophage" not in stromal.classes


def test_a_tile_is_read_as_it_was_written(tmp_path: Path) -> None:
    tile = tissue_tile()
    read = read_tile(write_tile(tile, tmp_path), BRCA_M2C)
    assert np.array_equal(read.rgb, tile.rgb)
    assert np.array_equal(read.label, tile.label)
    assert np.allclose(read.x_px, np.floor(tile.x_px) + 0.5), "pixel centres lie at .5"
    assert read.patient == "TCGA-A0-A000"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("4,5,1,mitosis", "known class"),
        ("four,5,1,stromal", "known class"),
        ("4,5", "known class"),
        ("400,5,1,stromal", "outside the picture"),
    ],
)
def test_a_label_that_is_not_understood_is_refused_by_line(tmp_path: Path, line: str, wrong: str) -> None:
    picture = write_tile(tissue_tile(), tmp_path)
    picture.with_suffix(".csv").write_text(f"x,y,class_id,class\n4,5,1,stromal\n{line}\n", encoding="utf-8")
    with pytest.raises(TissueTileError, match=rf"\.csv, line 3: .*{wrong}"):
        read_tile(picture, BRCA_M2C)


def test_a_tile_without_labels_or_pixels_is_refused(tmp_path: Path) -> None:
    picture = write_tile(tissue_tile(), tmp_path)
    picture.with_suffix(".csv").unlink()
    with pytest.raises(MissingFileError, match="no labels"):
        read_tile(picture, BRCA_M2C)
    picture.write_bytes(b"no picture")
    with pytest.raises(TissueTileError, match="not a picture"):
        read_tile(picture, BRCA_M2C)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no labelled tiles"):
        read_tiles(tmp_path, [Part.TRAIN])


def test_tiles_of_one_patient_are_never_parted() -> None:
    patients = [f"TCGA-AA-{number:04d}" for number in range(200)]
    parts = {
        patient: {part_of(BRCA_M2C, f"{patient}-{tile}", patient) for tile in "ABC"} for patient in patients
    }
    assert all(len(found) == 1 for found in parts.values())
    share = np.mean([found == {Part.TRAIN} for found in parts.values()])
    assert 0.6 < share < 0.8
    assert set.union(*parts.values()) == set(Part)


def test_only_asked_parts_are_read(tmp_path: Path) -> None:
    for number in range(30):
        write_tile(tissue_tile(name=f"TCGA-AA-{number:04d}-tile"), tmp_path)
    by_part = {part: read_tiles(tmp_path, [part], [BRCA_M2C]) for part in Part}
    assert sum(map(len, by_part.values())) == 30
    assert all(tile.part is part for part, tiles in by_part.items() for tile in tiles)


def test_the_data_set_is_complete_and_its_parts_share_no_patient(data_dir: Path) -> None:
    tiles = read_tiles(data_dir, Part)
    assert [sum(tile.source is source for tile in tiles) for source in SOURCES] == [90, 27]
    patients = [{tile.patient for tile in tiles if tile.part is part} for part in Part]
    assert len(set.union(*patients)) == sum(map(len, patients))
    assert {tile.name for tile in tiles if tile.source is CONSEP and tile.part is not Part.TRAIN} == {
        *CONSEP.calibrate,
        *CONSEP.validate,
    }
