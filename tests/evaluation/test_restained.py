from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxpath.app.train_model import training_record
from cxpath.data.cells import FINE_CLASSES, Calibration
from cxpath.data.slide_info import StainBasis
from cxpath.errors import MissingFileError
from cxpath.evaluation.classifier import ResultsCache
from cxpath.evaluation.evaluate import EvaluationRequest, evaluate_model
from cxpath.evaluation.restained import (
    HISTOGRAM,
    RestainedEvaluation,
    SeenTile,
    TileCounts,
    any_f1,
    area_under_curve,
    arm_figures,
    count_tile,
    label_table,
    restainings,
    see,
)
from cxpath.evaluation.restained_slides import SET_NAME
from cxpath.evaluation.settings import RestainedSetSettings, bundled_settings, evaluation_settings
from cxpath.metrics.cells import Decision
from cxpath.network.detector import Detector
from cxpath.network.device import choose_device
from cxpath.network.model import Model
from cxpath.synth.labelled_tissue import BRCA_M2C, CONSEP, LABEL_NUMBER, LABELS, Part, part_of
from cxpath.synth.restain import RestainedTile, prepare, random_restain, restain
from cxpath.synth.restain_painting import Painting
from cxpath.training.loop import train
from cxpath.training.pack import describe
from cxpath.training.settings import CropSettings, RestainedSettings, TrainingSettings
from cxpath.training.thresholds import FIRST_DECISION
from tests.tissue_tiles import tissue_tile, write_tile
from tests.training.peak_examples import peaks_at

LABELS_OF_SET = np.array([0, 1, 2])
"""Tumour, lymphocyte, stromal."""


def settings() -> RestainedSetSettings:
    return evaluation_settings(RestainedSetSettings, bundled_settings("restained"))


@pytest.fixture(scope="module")
def restained_tile() -> RestainedTile:
    rng = np.random.default_rng(4)
    recipe = random_restain(rng, painting=Painting.USUAL, artefacts=False)
    recipe = replace(recipe, painting=replace(recipe.painting, tumour_share=0.5, brown_nuclei_share=0.0))
    return restain(prepare(tissue_tile(), rng), recipe, rng)


def all_seeing(tile: RestainedTile) -> SeenTile:
    """Return what a network without fault sees."""
    share = np.full((len(tile.label), 3), 0.001)
    share[np.arange(len(tile.label)), tile.label] = 0.998
    return SeenTile(
        places_um=np.column_stack([tile.x_px, tile.y_px]) * tile.mpp,
        share=share,
        log_odds=np.where(tile.label == 0, 6.0, -6.0),
        membrane=np.where(tile.membrane, 7.0, -7.0),
        any_stain=np.where(tile.any_stain, 7.0, -7.0),
        called_positive=tile.membrane & (tile.label == 0),
    )


def pooled(rows: list[TileCounts]) -> np.ndarray:
    return np.array([row.flat() for row in rows])


def test_a_faultless_network_gets_full_marks(restained_tile: RestainedTile) -> None:
    counts = count_tile(all_seeing(restained_tile), restained_tile, LABELS_OF_SET, 3.0, 6.0)
    arm = settings().arm[0]
    figures = arm_figures(arm, BRCA_M2C, pooled([counts, counts]), LABELS_OF_SET, settings())
    values = {figure.name: figure.value or 0.0 for figure in figures}
    assert [values[f"f1_{name}"] for name in ("tumour", "lymphocyte", "stromal", "any")] == [1, 1, 1, 1]
    assert values["epithelium_auc"] == values["membrane_auc"] == values["f1_tumour_positive"] == 1
    assert 0 <= values["class_calibration_error"] < 0.01
    assert 0 <= values["stained_calibration_error"] < 0.01
    assert {figure.name for figure in figures if figure.met is False} == set()


def test_a_network_that_names_all_alike_is_found_out(restained_tile: RestainedTile) -> None:
    seen = all_seeing(restained_tile)
    share = np.tile([0.9, 0.05, 0.05], (len(seen.share), 1))
    blind = replace(seen, share=share, log_odds=np.full(len(share), 3.0), membrane=np.full(len(share), 3.0))
    counts = count_tile(blind, restained_tile, LABELS_OF_SET, 3.0, 6.0)
    tumour = (restained_tile.label == 0).mean()
    figures = {
        figure.name: figure.value
        for figure in arm_figures(settings().arm[0], BRCA_M2C, pooled([counts]), LABELS_OF_SET, settings())
    }
    assert figures["f1_any"] == 1
    assert figures["f1_tumour"] == pytest.approx(2 * tumour / (1 + tumour), abs=1e-3)
    assert figures["f1_stromal"] == 0
    assert figures["epithelium_auc"] == figures["membrane_auc"] == 0.5
    assert figures["class_calibration_error"] == pytest.approx(abs(0.9 - tumour), abs=1e-3)


