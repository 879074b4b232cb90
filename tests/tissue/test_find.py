import numpy as np
from hypothesis import example, given, strategies as st

from cxpath.data.reasons import ReasonCode
from cxpath.tissue.artefacts.find import why_too_spoiled
from cxpath.tissue.settings import ArtefactSettings
from cxpath.tissue.stains import Mask

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
