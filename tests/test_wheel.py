"""The wheel carries its models and configurations: installed elsewhere, it scores a slide."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import SyntheticSlide


def test_the_wheel_scores_a_slide_outside_the_checkout(
    installed_wheel: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    code = (
        "import cxpath, sys\n"
        "print(cxpath.__file__)\n"
        "print(cxpath.score_slide(sys.argv[1], 'out', assay='22c3', device='cpu').evaluable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(synthetic_slide.path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed_wheel)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, evaluable = done.stdout.split()
    assert Path(where).is_relative_to(installed_wheel)
    assert evaluable == "True"
    assert (tmp_path / "out" / "report.html").exists()