def test_missed_and_invented_cells_cost(restained_tile: RestainedTile) -> None:
    seen = all_seeing(restained_tile)
    half = np.arange(0, len(seen.share), 2)
    far = seen.places_um[half] + np.array([1000.0, 0.0])
    fewer = SeenTile(
        np.concatenate([seen.places_um[half], far]),
        *(np.concatenate([part[half]] * 2) for part in list(vars(seen).values())[1:]),
    )
    counts = count_tile(fewer, restained_tile, LABELS_OF_SET, 3.0, 6.0)
    assert any_f1(counts.near) == pytest.approx(0.5, abs=0.01)
    assert counts.near[-1, :-1].sum() == len(half), "invented"


def test_pairs_need_to_be_near(restained_tile: RestainedTile) -> None:
    seen = all_seeing(restained_tile)
    moved = replace(seen, places_um=seen.places_um + np.array([4.0, 0.0]))
    counts = count_tile(moved, restained_tile, LABELS_OF_SET, 3.0, 6.0)
    assert any_f1(counts.near) < 0.2
    assert any_f1(counts.wide) > 0.9


def test_staining_that_could_be_called_either_way_counts_nowhere(restained_tile: RestainedTile) -> None:
    doubtful = replace(restained_tile, stain_known=np.zeros(len(restained_tile.label), bool))
    counts = count_tile(all_seeing(restained_tile), doubtful, LABELS_OF_SET, 3.0, 6.0)
    assert counts.positive.sum() == 0
    assert counts.membrane.sum() == 0
    assert counts.stained_bins.sum() == 0
    assert any_f1(counts.near) == 1, "as cells they count"


def test_the_table_adds_up() -> None:
    truth, called = np.array([0, 0, 1, 2]), np.array([0, 1, 1])
    table = label_table(truth, called, np.array([[0, 0], [2, 1]]), 3)
    assert table.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]


def test_the_area_under_the_curve_is_the_usual_one() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(4000) < 0.3
    log_odds = rng.normal(np.where(positive, 1.0, -1.0), 2.0)
    histograms = np.array(
        [np.histogram(log_odds[positive == answer], HISTOGRAM)[0] for answer in (False, True)], float
    )
    assert area_under_curve(histograms) == pytest.approx(roc_auc_score(positive, log_odds), abs=2e-3)
    assert np.isnan(area_under_curve(np.zeros((2, 4))))


def test_counts_survive_a_flat_row(restained_tile: RestainedTile) -> None:
    counts = count_tile(all_seeing(restained_tile), restained_tile, LABELS_OF_SET, 3.0, 6.0)
    again = TileCounts.from_flat(counts.flat(), 3)
    assert all(np.array_equal(a, b) for a, b in zip(vars(counts).values(), vars(again).values(), strict=True))


def test_a_cell_is_what_is_likeliest_among_the_sets_labels() -> None:
    peaks = peaks_at(
        np.array([5.0]), np.array([6.0]), np.array([0], np.uint8), np.array([2.0]), np.array([0.9])
    )
    logits = np.full((1, 10), -5.0, np.float32)
    for name, value in {"macrophage": 3.0, "lymphocyte": 1.0, "plasma": 1.0, "tumour": 1.2}.items():
        logits[0, FINE_CLASSES.index(name)] = value
    peaks = replace(peaks, class_logits=logits)
    decision = Decision(Calibration(membrane_temperature=2.0, membrane_bias=0.5), 0.3, 0.5)
    seen = see(peaks, LABELS_OF_SET, decision, 0.5)
    assert seen.share[0].argmax() == 1, "lymphocyte and plasma together beat tumour; macrophage is no label"
    assert seen.share.sum() == pytest.approx(1)
    assert seen.membrane[0] == pytest.approx(1.5)
    assert seen.places_um.tolist() == [[2.5, 3.0]]
    colon = np.array([LABEL_NUMBER[name] for name in ("stromal", "epithelial", "inflammatory")])
    assert LABELS[colon[see(peaks, colon, decision, 0.5).share[0].argmax()]].name == "inflammatory"


