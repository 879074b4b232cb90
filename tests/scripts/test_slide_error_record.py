from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cxpath.errors import ConfigurationError, MissingFileError
from cxpath.network.card import read_card
from cxpath.network.model import load_model, model_folder
from cxpath.scores.settings import METRIC_PREFIX, RATES
from scripts.studies.slide_error import measure_slide_error, record_slide_error

SLIDE = [
    [80, 15, 0, 0, 0, 5], [9, 880, 0, 0, 6, 5], [0, 0, 30, 20, 0, 0],
    [0, 0, 4, 396, 0, 0], [0, 0, 0, 0, 200, 10], [0, 5, 0, 3, 10, 0],
]  # fmt: skip


def evaluated(folder: Path, slides: int = 12, digest: str | None = None, **changes: Any) -> Path:
    """Write slides as `cxpath model evaluate` leaves them, one of another arm and one list of cells too."""
    items = folder / "items"
    items.mkdir(parents=True)
    for number in range(slides):
        item = {"name": f"s{number}", "arm": "held_out", "table": SLIDE} | (changes if number == 0 else {})
        (items / f"s{number}-0.json").write_text(json.dumps(item), encoding="utf-8")
    other = {"name": "t0", "arm": "training", "table": SLIDE}
    (items / "t0-0.json").write_text(json.dumps(other), encoding="utf-8")
    (items / "s0.cells.json").write_text(json.dumps({"x_px": [1.0]}), encoding="utf-8")
    if digest:
        (folder / "evaluation.json").write_text(json.dumps({"model": {"digest": digest}}), encoding="utf-8")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder("small"), tmp_path / "model"))


def test_the_cards_ten_figures_are_replaced_and_all_else_stays(model: Path, tmp_path: Path) -> None:
    before = read_card(model)
    measured = measure_slide_error([evaluated(tmp_path / "e", digest=before.digest)], ["held_out"])
    record_slide_error(measured, model)
    after = read_card(model)
    assert after.metrics[METRIC_PREFIX + "tumour_recall"].value == pytest.approx(0.8, abs=0.01)
    assert {after.metrics[METRIC_PREFIX + name].count for name in RATES} == {12}
    assert "arm held_out" in after.metrics[METRIC_PREFIX + "immune_recall"].method
    rest = {name: one for name, one in before.metrics.items() if not name.startswith(METRIC_PREFIX)}
    assert rest.items() <= after.metrics.items()
    assert after.model_copy(update={"metrics": before.metrics}) == before
    load_model(model)  # the weights still fit the card


def test_only_a_finished_evaluation_of_these_weights_is_recorded(model: Path, tmp_path: Path) -> None:
    before = (model / "card.toml").read_bytes()
    with pytest.raises(ConfigurationError, match="not the model"):
        record_slide_error(
            measure_slide_error([evaluated(tmp_path / "a", digest="0" * 64)], ["held_out"]), model
        )
    with pytest.raises(ConfigurationError, match="says which model"):
        record_slide_error(measure_slide_error([evaluated(tmp_path / "b")], ["held_out"]), model)
    assert (model / "card.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"slides": 3}, "3 slides of arm 'held_out'; at least 10"),
        ({"name": "s1"}, "slide s1 was evaluated more than once"),
        ({"table": [[1, 2], [3, 4]]}, "not 6 by 6"),
        ({"table": [[0.5] * 6] * 6}, "not 6 by 6"),
    ],
)
def test_what_would_mislead_is_one_line(tmp_path: Path, made: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        measure_slide_error([evaluated(tmp_path / "e", **made)], ["held_out"])
    assert "\n" not in str(caught.value)


def test_slides_without_a_stained_cell_cannot_say_how_many_are_missed(tmp_path: Path) -> None:
    folder = evaluated(tmp_path / "e")
    without = [[0] * 6, *SLIDE[1:]]
    for path in (folder / "items").glob("s*-0.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"table": without}))
    with pytest.raises(ConfigurationError, match="no held-out slide contains such a cell"):
        measure_slide_error([folder], ["held_out"])


def test_a_folder_without_slides_and_a_damaged_one_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no evaluated slides"):
        measure_slide_error([tmp_path], ["held_out"])
    folder = evaluated(tmp_path / "e")
    (folder / "items" / "s3-0.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"s3-0\.json: not readable"):
        measure_slide_error([folder], ["held_out"])


def test_slides_of_two_evaluations_of_one_model_are_taken_together(model: Path, tmp_path: Path) -> None:
    digest = read_card(model).digest
    first = evaluated(tmp_path / "synthetic", digest=digest)
    second = evaluated(tmp_path / "restained", digest=digest)
    for path in (second / "items").glob("s*-0.json"):
        missing_half = [[40, 55, 0, 0, 0, 5], *SLIDE[1:]]
        item = json.loads(path.read_text()) | {"arm": "restained", "table": missing_half}
        path.write_text(json.dumps(item))
    together = measure_slide_error([first, second], ["held_out", "restained"])
    assert together.error.held_out_slides == 24
    assert 0.5 < together.error.tumour_recall < 0.8
    assert together.error.tumour_recall_spread > 0.5
    record_slide_error(together, model)
    assert "arms held_out and restained" in read_card(model).metrics[METRIC_PREFIX + "tumour_recall"].method


def test_evaluations_of_different_models_are_not_taken_together(tmp_path: Path) -> None:
    folders = [evaluated(tmp_path / name, digest=name * 64) for name in ("a", "b")]
    for path in (folders[1] / "items").glob("s*-0.json"):
        path.write_text(path.read_text().replace("held_out", "restained"))
    with pytest.raises(ConfigurationError, match="different models"):
        measure_slide_error(folders, ["held_out", "restained"])
