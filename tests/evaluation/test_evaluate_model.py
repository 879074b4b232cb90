from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from cxpath.documents.evaluation import Evaluation
from cxpath.errors import MissingFileError
from cxpath.evaluation.classifier import CellClassifier
from cxpath.evaluation.evaluate import EvaluationRequest, evaluate_model
from cxpath.evaluation.labelled import read_rgb
from cxpath.evaluation.settings import bundled_settings
from tests.evaluation.called_cells import small_recipe

LOOKS: list[int] = []


@pytest.fixture(autouse=True)
def _counted_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count how often a network looks at a picture."""
    LOOKS.clear()
    look = CellClassifier.calls

    def counted(self: CellClassifier, *seen: object) -> object:
        LOOKS.append(1)
        return look(self, *seen)  # type: ignore[arg-type]

    monkeypatch.setattr(CellClassifier, "calls", counted)


def synthetic(out: Path, recipe: Path, limit: int | None = None) -> EvaluationRequest:
    return EvaluationRequest(
        "small", "synthetic", out, limit=limit, device="cpu", workers=1, synthetic=recipe
    )


def test_an_evaluation_goes_on_where_it_was_left(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path)
    first = evaluate_model(synthetic(tmp_path / "out", recipe, limit=1))
    looked = len(LOOKS)
    assert looked >= 1
    assert len(first.slides) == 1
    whole = evaluate_model(synthetic(tmp_path / "out", recipe))
    assert len(whole.slides) == 3
    assert whole.slides[0] == first.slides[0]
    LOOKS.clear()
    again = evaluate_model(synthetic(tmp_path / "out", recipe))
    assert LOOKS == []
    assert again == whole
    fresh = evaluate_model(synthetic(tmp_path / "other", recipe))
    assert fresh.figures == whole.figures, "resumed or not, the figures are the same"


def test_another_recipe_is_measured_anew(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path)
    evaluate_model(synthetic(tmp_path / "out", recipe, limit=1))
    recipe.write_text(recipe.read_text().replace("margin_um = 24.0", "margin_um = 26.0"))
    LOOKS.clear()
    evaluate_model(synthetic(tmp_path / "out", recipe, limit=1))
    assert LOOKS


def test_the_document_follows_its_schema(tmp_path: Path) -> None:
    written = evaluate_model(synthetic(tmp_path / "out", small_recipe(tmp_path), limit=2))
    text = (tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8")
    assert Evaluation.model_validate_json(text) == written
    document = json.loads(text)
    assert document["schema"] == "cxpath/evaluation/1"
    assert document["research_use"].startswith("For Research Use Only")
    wanted = {"value", "low", "high", "level", "n", "n_of", "unit", "units", "method", "mpp", "mpp_source"}
    for figure in document["figures"]:
        assert wanted | {"target", "met"} <= figure.keys()
        if figure["value"] is not None and figure["low"] is not None:
            assert figure["low"] <= figure["high"]
    assert document["model"]["digest"]
    for picture in document["pictures"]:
        assert (tmp_path / "out" / picture["picture"]).is_file()
        cells = json.loads((tmp_path / "out" / picture["cells"]).read_text())
        assert len({len(column) for column in cells.values()}) == 1


def test_without_real_images_the_drawn_set_stands_alone(tmp_path: Path) -> None:
    request = EvaluationRequest(
        "small", "all", tmp_path / "out", data=tmp_path / "none", limit=1, device="cpu", workers=1,
        synthetic=small_recipe(tmp_path),
    )  # fmt: skip
    evaluation = evaluate_model(request)
    assert evaluation.skipped[0].item == "real"
    assert all(one.item.startswith("restained_") for one in evaluation.skipped[1:])
    assert {one.name for one in evaluation.sets} == {"synthetic_held_out"}


@pytest.mark.parametrize("data", [None, "none"])
def test_nothing_to_measure_is_one_line(tmp_path: Path, data: str | None) -> None:
    folder = tmp_path / data if data else None
    request = EvaluationRequest("small", "real", tmp_path / "out", data=folder, device="cpu")
    with pytest.raises(MissingFileError, match="nothing was measured: no real images"):
        evaluate_model(request)


@pytest.fixture(scope="module")
def few_real_images(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two BCData tiles, and nothing else of the real images."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "cells" / "bcdata").mkdir(parents=True)
    for name in ("0.png", "0.csv", "1.png", "1.csv"):
        shutil.copy(data_dir / "cells" / "bcdata" / name, folder / "cells" / "bcdata" / name)
    return folder


def test_real_images_are_measured_and_missing_sets_are_named(tmp_path: Path, few_real_images: Path) -> None:
    recipe = tmp_path / "real.toml"
    usual = bundled_settings("real").read_text(encoding="utf-8")
    recipe.write_text(re.sub(r"curve_mpp = .*", "curve_mpp = [0.4, 0.2]", usual), encoding="utf-8")
    request = EvaluationRequest(
        "small", "real", tmp_path / "out", data=few_real_images, device="cpu", real=recipe
    )
    evaluation = evaluate_model(request)
    assert len(LOOKS) == 2 * (1 + 2)
    (curve,) = evaluation.curves
    assert (curve.set_name, curve.assumed_mpp, curve.images) == ("bcdata", 0.25, 2)
    assert [point.mpp for point in curve.points] == [0.2, 0.4]
    assert all(point.f1 is not None and 0.3 < point.f1 <= 1 for point in curve.points)
    figures = {(one.set_name, one.name): one for one in evaluation.figures}
    found = figures["bcdata", "f1"]
    assert found.value is not None
    assert found.value > 0.5
    assert (found.unit, found.mpp, found.mpp_source) == ("blocks", 0.25, "assumed")
    assert (
        curve.labels
        == found.n
        == sum(
            len((few_real_images / "cells" / "bcdata" / f"{stem}.csv").read_text().splitlines()) - 1
            for stem in ("0", "1")
        )
    )
    assert figures["brown_nuclei", "brown_classified_positive"].n > 10
    missing = {one.item for one in evaluation.skipped}
    assert missing == {"deepliif", "glioma", "shidc", "os2", "sp142_fields"}
    assert read_rgb(tmp_path / "out" / evaluation.pictures[0].picture).shape[2] == 3
    LOOKS.clear()
    assert evaluate_model(request) == evaluation
    assert LOOKS == []
