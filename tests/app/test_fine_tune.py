"""The whole story with real parts: synthetic tissue as a lab would leave it, read, learned, measured, packed.
Figures against counts made by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from shapely.geometry import Polygon

from cxpath.app.fine_tune import FIGURES, FineTuned, FineTuneRequest, fine_tune, metrics, part_images
from cxpath.data.cells import FINE_CLASSES, Kind
from cxpath.errors import ConfigurationError, OutputError
from cxpath.network.card import Metric
from cxpath.network.model import load_card, load_model
from cxpath.synth.field import make_field
from cxpath.synth.recipe import random_recipe
from cxpath.training.annotations import (
    AnnotatedImage,
    ClassMap,
    ImageLabels,
    default_class_map,
    read_class_map,
)
from cxpath.training.data import STAIN_UNKNOWN, AnnotatedCells
from cxpath.training.loop import StepReport
from cxpath.training.settings import FineTuneSchedule, FineTuneSettings
from cxpath.training.targets import ANY_IMMUNE, ANY_OTHER, TUMOUR, UNLABELLED
from cxpath.training.windows import Seen
from tests.training.annotated_pictures import cell_points, write_annotated, write_geojson, write_png
from tests.training.blob_fields import blob_field
from tests.training.tiny_models import seconds, untrained_model


@pytest.fixture(scope="module")
def class_map() -> ClassMap:
    return read_class_map(default_class_map())


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_model(tmp_path_factory.mktemp("start") / "untaught")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five fields of one synthetic tissue: TIFFs that say their µm/px, all cells marked in a box."""
    folder = tmp_path_factory.mktemp("lab")
    recipe = random_recipe(np.random.default_rng(8), size_px=(256, 256))
    recipe = replace(recipe, tissue=replace(recipe.tissue, nest_share=0.6, glass_share=0.0))
    for number in range(5):
        write_annotated(folder, f"jane-doe-{number}", make_field(recipe, np.random.default_rng(number)))
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
    assert result.evaluated_on == "1 of 5 annotated images, held out"
    figures = {name: metric.value for name, metric in result.card.metrics.items()}
    assert figures["found_f1_before"] < 0.3
    assert figures["found_f1_after"] > 0.55
    assert figures["found_recall_after"] > figures["found_recall_before"] + 0.3
    assert figures["kind_accuracy_after"] > 0.5
    assert "synthetic_detection_f1_after" in figures, "what is forgotten shows"


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
    assert card.notice == f"{first.notice}; fine-tuned on a laboratory's own images"
    assert card.stains is None, "the laboratory's colours are shown as they are"
    assert "jane" not in text
    assert str(work) not in text
    own = [source for source in card.data if source.licence == "the lab's own"]
    assert [source.use for source in own] == ["train", "evaluate"]
    assert own[0].amount.startswith("4 images, ")
    assert {"found_f1_before", "found_f1_after", "synthetic_macro_f1_after"} <= set(card.metrics)
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
    """A plain picture whose µm/px is given, points alone, no synthetic tissue in the batches."""
    folder = tmp_path / "lab"
    folder.mkdir()
    field = blob_field(3, 0, 192)
    write_png(folder / "only.png", field.rgb)
    write_geojson(folder / "only.geojson", cell_points(field.cells))
    asked = request(folder, start, class_map, tmp_path / "work", seconds(3, synthetic_share=0.0))
    result = fine_tune(replace(asked, mpp=field.mpp), source=blob_field)
    assert result.evaluated_on == "the 1 annotated image(s) trained on: none held out"
    assert "no image is held out" in caplog.text
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


NO_CELLS = AnnotatedCells(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int8))


def images_of(*stems: str) -> list[AnnotatedImage]:
    labels = ImageLabels(NO_CELLS, Polygon(), ())
    return [AnnotatedImage(Path(f"{stem}.png"), stem, None, 0.5, labels, f"digest {stem}") for stem in stems]


@given(number=st.integers(2, 30), share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_every_image_is_on_one_side_and_no_side_is_empty(number: int, share: float, seed: int) -> None:
    images = images_of(*(f"case{index}" for index in range(number)))
    settings = FineTuneSettings(validation_share=share, schedule=FineTuneSchedule(seed=seed))
    parts = part_images(images, settings)
    assert len(parts.learned) >= 1
    assert len(parts.held_out) >= 1
    assert sorted(image.stem for image in (*parts.learned, *parts.held_out)) == sorted(i.stem for i in images)
    again = part_images(images[::-1], settings)
    assert [image.stem for image in parts.held_out] == [image.stem for image in again.held_out]


def test_the_share_is_that_of_the_sources() -> None:
    parts = part_images(images_of(*(f"case{n}" for n in range(10))), FineTuneSettings(validation_share=0.3))
    assert len(parts.held_out) == 3


def test_one_image_cannot_be_parted() -> None:
    parts = part_images(images_of("only"), FineTuneSettings())
    assert (len(parts.learned), len(parts.held_out)) == (1, 0)
    assert not part_images(images_of("a", "b"), FineTuneSettings(validation_share=0)).held_out


@pytest.mark.parametrize("seed", range(5))
def test_fields_of_one_patient_stay_together(seed: int) -> None:
    images = images_of("p1_a", "p1_b", "p2_a", "p3_a", "p3_b", "p3_c")
    settings = FineTuneSettings(
        source_separator="_", validation_share=0.34, schedule=FineTuneSchedule(seed=seed)
    )
    parts = part_images(images, settings)
    sides = [{image.stem.split("_")[0] for image in side} for side in (parts.learned, parts.held_out)]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[1]) == 1