def test_stainings_are_the_same_every_time_and_differ_by_painting() -> None:
    tile = tissue_tile()
    first, again = (list(restainings(tile, Painting.USUAL, settings(), 0)) for _ in range(2))
    reserved = list(restainings(tile, Painting.RESERVED, settings(), 0))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].rgb, first[1].rgb)
    assert not np.array_equal(first[0].rgb, reserved[0].rgb)


def _validation_data(folder: Path) -> Path:
    patients = [f"TCGA-AA-{number:04d}" for number in range(40)]
    held_out = [one for one in patients if part_of(BRCA_M2C, "", one) is Part.VALIDATE][:2]
    for number, patient in enumerate(held_out):
        write_tile(tissue_tile(number, name=f"{patient}-tile"), folder)
    colon = replace(tissue_tile(8, name=CONSEP.validate[0]), source=CONSEP)
    write_tile(replace(colon, label=np.array([3, 4, 2])[colon.label]), folder)
    return folder


def test_the_shipped_network_is_evaluated_on_restained_tiles(tmp_path: Path) -> None:
    brief = tmp_path / "restained.toml"
    text = bundled_settings("restained").read_text(encoding="utf-8")
    brief.write_text(text.replace("slides = 40\ntiles = 8", "slides = 4\ntiles = 1"), encoding="utf-8")
    request = EvaluationRequest(
        model="small",
        sets="restained",
        out=tmp_path / "out",
        data=_validation_data(tmp_path / "data"),
        threads=1,
        restained=brief,
    )
    evaluation = evaluate_model(request)
    names = [one.name for one in evaluation.sets]
    assert names.pop() == SET_NAME, "slides of the same tiles come last"
    assert names == [arm.name for arm in settings().arm]
    usual = {figure.name: figure for figure in evaluation.figures if figure.set_name == names[0]}
    assert usual["f1_any"].units == 2, "patients are drawn again, not tiles"
    assert usual["f1_any"].value is not None
    assert usual["f1_any"].value > 0.3
    assert {curve.set_name for curve in evaluation.reliability} == set(names)
    again = evaluate_model(replace(request, out=tmp_path / "other"))
    assert [f.value for f in again.figures] == [f.value for f in evaluation.figures]


def test_without_data_the_sets_are_named_as_skipped(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="CXPATH_DATA"):
        evaluate_model(EvaluationRequest(model="small", sets="restained", out=tmp_path))


def _learned(tmp_path: Path, data: Path, pairs: int) -> Model:
    """Train a network from nothing for a few hundred steps, with or without restained tissue."""
    basis = TrainingSettings()
    training = basis.model_copy(
        update={
            "crops": CropSettings(batch=8, crop_px=128),
            "restained": RestainedSettings(pairs=pairs, stainings=2),
            "synthesis": basis.synthesis.model_copy(
                update={"train_fields": 60, "field_px": 256, "workers": 1}
            ),
            "schedule": basis.schedule.model_copy(
                update={"steps": 300, "average_decay": 0.98, "device": "cpu", "threads": 1}
            ),
        }
    )
    trained = train(training, tmp_path / f"with_{pairs}_pairs", data=data)
    record = training_record(training, trained, "a test")
    return Model(describe(trained.network, training, FIRST_DECISION, record, (), {}), trained.network)


def _f1_on_validation_patients(model: Model, data: Path, out: Path) -> dict[str, float]:
    one_arm = settings().model_copy(update={"arm": settings().arm[:1], "stainings": 1})
    judge = RestainedEvaluation(
        detector=Detector(model, choose_device("cpu", threads=1), StainBasis()),
        decision=FIRST_DECISION,
        settings=one_arm,
        cache=ResultsCache(out, model.card.digest),
        data=data,
        limit=None,
        watch=lambda *_: None,
    )
    figures = judge.evaluate()[0].figures
    return {figure.name: figure.value for figure in figures if figure.value is not None}


@pytest.mark.slow
def test_a_few_hundred_steps_on_restained_tissue_beat_synthetic_tissue_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    alone, both = (
        _f1_on_validation_patients(_learned(tmp_path, data_dir, pairs), data_dir, tmp_path / f"out_{pairs}")
        for pairs in (0, 3)
    )
    assert both["f1_any"] > alone["f1_any"]
    assert both["epithelium_auc"] > alone["epithelium_auc"]
