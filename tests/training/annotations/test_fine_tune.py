"""The whole story with real parts: drawn tissue as a lab would leave it, read, learned, measured, packed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxpath.network.model_store import load_model
from cxpath.training.annotations.class_map import ClassMap, default_class_map, read_class_map
from cxpath.training.annotations.fine_tune import FineTuned, FineTuneRequest, fine_tune
from cxpath.training.annotations.settings import FineTuneSettings
from cxpath.training.loop import StepReport
from cxpath.training.synthetic.field import draw_field
from cxpath.training.synthetic.recipe import random_recipe
from cxpath.values.errors import ConfigurationError, OutputError
from tests.training.annotations.annotated_pictures import (
    cell_points,
    write_annotated,
    write_geojson,
    write_png,
)
from tests.training.annotations.tiny_models import seconds, untaught_model
from tests.training.blob_fields import blob_field


@pytest.fixture(scope="module")
def class_map() -> ClassMap:
    return read_class_map(default_class_map())


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untaught_model(tmp_path_factory.mktemp("start") / "untaught")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five fields of one drawn tissue: TIFFs that say their µm/px, all cells marked in a box."""
    folder = tmp_path_factory.mktemp("lab")
    recipe = random_recipe(np.random.default_rng(8), size_px=(256, 256))
    recipe = replace(recipe, tissue=replace(recipe.tissue, nest_share=0.6, glass_share=0.0))
    for number in range(5):
        write_annotated(folder, f"jane-doe-{number}", draw_field(recipe, np.random.default_rng(number)))
    return folder


def request(
    lab: Path, start: Path, class_map: ClassMap, work: Path, settings: FineTuneSettings
) -> FineTuneRequest:
    return FineTuneRequest(str(start), lab, class_map, settings, work, work / "model")


@pytest.fixture(scope="module")
def tuned(
    lab: Path, start: Path, class_map: ClassMap, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FineTuned, Path]:
    work = tmp_path_factory.mktemp("work")
    asked = request(lab, start, class_map, work, seconds(120))
    return fine_tune(asked, source=blob_field), work


def test_seconds_of_a_labs_own_fields_teach_what_a_held_out_one_shows(tuned: tuple[FineTuned, Path]) -> None:
    result, _ = tuned
    assert result.judged_on == "1 of 5 annotated images, held out"
    figures = {name: metric.value for name, metric in result.card.metrics.items()}
    assert figures["found_f1_before"] < 0.3
    assert figures["found_f1_after"] > 0.55
    assert figures["found_recall_after"] > figures["found_recall_before"] + 0.3
    assert figures["kind_accuracy_after"] > 0.5
    assert "drawn_detection_f1_after" in figures, "what is forgotten shows"


def test_the_card_tells_where_the_weights_come_from_and_names_nobody(
    tuned: tuple[FineTuned, Path], start: Path
) -> None:
    result, work = tuned
    card = load_model(work / "model").card
    assert card == result.card
    assert card.name == "untaught-tuned"
    first = load_model(start).card
    assert (card.thresholds, card.calibration) == (first.thresholds, first.calibration)
    text = card.model_dump_json()
    assert first.digest in text
    assert "jane" not in text
    assert str(work) not in text
    own = [source for source in card.data if source.licence == "the lab's own"]
    assert [source.use for source in own] == ["train", "evaluate"]
    assert own[0].amount.startswith("4 images, ")
    assert {"found_f1_before", "found_f1_after", "drawn_macro_f1_after"} <= set(card.metrics)
    assert "held out" in card.metrics["found_f1_after"].method


def test_an_interrupted_fine_tuning_goes_on_to_the_same_weights(
    lab: Path, start: Path, class_map: ClassMap, tmp_path: Path
) -> None:
    def press_ctrl_c(report: StepReport) -> None:
        if report.step == 2:
            raise KeyboardInterrupt

    whole = fine_tune(request(lab, start, class_map, tmp_path / "whole", seconds(5)), source=blob_field)
    broken = request(lab, start, class_map, tmp_path / "broken", seconds(5))
    with pytest.raises(KeyboardInterrupt):
        fine_tune(broken, source=blob_field, watch=press_ctrl_c)
    steps: list[int] = []
    resumed = fine_tune(broken, source=blob_field, watch=lambda report: steps.append(report.step))
    assert steps == [3, 4, 5]
    assert resumed.card.digest == whole.card.digest


def test_changed_annotations_are_another_training(
    lab: Path, start: Path, class_map: ClassMap, tmp_path: Path
) -> None:
    asked = request(lab, start, class_map, tmp_path / "work", seconds(2))
    fine_tune(asked, source=blob_field)
    changed = class_map.model_copy(update={"complete_kinds": ("tumour",)})
    with pytest.raises(ConfigurationError, match="other settings"):
        fine_tune(replace(asked, class_map=changed), source=blob_field)


def test_one_picture_is_judged_on_itself_and_says_so(
    start: Path, class_map: ClassMap, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain picture whose µm/px is given, points alone, no drawn tissue in the batches."""
    folder = tmp_path / "lab"
    folder.mkdir()
    field = blob_field(3, 0, 192)
    write_png(folder / "only.png", field.rgb)
    write_geojson(folder / "only.geojson", cell_points(field.cells))
    asked = request(folder, start, class_map, tmp_path / "work", seconds(3, drawn_share=0.0))
    result = fine_tune(replace(asked, mpp=field.mpp), source=blob_field)
    assert result.judged_on == "the 1 annotated image(s) trained on: none held out"
    assert "nothing is held out" in caplog.text
    assert "found_f1" not in {one.name for one in result.comparisons}, "without an area no F1"
    assert [source.use for source in result.card.data] == ["train", "train"]
    assert not (tmp_path / "work" / "fields" / "train").exists()


def test_a_folder_that_holds_other_things_is_not_replaced(
    lab: Path, start: Path, class_map: ClassMap, tmp_path: Path
) -> None:
    asked = replace(request(lab, start, class_map, tmp_path / "work", seconds(1)), out=lab)
    copies = sorted(path.name for path in lab.iterdir())
    with pytest.raises(OutputError, match="no model"):
        fine_tune(asked, source=blob_field)
    assert sorted(path.name for path in lab.iterdir()) == copies
    shutil.rmtree(tmp_path / "work", ignore_errors=True)
