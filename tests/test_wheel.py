"""The wheel carries its models and configurations: installed elsewhere, it scores a slide."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SyntheticSlide

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The freshly built wheel, unpacked by pip into a folder of its own."""
    built, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


def test_the_wheel_scores_a_slide_outside_the_checkout(
    installed: Path, synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    code = (
        "import cxpath, sys\n"
        "print(cxpath.__file__)\n"
        "print(cxpath.score_slide(sys.argv[1], 'out', assay='22c3', device='cpu').evaluable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(synthetic_slide.path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, evaluable = done.stdout.split()
    assert Path(where).is_relative_to(installed)
    assert evaluable == "True"
    assert (tmp_path / "out" / "report.html").exists()
