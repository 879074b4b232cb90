from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cxpath.app import train_model
from cxpath.app.train_model import RESTAINED_TOO, SYNTHETIC_ALONE, data_sources, notice_of
from cxpath.data.cells import FINE_CLASSES, Kind
from cxpath.data.slide_info import StainBasis
from cxpath.errors import ConfigurationError
from cxpath.metrics.cells import above
from cxpath.network.architecture import NetworkOutput, PlainUNet
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import load_card, load_model
from cxpath.synth.labelled_tissue import BRCA_M2C, CONSEP, LABELS, Part, part_of
from cxpath.synth.restain import prepare, random_restain, restain
from cxpath.training.data import Turn, cached_fields
from cxpath.training.loop import train
from cxpath.training.restained import (
    RestainedCrop,
    cell_rows,
    cut_restained,
    data_folder,
    draw_restained_pairs,
    observe_restained,
    pair_difference,
    restained_batch,
    restained_losses,
    restained_stacks,
    restained_targets,
)
from cxpath.training.settings import CropSettings, LossSettings, RestainedSettings, TrainingSettings
from cxpath.training.targets import FIRST_OF_TISSUE, MEMBERS, UNLABELLED, all_losses
from tests.tissue_tiles import tissue_tile, write_tile
from tests.training.blob_fields import blob_field

_TRAINED_PATIENTS = [
    patient
    for patient in (f"TCGA-AA-{number:04d}" for number in range(12))
    if part_of(BRCA_M2C, "", patient) is Part.TRAIN
][:4]


