"""Where the recipes and targets of evaluations lie: `configs/evaluation/*.toml`."""

from __future__ import annotations

from pathlib import Path

from cxpath.values.bundled import bundled
from cxpath.values.settings_file import AnySettings, read_settings


def evaluation_settings(model: type[AnySettings], path: Path) -> AnySettings:
    """Read one settings file; see `read_settings` for what it raises."""
    return read_settings(model, path, "see configs/evaluation/")


def bundled_settings(name: str) -> Path:
    """Return the path of a settings file that travels with cxpath."""
    return bundled("configs") / "evaluation" / f"{name}.toml"
