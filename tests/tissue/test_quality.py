"""Artefacts that spoil too much of a slide, and control tissue."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from numpy.typing import NDArray
from shapely.geometry import box

from cxpath.data.reasons import ReasonCode
from cxpath.data.slide_info import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, Region, RegionMeaning, StainBasis, unit
from cxpath.tissue.quality import (
    ControlTissue,
    Verdict,
    annotated_control,
    check_control,
    control_by_rule,
    control_troubles,
    why_too_spoiled,
)
from cxpath.tissue.settings import ArtefactSettings, ControlKind, ControlRule, ControlSettings, OnFailure
from cxpath.tissue.stains import Mask

MPP = 100.0
"""Coarse, so that a small array is a whole slide."""


def pieces() -> NDArray[np.bool_]:
    """From the left: a middling, a large and a small piece of tissue, 1 mm apart."""
    tissue = np.zeros((40, 90), bool)
    tissue[5:15, 5:15] = tissue[5:35, 25:55] = tissue[5:10, 70:75] = True
    return tissue


@pytest.mark.parametrize(
    ("rule", "left"),
    [(ControlRule.LEFT, 5), (ControlRule.RIGHT, 70), (ControlRule.SMALLEST_PIECE, 70)],
)
def test_the_rule_names_one_piece(rule: ControlRule, left: int) -> None:
    control = control_by_rule(pieces(), MPP, rule, ControlSettings())
    assert control is not None
    assert np.nonzero(control.mask.any(axis=0))[0].min() == left
    assert control.mask.sum() == {5: 100, 70: 25}[left]


def test_fragments_of_one_piece_stay_together() -> None:
    tissue = pieces()
    tissue[20:22, :] = False  # a crack of 200 µm through the large piece
    control = control_by_rule(tissue, MPP, ControlRule.SMALLEST_PIECE, ControlSettings())
    assert control is not None
    assert control.mask.sum() == 25


def test_without_a_rule_there_is_no_control_and_in_one_piece_none_is_found() -> None:
    one = np.ones((20, 20), bool)
    assert control_by_rule(one, MPP, ControlRule.NONE, ControlSettings()) is None
    control = control_by_rule(one, MPP, ControlRule.LEFT, ControlSettings())
    assert control is not None
    assert not control.mask.any()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Positive control", "positive"), ("NEGATIVE CONTROL", "negative"), ("Control", "negative")],
)
def test_a_drawn_controls_name_says_its_kind(name: str, kind: str) -> None:
    region = Region.meaning_of(name, RegionMeaning.CONTROL, box(0, 0, 1, 1))
    settings = ControlSettings(unnamed=ControlKind.NEGATIVE)
    assert annotated_control(region, np.ones((1, 1), bool), settings).kind == kind


def density(dab_od: float, pixels: int = 500) -> NDArray[np.float32]:
    amounts = 0.3 * unit(DEFAULT_HEMATOXYLIN) + dab_od * unit(DEFAULT_DAB)
    return np.tile(amounts.astype(np.float32), (pixels, 1))


@pytest.mark.parametrize(
    ("kind", "dab_od", "verdict"),
    [
        ("positive", 0.3, Verdict.PASSED),
        ("positive", 0.05, Verdict.FAILED),
        ("negative", 0.01, Verdict.PASSED),
        ("negative", 0.3, Verdict.FAILED),
    ],
)
def test_a_control_is_judged_by_its_mean_dab(kind: str, dab_od: float, verdict: Verdict) -> None:
    control = ControlTissue(ControlKind(kind), "rule left", np.ones((10, 10), bool))
    settings = ControlSettings(negative_max_dab_od=0.04, positive_min_dab_od=0.1)
    check = check_control(control, density(dab_od), MPP, StainBasis(), settings)
    assert check.mean_dab_od == pytest.approx(dab_od, abs=1e-4)
    assert check.median_dab_od == pytest.approx(dab_od, abs=1e-4)
    assert check.area_mm2 == pytest.approx(1.0)
    assert check.verdict is verdict
    assert bool(check.trouble) == (verdict is Verdict.FAILED)
    unset = check_control(control, density(dab_od), MPP, StainBasis(), ControlSettings())
    assert unset.verdict is Verdict.NOT_SET
    assert unset.limit_dab_od is None


def test_troubles_warn_or_refuse_as_set() -> None:
    control = ControlTissue(ControlKind.POSITIVE, "rule left", np.zeros((10, 10), bool))
    missing = check_control(control, density(0.3, 10), MPP, StainBasis(), ControlSettings())
    assert missing.verdict is Verdict.NOT_FOUND
    refused, warned = control_troubles([missing], ControlSettings())
    assert refused == ()
    assert "contains too little tissue to measure" in warned[0].text
    assert control_troubles([missing], ControlSettings(on_failure=OnFailure.REFUSE)) == (warned, ())


SETTINGS = ArtefactSettings(most_blurred_share=0.4, most_excluded_share=0.6)


def masks(blurred: int, inked: int) -> tuple[Mask, dict[str, Mask]]:
    """A hundred pixels of tissue, so many of them blurred and so many others inked."""
    place = np.arange(100).reshape(10, 10)
    return np.ones((10, 10), bool), {"pen": place >= 100 - inked, "blur": place < blurred}


@given(blurred=st.integers(0, 50), inked=st.integers(0, 50))
@example(blurred=20, inked=40)
def test_each_limit_gives_its_own_reason(blurred: int, inked: int) -> None:
    reasons = why_too_spoiled(*masks(blurred, inked), SETTINGS)
    assert len(reasons) == (blurred > 40) + (blurred + inked > 60)


def test_reasons_name_shares_limits_and_what_to_do() -> None:
    blurred, together = why_too_spoiled(*masks(45, 30), SETTINGS)
    assert "45% of the tissue is out of focus, at most 40% may be: scan the slide again" in blurred.text
    assert "75% of the tissue is left out for artefacts (pen 30%, blur 45%)" in together.text
    assert "clean and scan the slide again" in together.text
    assert (blurred.code, together.code) == (ReasonCode.OUT_OF_FOCUS, ReasonCode.ARTEFACTS)


def test_without_tissue_nothing_is_said() -> None:
    assert why_too_spoiled(np.zeros((3, 3), bool), {"pen": np.ones((3, 3), bool)}, SETTINGS) == ()


def test_tissue_whose_focus_was_not_looked_at_is_not_out_of_focus() -> None:
    """A slide too coarse for it has no mask of blur, however little blur is allowed."""
    tissue, ink = np.ones((10, 10), bool), np.zeros((10, 10), bool)
    ink[:, 0] = True
    assert why_too_spoiled(tissue, {"pen": ink}, ArtefactSettings(most_blurred_share=0.01)) == ()
