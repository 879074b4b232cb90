"""The base of every settings model: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Parameters of one room, read from TOML; units stand in the key names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
