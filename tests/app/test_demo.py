"""The demo draws a slide with known truth, and its score must lie near that truth."""

import json
from pathlib import Path

import pytest

import cxpath
from cxpath.app.demo import make_demo_slide, score_demo_slide

SEEDS = {0.5: 101, 5.0: 102, 40.0: 103}
"""True CPS asked for, and the seed of its slide; chosen before any network was trained."""


MISSED = pytest.mark.xfail(
    reason="small 0.6 reads 3.6 for 5.0: it finds too few of the positive cells (docs/accuracy.md)"
)


@pytest.mark.slow
@pytest.mark.parametrize("cps", [0.5, pytest.param(5.0, marks=MISSED), 40.0])
def test_the_demos_cps_lies_near_the_truth(cps: float, tmp_path: Path) -> None:
    drawn = make_demo_slide(tmp_path / "demo", SEEDS[cps], cps)
    result = score_demo_slide(drawn, tmp_path / "demo", "cpu")
    truth = drawn.truth.cps
    assert truth == pytest.approx(cps, rel=0.1)
    assert result.cps is not None
    assert abs(result.cps.value - truth) <= max(0.15 * truth, 0.5)
    with cxpath.open_slide(drawn.path) as slide:
        assert min(slide.width_px, slide.height_px) >= 8000
        assert slide.mpp == 0.25
        assert len(slide.levels) == 3
    document = json.loads((tmp_path / "demo" / "score.json").read_text())
    assert document["tissue"]["scored_mm2"] > 2
    beside = json.loads((tmp_path / "demo-slide.truth.json").read_text())
    assert beside["cps"] == truth
