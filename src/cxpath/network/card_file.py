"""Reading `card.toml`, and the text that is written into one."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxpath.network.card import ModelCard
from cxpath.values.errors import ModelError

CARD_NAME = "card.toml"

EARLIER_SCHEMA = "cxpath/model/1"
"""Its staining threshold is for a probability that left out the doubt about the kind."""


def read_card(folder: Path) -> ModelCard:
    """Read the card of the model in `folder`.

    Raises
    ------
    ModelError
        When the card is missing, is no TOML or does not describe a model this version can run.
    """
    path = folder / CARD_NAME
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if content.get("schema") == EARLIER_SCHEMA:
            raise ModelError(
                f"{path}: packed by an earlier cxpath, whose staining threshold was for another probability",
                "pack its training again: cxpath models pack",
            )
        return ModelCard.model_validate(content)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no model card there", "give a folder that `cxpath models list` names"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not readable as TOML: {error}", "restore the model folder") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"{path}: {where}: {first['msg']}", "the model may belong to another version of cxpath"
        ) from error


def card_text(card: ModelCard) -> str:
    """Return the card as TOML text; `read_card` gives back an equal card."""
    content = card.model_dump(mode="json", by_alias=True, exclude_none=True)
    return "\n".join(_table_lines(content, "")) + "\n"


def _table_lines(table: dict[str, Any], path: str) -> list[str]:
    """Plain values first, as TOML demands, then tables and lists of tables."""
    lines = [f"{key} = {_literal(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            lines += ["", f"[{inner}]", *_table_lines(value, inner)]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{inner}]]", *_table_lines(row, inner)]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _literal(value: Any) -> str:
    """JSON's strings, numbers, booleans and lists of these are TOML's too, but for an unescaped DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
