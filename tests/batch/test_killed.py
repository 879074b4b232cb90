"""kill -9 of the parent and of workers, at random moments: the end is that of an undisturbed run.

`make soak` does the same with five hundred slides and ten kills.
"""

import random
from pathlib import Path

import pytest

from cxpath.documents.batch import Status
from tests.batch.fake_batches import run, write_slides
from tests.batch.killing import run_killed, table

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.slow
def test_the_end_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    kinds = {f"s{number:02d}": "fine 0.05" for number in range(20)}
    kinds |= {"t1": "damaged", "t2": "no-mpp", "t3": "not-evaluable", "t4": "crash"}
    slides = write_slides(tmp_path / "slides", **kinds)
    undisturbed = run(slides, tmp_path / "one", workers=2)
    killed = run_killed(slides, tmp_path / "other", 2, kills=3, chance=random.Random(8), of_workers=False)
    assert table(slides, tmp_path / "other", killed.outcomes) == table(
        slides, tmp_path / "one", undisturbed.outcomes
    )
    assert killed.count(Status.SCORED) == 20
    assert not list((tmp_path / "other").rglob("*.partial"))
