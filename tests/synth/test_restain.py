from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.errors import MissingFileError, TissueTileError
from cxpath.synth.labelled_tissue import (
    BRCA_M2C,
    CONSEP,
    LABEL_NUMBER,
    LABELS,
    USUAL_EOSIN,
    USUAL_HAEMATOXYLIN,
    Part,
    Tissue,
    optical_density_of,
    part_of,
    stain_directions,
    unmix,
)
from cxpath.synth.optics import Scanner, StainLook
from cxpath.synth.restain import (
    PreparedTile,
    RestainedTile,
    RestainRecipe,
    prepare,
    random_restain,
    restain,
    write_examples,
)
from cxpath.synth.restain_cells import OUTLINES, Outline, read_outlines
from cxpath.synth.restain_painting import Painting, Pattern
from tests.tissue_tiles import TILE_PX, tissue_tile, write_tile

_TISSUE = np.array([label.tissue for label in LABELS])


@pytest.fixture(scope="module")
def prepared() -> PreparedTile:
    return prepare(tissue_tile(), np.random.default_rng(3))


def _recipe(painting: Painting = Painting.USUAL, **changes: object) -> RestainRecipe:
    """Return a clear recipe: half of the tumour cells stained, a sharp scanner, no disturbance."""
    drawn = random_restain(np.random.default_rng(5), painting=painting, artefacts=False)
    clear = replace(
        drawn.painting,
        pattern=Pattern.COMPLETE, tumour_share=0.5, immune_share=0.0, stroma_share=0.0, membrane_od=0.9,
        membrane_um=1.4, visible_od=0.15, spread=0.1, unevenness=0.1, cytoplasm_only_share=0.0,
        faint_share=0.0, dots_share=0.0, brown_nuclei_share=0.0, haze_od=0.0, granules_mm2=0.0,
    )  # fmt: skip
    plain = Scanner(blur_um=0.2, sharpen=0.0, noise=0.0, jpeg_quality=0)
    return replace(drawn, painting=replace(clear, **changes), scanner=plain, look=StainLook())  # type: ignore[arg-type]


def _restained(prepared: PreparedTile, recipe: RestainRecipe, seed: int = 7) -> RestainedTile:
    return restain(prepared, recipe, np.random.default_rng(seed))


def _brown_around(tile: RestainedTile) -> NDArray[np.float64]:
    """Return how much more blue light than red is lost, on average, 3 to 6.5 µm around each nucleus."""
    od = -np.log10(np.clip(tile.rgb.astype(float), 1, None) / 236)
    brown = od[..., 2] - od[..., 0]
    row, column = np.mgrid[: brown.shape[0], : brown.shape[1]] + 0.5
    rings = (np.hypot(column - x, row - y) * tile.mpp for x, y in zip(tile.x_px, tile.y_px, strict=True))
    return np.array([brown[(ring > 3) & (ring < 6.5)].mean() for ring in rings])


def test_a_tiles_own_stain_directions_are_found() -> None:
    haematoxylin, eosin = (0.58, 0.72, 0.38), (0.22, 0.81, 0.54)
    tile = tissue_tile(haematoxylin=haematoxylin, eosin=eosin)
    found = stain_directions(optical_density_of(tile.rgb))
    assert found is not None
    for direction, true in zip(found, (haematoxylin, eosin), strict=True):
        assert np.dot(direction, true) / np.linalg.norm(true) > np.cos(np.radians(6))
    assert unmix(tile).own_directions


def test_one_stain_alone_falls_back_to_usual_directions() -> None:
    unmixed = unmix(tissue_tile(eosin_od=0.0))
    assert not unmixed.own_directions
    assert unmixed.haematoxylin.max() > 0.8


def test_a_tile_whose_labels_belong_elsewhere_is_refused() -> None:
    tile = tissue_tile()
    elsewhere = replace(tile, x_px=(tile.x_px + 10) % TILE_PX, y_px=(tile.y_px + 10) % TILE_PX)
    with pytest.raises(TissueTileError, match="no bluer"):
        unmix(elsewhere)


def test_blank_and_inked_tiles_are_refused() -> None:
    tile = tissue_tile()
    for colour in ((245, 245, 245), (40, 30, 120)):
        blank = replace(tile, rgb=np.full_like(tile.rgb, colour))
        with pytest.raises(TissueTileError, match="no bluer"):
            unmix(blank)


def test_pale_tissue_is_not_taken_for_glass() -> None:
    od = optical_density_of(np.full((32, 32, 3), (235, 180, 200), np.uint8))
    assert od[..., 1].mean() > 0.1


def test_a_tile_with_one_nucleus_is_refused() -> None:
    tile = tissue_tile()
    one = replace(tile, x_px=tile.x_px[:1], y_px=tile.y_px[:1], label=tile.label[:1])
    with pytest.raises(TissueTileError, match="fewer than two"):
        prepare(one, np.random.default_rng(1))


