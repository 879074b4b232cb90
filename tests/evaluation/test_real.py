"""What is there is measured once, what is missing is named, and a limit holds for every set."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.slide_info import StainBasis
from cxpath.errors import MissingFileError
from cxpath.evaluation.classifier import Calls, CellClassifier, ResultsCache
from cxpath.evaluation.real import Findings, RealEvaluation
from cxpath.evaluation.real_fields import count_field
from cxpath.evaluation.settings import Pdl1Field, RealSettings
from tests.evaluation.called_cells import IMMUNE, REAL, TUMOUR, calls_at

MPP = 0.5
SIDE_PX = 128


class OneCellClassifier(CellClassifier):
    """Calls a stained tumour cell in the middle of every picture, and an unstained immune cell beside it."""

    def __init__(self) -> None:
        self.pictures: list[tuple[int, ...]] = []

    @property
    def mpp(self) -> float:
        return MPP

    def calls(self, rgb: NDArray[np.uint8], stains: StainBasis | None = None) -> Calls:
        self.pictures.append(rgb.shape)
        middle = rgb.shape[1] * MPP / 2, rgb.shape[0] * MPP / 2
        return calls_at([middle, (middle[0] + 10, middle[1])], [TUMOUR, IMMUNE], [True, False])


SET = REAL.labelled_set[0].model_copy(
    update={
        "name": "own", "folder": "own", "form": "points", "mpp": MPP, "mpp_source": "assumed",
        "leave_out": (), "brown": "brown", "brown_counted": True, "tumour": (),
    }
)  # fmt: skip
SETTINGS = REAL.model_copy(update={"labelled_set": (SET,), "curve_mpp": (0.5, 0.25), "pictures_per_set": 1})


def write_picture(path: Path, side_px: int = SIDE_PX) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side_px, side_px, 3), 200, np.uint8))


def write_labelled(data: Path, number: int) -> None:
    """Write pictures with one brown label in the middle, which is found."""
    for index in range(number):
        write_picture(data / "own" / f"p{index}.png")
        middle = SIDE_PX // 2
        (data / "own" / f"p{index}.csv").write_text(f"x,y,class\n{middle},{middle},brown\n", encoding="utf-8")


def evaluation(
    tmp_path: Path,
    data: Path | None,
    limit: int | None = None,
    settings: RealSettings = SETTINGS,
    told: list[tuple[str, int, int]] | None = None,
) -> tuple[OneCellClassifier, ResultsCache, Findings]:
    classifier, cache = OneCellClassifier(), ResultsCache(tmp_path / "out", "basis")
    watched = [] if told is None else told
    found = RealEvaluation(
        classifier, settings, cache, data, limit, lambda *step: watched.append(step)
    ).evaluate()
    return classifier, cache, found


@pytest.mark.parametrize("named", [False, True])
def test_without_a_data_folder_one_line_says_why(tmp_path: Path, *, named: bool) -> None:
    folder = tmp_path / "none" if named else None
    _, cache, found = evaluation(tmp_path, folder)
    (skipped,) = found.skipped
    assert skipped.item == "real"
    assert (f"{folder}: no such folder" if named else "CXPATH_DATA is not set") in skipped.reason
    assert cache.computed == 0


def test_every_set_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _, _, found = evaluation(tmp_path, tmp_path / "data")
    assert [one.item for one in found.skipped] == ["own", "os2", "sp142_fields"]
    assert REAL.scanner_pair.files[0] in found.skipped[1].reason
    assert (found.sets, found.figures, found.curves, found.pictures) == ([], [], [], [])


def test_a_labelled_set_gives_figures_a_curve_and_as_many_pictures_as_asked(tmp_path: Path) -> None:
    write_labelled(tmp_path, 3)
    _, _, found = evaluation(tmp_path, tmp_path)
    (summary,) = found.sets
    assert (summary.name, summary.items, summary.mpp, summary.mpp_source) == ("own", 3, MPP, "assumed")
    values = {(figure.set_name, figure.name): figure.value for figure in found.figures}
    assert values["own", "brown_classified_positive"] == 1.0
    assert values["brown_nuclei", "brown_classified_positive"] == 1.0
    assert values["own", "recall"] == 1.0
    assert len(found.pictures) == 1
    (curve,) = found.curves
    assert (curve.assumed_mpp, curve.images, curve.labels) == (MPP, 3, 3)
    assert [point.mpp for point in curve.points] == [0.25, 0.5]


def test_a_picture_of_another_resolution_is_brought_to_the_networks(tmp_path: Path) -> None:
    write_labelled(tmp_path, 1)
    classifier, _, _ = evaluation(tmp_path, tmp_path)
    assert sorted({shape[:2] for shape in classifier.pictures}) == [(64, 64), (128, 128)]


def test_brown_nuclei_of_sets_that_do_not_count_them_have_no_common_figure(tmp_path: Path) -> None:
    write_labelled(tmp_path, 1)
    apart = SETTINGS.model_copy(
        update={"labelled_set": (SET.model_copy(update={"brown_counted": False, "mpp_source": "file"}),)}
    )
    _, _, found = evaluation(tmp_path, tmp_path, settings=apart)
    assert {figure.set_name for figure in found.figures} == {"own"}
    assert found.curves == []  # nobody assumed its resolution


def test_a_limit_holds_for_every_set_and_progress_is_told(tmp_path: Path) -> None:
    write_labelled(tmp_path, 5)
    told: list[tuple[str, int, int]] = []
    _, _, found = evaluation(tmp_path, tmp_path, limit=2, told=told)
    assert found.sets[0].items == 2
    assert told[:3] == [("own", 0, 2), ("own", 1, 2), ("own", 2, 2)]


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    write_labelled(tmp_path, 2)
    first, _, found = evaluation(tmp_path, tmp_path)
    again, cache, same = evaluation(tmp_path, tmp_path)
    assert len(first.pictures) == 2 * 3  # once, and for two points of the curve
    assert (again.pictures, cache.computed) == ([], 0)
    assert same.figures == found.figures
    write_picture(tmp_path / "own" / "p1.png", side_px=96)
    changed, _, _ = evaluation(tmp_path, tmp_path)
    assert len(changed.pictures) == 3  # of the changed picture alone


def test_more_bootstrap_repeats_measure_no_picture_again(tmp_path: Path) -> None:
    write_labelled(tmp_path, 1)
    evaluation(tmp_path, tmp_path)
    more = SETTINGS.bootstrap.model_copy(update={"repeats": SETTINGS.bootstrap.repeats + 1})
    wider = SETTINGS.bootstrap.model_copy(update={"block_um": SETTINGS.bootstrap.block_um * 2})
    for bootstrap, measured in ((more, 0), (wider, 3)):
        settings = SETTINGS.model_copy(update={"bootstrap": bootstrap})
        assert len(evaluation(tmp_path, tmp_path, settings=settings)[0].pictures) == measured


# One PD-L1 field.

FIELDS = REAL.model_copy(update={"pdl1_fields": REAL.pdl1_fields.model_copy(update={"mpp": MPP})})


def test_a_field_counts_its_immune_cells_by_block(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    field = Pdl1Field(image="a.png", category="IC0", rank=0)
    result, rgb, calls = count_field(field, tmp_path, OneCellClassifier(), FIELDS)
    assert (sum(result.immune), sum(result.positive)) == (1, 0)
    assert (result.crop, result.areas) == (None, None)
    assert rgb.shape == (SIDE_PX, SIDE_PX, 3)
    assert len(calls) == 2


def test_the_mask_of_a_field_is_found_in_it_and_compared_with_the_called_region(tmp_path: Path) -> None:
    """A dark square in the picture; its mask was cut from row 20 and column 12."""
    rgb = np.full((SIDE_PX, SIDE_PX, 3), 220, np.uint8)
    rgb[50:90, 40:90] = 60
    cv2.imwrite(str(tmp_path / "a.png"), rgb)
    mask = (rgb[20:120, 12:112, 0] < 128).astype(np.uint8) * 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    field = Pdl1Field(image="a.png", category="IC0", rank=0, mask="m.png")
    result, _, _ = count_field(field, tmp_path, OneCellClassifier(), FIELDS)
    assert result.crop == (20, 12)
    assert result.areas is not None
    both, of_mask, of_call = np.sum(result.areas, axis=0)
    assert of_mask == 40 * 50
    assert both <= min(of_mask, of_call)


def test_a_mask_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    field = Pdl1Field(image="a.png", category="IC0", rank=0, mask="m.png")
    with pytest.raises(MissingFileError, match=r"m\.png: no readable mask"):
        count_field(field, tmp_path, OneCellClassifier(), FIELDS)