@pytest.fixture(scope="module")
def tiles_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose tiles belong to several patients, and one CoNSeP tile."""
    data = tmp_path_factory.mktemp("data")
    for number, patient in enumerate(_TRAINED_PATIENTS):
        write_tile(tissue_tile(number, name=f"{patient}-tile"), data)
    colon = replace(tissue_tile(9, name="train_1"), source=CONSEP)
    write_tile(colon, data)
    return data


def _settings(pairs: int = 1, **schedule: object) -> TrainingSettings:
    basis = TrainingSettings()
    return basis.model_copy(
        update={
            "crops": CropSettings(batch=4, crop_px=64, scale_spread=0.2),
            "restained": RestainedSettings(pairs=pairs, stainings=2),
            "synthesis": basis.synthesis.model_copy(
                update={"train_fields": 4, "field_px": 128, "workers": 1}
            ),
            "schedule": basis.schedule.model_copy(update={"steps": 2, "device": "cpu", **schedule}),
        }
    )


def test_a_second_call_reads_what_the_first_painted(tiles_folder: Path, tmp_path: Path) -> None:
    first = restained_stacks(tiles_folder, tmp_path, 2, 1)
    (tmp_path / "0000.rgb.npy").touch()
    written = (tmp_path / "0000.cells.npz").stat().st_mtime_ns
    again = restained_stacks(tiles_folder, tmp_path, 2, 1)
    assert (tmp_path / "0000.cells.npz").stat().st_mtime_ns == written
    assert len(first) == len(again) > 0
    assert np.array_equal(first[0].rgb, again[0].rgb)
    other = restained_stacks(tiles_folder, tmp_path, 2, 2)
    assert (tmp_path / "0000.cells.npz").stat().st_mtime_ns != written
    assert len(other) == len(first)


def test_a_tile_that_cannot_be_restained_is_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tile(tissue_tile(name=f"{_TRAINED_PATIENTS[0]}-good"), tmp_path / "data")
    blank = tissue_tile(name=f"{_TRAINED_PATIENTS[0]}-blank")
    write_tile(replace(blank, rgb=np.full_like(blank.rgb, 250)), tmp_path / "data")
    colon = tmp_path / "data" / "real_tissue" / "consep"
    colon.mkdir(parents=True)
    for path in (tmp_path / "data" / "real_tissue" / "brca_m2c").glob("*good*"):
        (colon / path.name).write_bytes(path.read_bytes())
    with caplog.at_level(logging.WARNING):
        stacks = restained_stacks(tmp_path / "data", tmp_path / "painted", 2, 1)
    assert len(stacks) == 2
    assert "blank" in caplog.text


def test_no_data_folder_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="CXPATH_DATA"):
        data_folder(None)


def test_pairs_show_one_place_in_two_stainings(tiles_folder: Path, tmp_path: Path) -> None:
    stacks = restained_stacks(tiles_folder, tmp_path, 2, 1)
    settings = CropSettings(crop_px=64, scale_spread=0.2)
    drawn = draw_restained_pairs(stacks, settings, 3, 1, 5)
    again = draw_restained_pairs(stacks, settings, 3, 1, 5)
    assert len(drawn) == 6
    assert all(np.array_equal(one.rgb, other.rgb) for one, other in zip(drawn, again, strict=True))
    for first, second in zip(drawn[:3], drawn[3:], strict=True):
        labelled = [one.cells[one.cells[:, 2] != len(LABELS) - 1] for one in (first, second)]
        assert np.allclose(labelled[0][:, :3], labelled[1][:, :3]), "places and labels are the same"
        assert not np.array_equal(first.rgb, second.rgb)


def test_cells_turn_with_their_crop() -> None:
    tile = tissue_tile()
    prepared = prepare(tile, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    one = restain(prepared, random_restain(rng, artefacts=False), rng)
    whole = RestainedCrop(one.rgb, cell_rows(one), one.ignore)
    plain = cut_restained(whole, 16, 32, 96, Turn(mirrored=False, quarters=0))
    for turn in (Turn(mirrored=True, quarters=0), Turn(mirrored=False, quarters=1)):
        moved = cut_restained(whole, 16, 32, 96, turn)
        before, after = (
            crop.rgb[crop.cells[:, 1].astype(int), crop.cells[:, 0].astype(int)].astype(int)
            for crop in (plain, moved)
        )
        assert np.abs(before - after).mean() < 6, "a nucleus stays under its mark"
        assert len(moved.cells) == len(plain.cells)


def test_targets_teach_sets_of_classes_and_known_staining_only() -> None:
    rows = np.array([[10.0, 10, 1, 1, 1, 1], [40.0, 40, 0, 0, 0, 0]])
    crop = RestainedCrop(np.zeros((64, 64, 3), np.uint8), rows, np.zeros((8, 8), bool))
    targets = restained_targets([crop], LossSettings())
    assert int(targets.fine[0, 2, 2]) == FIRST_OF_TISSUE + 1
    members = MEMBERS[FIRST_OF_TISSUE + 1]
    assert {name for name, inside in zip(FINE_CLASSES, members, strict=True) if inside} == {
        "lymphocyte",
        "plasma",
    }
    assert targets.stain_weight[0, :, 2, 2].tolist() == [0.25, 1.0], "any staining decides immune cells"
    assert targets.stain_weight[0, :, 10, 10].tolist() == [0.0, 0.0], "its staining is not known"
    assert int(targets.fine[0, 15, 0]) == UNLABELLED


def test_nothing_is_learned_under_an_artefact() -> None:
    rows = np.array([[10.0, 10, 1, 1, 1, 1]])
    ignore = np.zeros((8, 8), bool)
    ignore[1, 1] = True
    targets = restained_targets(
        [RestainedCrop(np.zeros((64, 64, 3), np.uint8), rows, ignore)], LossSettings()
    )
    assert not targets.scored[0, 2:4, 2:4].any()
    assert int(targets.fine[0, 2, 2]) == UNLABELLED


def test_pairs_that_agree_differ_by_nothing(tiles_folder: Path, tmp_path: Path) -> None:
    stacks = restained_stacks(tiles_folder, tmp_path, 2, 1)
    crops = draw_restained_pairs(stacks, CropSettings(crop_px=64), 2, 1, 1)
    targets = restained_targets(crops, LossSettings())
    logits = torch.randn(2, 10, 16, 16, generator=torch.Generator().manual_seed(1))
    empty = torch.zeros(4, 1, 16, 16)
    alike = NetworkOutput(empty, empty, torch.cat([logits, logits]), empty, empty)
    assert float(pair_difference(alike, targets, 2)) == 0
    apart = alike._replace(kind=torch.cat([logits, -logits]))
    assert float(pair_difference(apart, targets, 2)) > 0.1


def test_a_batch_mixes_both_tissues_and_its_loss_is_their_mean(tiles_folder: Path, tmp_path: Path) -> None:
    settings = _settings()
    fields = cached_fields(tmp_path / "fields", 4, 1, 128, source=blob_field)
    stacks = restained_stacks(tiles_folder, tmp_path / "restained", 2, 1)
    light, targets = restained_batch(fields, stacks, settings, 3)
    assert light.shape == (4, 3, 64, 64)
    assert (targets.fine[:2] < FIRST_OF_TISSUE).all()
    assert (targets.fine[2:].max(dim=0).values >= FIRST_OF_TISSUE).any()
    network = PlainUNet(settings.architecture).eval()
    with torch.no_grad():
        output, weights = network(light), torch.ones(10)
        mixed = restained_losses(output, targets, weights, settings=settings)
        halves = [
            all_losses(
                NetworkOutput(*(part[rows] for part in output)),
                type(targets)(*(part[rows] for part in vars(targets).values())),
                weights,
            )
            for rows in (slice(0, 2), slice(2, 4))
        ]
    assert float(mixed.centre) == pytest.approx(float(halves[0].centre + halves[1].centre) / 2, rel=1e-5)
    assert float(mixed.region) == pytest.approx(float(halves[0].region), rel=1e-5)


def test_training_on_both_tissues_runs_and_resumes(tiles_folder: Path, tmp_path: Path) -> None:
    whole = train(_settings(steps=4), tmp_path / "whole", source=blob_field, data=tiles_folder)
    assert whole.steps == 4
    with pytest.raises(ConfigurationError, match="CXPATH_DATA"):
        train(_settings(), tmp_path / "none", source=blob_field)


def test_what_restained_tissue_calibrates_changes_no_digest() -> None:
    plain, other = TrainingSettings(), TrainingSettings(restained=RestainedSettings(seed=5))
    assert plain.digest() == other.digest(), "without pairs nothing of it is learned"
    one = TrainingSettings(restained=RestainedSettings(pairs=2))
    two = TrainingSettings(restained=RestainedSettings(pairs=2, calibration_stainings=9))
    assert one.digest() == two.digest() != plain.digest()


def test_patients_who_calibrate_are_observed_with_their_sets(tmp_path: Path) -> None:
    patients = [f"TCGA-AA-{number:04d}" for number in range(40)]
    chosen = [one for one in patients if part_of(BRCA_M2C, "", one) is Part.CALIBRATE][:1]
    trained = [one for one in patients if part_of(BRCA_M2C, "", one) is Part.TRAIN][:1]
    for number, patient in enumerate(chosen + trained):
        write_tile(tissue_tile(number, name=f"{patient}-tile"), tmp_path)
    write_tile(replace(tissue_tile(9, name="train_1"), source=CONSEP), tmp_path)
    detector = Detector(
        load_model("small"), choose_device("cpu", threads=1), StainBasis(), centre_threshold=0.1
    )
    seen = observe_restained(detector, tmp_path, 2, 1)
    assert len(seen) == 2, "two stainings of one patient; the others train"
    for one in seen:
        assert one.fine is not None
        assert set(one.fine) <= {FIRST_OF_TISSUE + number for number in range(3)}
        assert len(one.pairs) > 20
        assert np.array_equal(one.truth.kind == Kind.TUMOUR, one.fine == FIRST_OF_TISSUE)
    higher = above(seen[0], 0.5, 6.0)
    assert higher.fine is seen[0].fine
    assert len(higher.pairs) <= len(seen[0].pairs)


def test_the_card_names_every_source_with_its_licence() -> None:
    settings = TrainingSettings(restained=RestainedSettings(pairs=2))
    sources = {(source.licence, source.use) for source in data_sources(settings)}
    for licence in ("BSD-3-Clause", "Apache-2.0"):
        assert {(licence, "train"), (licence, "validate")} <= sources
    assert ("CC0-1.0", "train") in sources
    assert "not validated on real PD-L1" in notice_of(settings)
    assert {source.licence for source in data_sources(TrainingSettings())} == {"MIT"}
    assert "synthetic tissue alone" in notice_of(TrainingSettings())


def test_the_card_names_what_the_start_model_learned_from() -> None:
    start, settings = load_card("small"), TrainingSettings(start_from="small")
    sources = data_sources(settings)
    assert sources[: len(start.data)] == start.data
    assert f"start model small {start.version}, digest {start.digest}" in {one.name for one in sources}
    assert notice_of(settings) == start.notice


def test_the_notice_says_of_every_training_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    start = load_card("small").model_copy(update={"notice": f"{SYNTHETIC_ALONE}; fine-tuned"})
    monkeypatch.setattr(train_model, "load_card", lambda _: start)
    assert notice_of(TrainingSettings(start_from="theirs")) == f"{SYNTHETIC_ALONE}; fine-tuned"
    restained = TrainingSettings(start_from="theirs", restained=RestainedSettings(pairs=2))
    assert notice_of(restained) == f"{RESTAINED_TOO}; fine-tuned"