def test_restaining_keeps_labels_and_places(prepared: PreparedTile) -> None:
    tile = prepared.tile
    for seed in range(6):
        rng = np.random.default_rng(seed)
        restained = restain(prepared, random_restain(rng), rng)
        assert np.array_equal(restained.x_px, tile.x_px)
        assert np.array_equal(restained.y_px, tile.y_px)
        assert np.array_equal(restained.label, tile.label)
        assert restained.rgb.shape == tile.rgb.shape
        assert (restained.membrane <= restained.any_stain).all(), "membrane staining is staining"


def test_equal_dice_give_equal_pixels(prepared: PreparedTile) -> None:
    first, second = (_restained(prepared, _recipe()) for _ in range(2))
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.membrane, second.membrane)


@pytest.mark.parametrize("painting", list(Painting))
def test_stained_tumour_cells_are_brown_around_and_others_are_not(
    prepared: PreparedTile, painting: Painting
) -> None:
    restained = _restained(prepared, _recipe(painting, tumour_share=0.4))
    tumour = restained.label == LABEL_NUMBER["tumour"]
    brown = _brown_around(restained)
    stained = brown[tumour & restained.membrane]
    clear = brown[tumour & ~restained.membrane & restained.stain_known]
    assert len(stained) > 5
    assert len(clear) > 5
    assert np.median(stained) > np.quantile(clear, 0.9)


def test_nothing_is_painted_where_nothing_is_asked_for(prepared: PreparedTile) -> None:
    restained = _restained(prepared, _recipe(tumour_share=0.0))
    assert not restained.any_stain.any()
    assert restained.stain_known.all()
    assert np.abs(_brown_around(restained)).max() < 0.2


def test_a_negative_cell_whose_outline_its_neighbours_stain_is_unknown(prepared: PreparedTile) -> None:
    restained = _restained(prepared, _recipe(tumour_share=0.9, membrane_um=1.7))
    assert (~restained.stain_known).any()
    assert not (restained.membrane & ~restained.stain_known).any()


def test_classes_stain_apart_unless_told_otherwise(prepared: PreparedTile) -> None:
    tissue = _TISSUE[prepared.tile.label]
    usual = _restained(prepared, _recipe(Painting.USUAL, tumour_share=1.0))
    assert usual.membrane[tissue == Tissue.EPITHELIUM].all()
    assert not usual.any_stain[tissue != Tissue.EPITHELIUM].any()
    share = np.mean(
        [
            [restained.membrane[tissue == one].mean() for one in Tissue]
            for seed in range(40)
            if (restained := _restained(prepared, _recipe(Painting.INDEPENDENT), seed))
        ],
        axis=0,
    )
    assert np.ptp(share) < 0.12, "any tissue is as likely to be stained"


def test_cytoplasm_alone_is_staining_but_no_membrane(prepared: PreparedTile) -> None:
    restained = _restained(prepared, _recipe(tumour_share=0.0, cytoplasm_only_share=1.0))
    tumour = restained.label == LABEL_NUMBER["tumour"]
    assert restained.any_stain[tumour].all()
    assert not restained.membrane.any()


def test_brown_nuclei_are_no_staining(prepared: PreparedTile) -> None:
    plain = _restained(prepared, _recipe(tumour_share=0.0))
    brown = _restained(prepared, _recipe(tumour_share=0.0, brown_nuclei_share=1.0))
    assert not brown.any_stain.any()
    row, column = prepared.tile.y_px.astype(int), prepared.tile.x_px.astype(int)
    colour = [one.rgb[row, column].astype(float) for one in (plain, brown)]
    excess = [(light[:, 0] - light[:, 2]).mean() for light in colour]
    assert excess[1] > excess[0] + 30, "nuclei turn from blue to brown"


def test_training_never_draws_the_reserved_painting() -> None:
    rng = np.random.default_rng(11)
    drawn = [random_restain(rng).painting.painting for _ in range(400)]
    assert Painting.RESERVED not in drawn
    assert 0.18 < np.mean([one is Painting.INDEPENDENT for one in drawn]) < 0.32


def _squares(label: str) -> Outline:
    return Outline(LABEL_NUMBER[label], np.array([[-3.0, -3], [3, -3], [3, 3], [-3, 3]]))


def test_guests_join_in_free_places_of_stroma() -> None:
    prepared = prepare(tissue_tile(sparse=True), np.random.default_rng(3))
    outlines = [_squares(name) for name in ("macrophage", "lymphocyte", "stromal")]
    recipe = replace(_recipe(), guests_mm2=4000.0)
    restained = restain(prepared, recipe, np.random.default_rng(2), outlines)
    tile, before = prepared.tile, len(prepared.tile.label)
    assert np.array_equal(restained.label[:before], tile.label)
    added = restained.label[before:]
    assert LABEL_NUMBER["macrophage"] in added
    assert len(restained.x_px) == len(restained.membrane) == before + len(added)
    places = np.column_stack([restained.x_px, restained.y_px]) * restained.mpp
    apart = np.linalg.norm(places[before:, None] - places[None, :before], axis=2)
    assert apart.min() > 7.0


