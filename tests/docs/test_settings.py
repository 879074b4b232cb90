"""Every setting stands in the reference of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from cxpath.app.configuration import Configuration
from tests.docs.pages import REFERENCE, quoted, section

PAGE = REFERENCE / "configuration.md"


def sections(values: dict[str, Any], name: str = "") -> dict[str, list[str]]:
    """Return the keys of every section of the configuration, by its name in TOML."""
    found: dict[str, list[str]] = {
        name: [key for key, value in values.items() if not isinstance(value, dict)]
    }
    for key, value in values.items():
        if isinstance(value, dict):
            found |= sections(value, f"{name}.{key}" if name else key)
    return {where: keys for where, keys in found.items() if keys}


SECTIONS = sections(Configuration().model_dump(mode="json"))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_stands_in_the_reference(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = quoted(section(PAGE, f"## [{name}]"))
    has_its_own_section = {key for key in SECTIONS[name] if f"\n## [{name}.{key}]\n" in text}
    assert set(SECTIONS[name]) - told - has_its_own_section == set()