FIBROBLAST, MACROPHAGE = FINE_CLASSES.index("fibroblast"), FINE_CLASSES.index("macrophage")


def seen(
    marked: list[tuple[float, float, int, int, bool]], found: list[tuple[float, float, bool, Kind, bool]]
) -> Seen:
    """Marked: x, y, fine, stained, complete; found: x, y, complete, kind, stained."""
    x, y, fine, stained, complete = (np.array(column) for column in zip(*marked, strict=True))
    cells = AnnotatedCells(x.astype(float), y.astype(float), fine.astype(np.int64), stained.astype(np.int8))
    places = np.array([row[:2] for row in found], dtype=np.float64).reshape(-1, 2)
    inside, kind, called = (np.array([row[n] for row in found]) for n in (2, 3, 4))
    return Seen(cells, complete, places, inside.astype(bool), kind.astype(np.int64), called.astype(bool))


def figures(*images: Seen) -> dict[str, Metric]:
    return metrics(list(images), load_card("small"), 6.0, "trial")


IMAGE = seen(
    [
        (100, 100, TUMOUR, 1, True),  # found, kind right, called negative
        (150, 100, ANY_IMMUNE, 0, True),  # found, called tumour and positive
        (200, 100, UNLABELLED, 1, True),  # found, only its stain is known: right
        (250, 100, FIBROBLAST, STAIN_UNKNOWN, True),  # missed
        (900, 100, MACROPHAGE, STAIN_UNKNOWN, False),  # found as immune, where absence is not known
    ],
    [
        (102, 101, True, Kind.TUMOUR, False),
        (150, 104, True, Kind.TUMOUR, True),
        (200, 100, True, Kind.OTHER, True),
        (400, 400, True, Kind.TUMOUR, True),  # invented, where every cell was marked
        (900, 104, False, Kind.IMMUNE, True),
        (905, 300, False, Kind.IMMUNE, True),  # perhaps a cell: nobody marked anything there
    ],
)


def test_every_figure_is_the_ratio_that_it_says() -> None:
    values = {name: metric.value for name, metric in figures(IMAGE).items()}
    assert values == pytest.approx(
        {
            "found_recall": 4 / 5,
            "found_f1": 2 * 3 / (2 * 3 + 1 + 1),
            "kind_recall": 2 / 4,
            "kind_accuracy": 2 / 3,
            "stained_accuracy": 1 / 3,
            "stained_recall": 1 / 2,
            "stained_specificity": 0.0,
        },
        abs=1e-3,
    )
    assert set(values) == set(FIGURES)


def test_every_figure_says_how_many_cells_it_rests_on() -> None:
    counts = {name: metric.count for name, metric in figures(IMAGE).items()}
    assert counts == {
        "found_recall": 5, "found_f1": 4, "kind_recall": 4, "kind_accuracy": 3, "stained_accuracy": 3,
        "stained_recall": 2, "stained_specificity": 1,
    }  # fmt: skip


def test_what_cannot_be_known_is_left_out() -> None:
    bare = seen([(10, 10, UNLABELLED, STAIN_UNKNOWN, False)], [(10, 10, False, Kind.TUMOUR, True)])
    assert set(figures(bare)) == {"found_recall"}


@pytest.mark.parametrize("fine", range(ANY_OTHER + 1))
def test_every_label_has_its_kind(fine: int) -> None:
    immune = {FINE_CLASSES.index("lymphocyte"), MACROPHAGE, ANY_IMMUNE}
    kind = Kind.TUMOUR if fine == TUMOUR else Kind.IMMUNE if fine in immune else Kind.OTHER
    for called in Kind:
        image = seen([(10, 10, fine, 1, False)], [(10, 10, False, called, True)])
        assert figures(image)["kind_accuracy"].value == float(called == kind)


def test_pairs_lie_within_six_micrometres() -> None:
    near = seen([(10, 10, TUMOUR, 1, False)], [(21.9, 10, False, Kind.TUMOUR, True)])
    far = seen([(10, 10, TUMOUR, 1, False)], [(22.1, 10, False, Kind.TUMOUR, True)])
    assert figures(near)["found_recall"].value == 1.0
    assert figures(far)["found_recall"].value == 0.0


def test_few_images_are_drawn_again_by_blocks_and_many_by_image() -> None:
    few, many = figures(IMAGE)["found_recall"], figures(*[IMAGE] * 10)["found_recall"]
    assert "100 µm blocks" in few.method
    assert few.low is not None
    assert few.low < few.value
    assert "over images" in many.method
    assert (many.low, many.value, many.high) == (0.8, 0.8, 0.8)


def test_nothing_found_is_nought() -> None:
    assert figures(seen([(10, 10, TUMOUR, 1, True)], []))["found_f1"].value == 0.0