def test_outlines_that_lack_a_class_are_refused() -> None:
    prepared = prepare(tissue_tile(sparse=True), np.random.default_rng(3))
    recipe = replace(_recipe(), guests_mm2=4000.0)
    with pytest.raises(TissueTileError, match="lack a class"):
        restain(prepared, recipe, np.random.default_rng(2), [_squares("lymphocyte")])


def test_without_outlines_no_guests_join(prepared: PreparedTile) -> None:
    restained = restain(prepared, replace(_recipe(), guests_mm2=4000.0), np.random.default_rng(2))
    assert len(restained.label) == len(prepared.tile.label)


def test_usual_directions_have_unit_length() -> None:
    for direction in (USUAL_HAEMATOXYLIN, USUAL_EOSIN):
        assert np.linalg.norm(direction) == pytest.approx(1, abs=0.01)


# Examples to look at, from a data folder.

TRAINED = next(
    patient
    for patient in (f"TCGA-AA-{number:04d}" for number in range(12))
    if part_of(BRCA_M2C, "", patient) is Part.TRAIN
)
SQUARE = [[0, 0], [24, 0], [24, 20], [0, 20]]


def data_folder(data: Path, *, good: bool = True) -> Path:
    """Write a tile that can be restained, unless told otherwise, two blank ones that cannot, and outlines."""
    tiles = [tissue_tile(number, name=f"{TRAINED}-{number}") for number in range(3)]
    for number, tile in enumerate(tiles):
        blank = number > 0 or not good
        write_tile(replace(tile, rgb=np.full_like(tile.rgb, 250)) if blank else tile, data)
    write_tile(replace(tiles[0], name="train_1", source=CONSEP, rgb=np.full_like(tiles[0].rgb, 250)), data)
    (data / OUTLINES).parent.mkdir(parents=True, exist_ok=True)
    named = [[name, SQUARE] for name in ("nuclei_histiocyte", "nuclei_lymphocyte", "nuclei_stroma")]
    with gzip.open(data / OUTLINES, "wt", encoding="utf-8") as stream:
        json.dump({"field": named}, stream)
    return data


def test_a_tile_that_cannot_be_restained_stops_no_examples(tmp_path: Path) -> None:
    """Four tiles of which one can be restained: all three examples are of it."""
    data = data_folder(tmp_path / "data")
    written = write_examples(data, tmp_path / "out", 3, seed=4)
    assert [path.name for path in written] == [f"{number:03d}-{TRAINED}.png" for number in range(3)]
    assert all(path.is_file() and path.with_suffix(".csv").is_file() for path in written)


def test_examples_are_pictures_with_the_truth_about_their_cells(tmp_path: Path) -> None:
    (picture,) = write_examples(data_folder(tmp_path / "data"), tmp_path / "out", 1, 4, Painting.USUAL)
    rgb = cv2.imread(str(picture))
    assert rgb is not None
    assert rgb.shape == (TILE_PX, TILE_PX, 3)
    with picture.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"x_px", "y_px", "label", "membrane", "any_stain", "stain_known"}
    assert {row["label"] for row in rows} >= {"tumour", "lymphocyte", "stromal"}
    assert {row["membrane"] for row in rows} <= {"0", "1"}
    assert all(0 <= float(row["x_px"]) <= TILE_PX for row in rows)


def test_examples_are_repeated_by_their_seed(tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data")
    first, again, other = (
        write_examples(data, tmp_path / name, 1, seed)[0].read_bytes()
        for name, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert first == again != other


def test_where_no_tile_can_be_restained_the_last_one_says_why(tmp_path: Path) -> None:
    data = data_folder(tmp_path / "data", good=False)
    with pytest.raises(TissueTileError, match="tile "):
        write_examples(data, tmp_path / "out", 1, 4)
    assert not (tmp_path / "out").exists()


def test_outlines_are_in_micrometres_from_their_middle(tmp_path: Path) -> None:
    """24 by 20 pixels of 0.23 µm."""
    macrophage, lymphocyte, stromal = read_outlines(data_folder(tmp_path))
    assert [LABELS[one.label].name for one in (macrophage, lymphocyte, stromal)] == [
        "macrophage",
        "lymphocyte",
        "stromal",
    ]
    assert macrophage.points_um.max(axis=0) == pytest.approx([12 * 0.23, 10 * 0.23])
    assert macrophage.points_um.min(axis=0) == pytest.approx([-12 * 0.23, -10 * 0.23])


def test_without_outlines_the_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"no outlines of nuclei .*CXPATH_DATA"):
        read_outlines(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b"{"), gzip.compress(b"[1]"), gzip.compress(b"")],
    ids=["nothing", "plain", "no JSON", "a list", "packed nothing"],
)
def test_outlines_that_cannot_be_read_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OUTLINES).parent.mkdir(parents=True)
    (tmp_path / OUTLINES).write_bytes(content)
    with pytest.raises(TissueTileError, match="not outlines of nuclei") as caught:
        read_outlines(tmp_path)
    assert "\n" not in str(caught.value)
