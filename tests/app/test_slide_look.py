"""A slide is looked at while the network is being loaded, and is closed whatever happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.app.slide_cells import load_network
from cxpath.app.slide_look import look_at_slide, looking_at_slide
from cxpath.errors import UnreadableSlideError
from cxpath.network.device import choose_device
from tests.conftest import SyntheticSlide


def test_a_look_finds_the_tissue(synthetic_slide: SyntheticSlide) -> None:
    look = look_at_slide(ScoreRequest(synthetic_slide.path))
    with look.slide:
        assert look.tissue.found.any()
        assert look.regions is None
        assert {"open", "tissue", "total"} <= look.watch.seconds().keys()


def test_the_slide_is_closed_even_after_an_error(synthetic_slide: SyntheticSlide) -> None:
    with pytest.raises(KeyError), looking_at_slide(ScoreRequest(synthetic_slide.path)) as looking:
        raise KeyError
    slide = looking.result().slide
    with pytest.raises(ValueError, match="closed"):
        slide.read(0, 0, 16, 16, slide.mpp)


def test_what_cannot_be_read_is_said_to_whoever_waits(tmp_path: Path) -> None:
    path = tmp_path / "text.svs"
    path.write_text("no slide")
    with (
        pytest.raises(UnreadableSlideError, match="not a slide"),
        looking_at_slide(ScoreRequest(path)) as looking,
    ):
        looking.result()


def test_looking_imports_no_torch() -> None:
    """Else the command line could not look while torch is being imported."""
    words = "import sys, cxpath.app.slide_look; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0


def test_the_slides_of_a_batch_share_one_network() -> None:
    device = choose_device("cpu", precision="float32", threads=1)
    first = load_network(ScoreRequest(Path("a.svs")), device)
    assert load_network(ScoreRequest(Path("b.svs")), device) is first
    assert first.settings.engine == "torch"
    given = load_network(ScoreRequest(Path("a.svs"), cells=Path("cells.csv")), device)
    assert given.engine is None
