"""Fixtures for every room: where the real test data lie, and a home folder of the tests' own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cxpath.synth.slide import SlideTruth, write_synthetic_slide

# A busy machine must fail no test: whoever wants times asks `make bench`.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@dataclass(frozen=True, eq=False)
class SyntheticSlide:
    """A synthetic slide file and what it truly contains."""

    path: Path
    truth: SlideTruth


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data (`CXPATH_DATA`, else `../shared/data`); skipped without it, but not in CI."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CXPATH_DATA") or beside)
    if folder.is_dir():
        return folder
    reason = f"no real test data in {folder} (set CXPATH_DATA)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the digest cache and the pseudonym key of whoever runs the tests untouched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.delenv("CXPATH_PSEUDONYM_KEY", raising=False)
        yield


@pytest.fixture(scope="session")
def synthetic_slide(tmp_path_factory: pytest.TempPathFactory) -> SyntheticSlide:
    """A small real SVS of synthetic tissue (1 mm², about 2,500 cells, true CPS 20) and its truth."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.svs"
    truth = write_synthetic_slide(path, seed=3, cps=20.0, width_px=4096, height_px=4096, workers=1)
    return SyntheticSlide(path, truth)


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The freshly built wheel, unpacked by pip into a folder of its own."""
    root = Path(__file__).resolve().parents[1]
    built, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(root)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target
