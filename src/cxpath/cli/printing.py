"""What a command prints: its document as JSON, or lines for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonNotSummary = Annotated[bool, typer.Option("--json", help="Print JSON instead of a summary.")]


def print_json(document: object) -> None:
    """Print a document of mappings, sequences, words and numbers."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_json_file(path: Path) -> None:
    """Print a file of JSON as it stands."""
    print(path.read_text(encoding="utf-8").rstrip())


def print_document(document: object, lines: Iterable[str], *, as_json: bool) -> None:
    """Print a document as JSON, or as `lines`, which say the same to a person."""
    if as_json:
        print_json(document)
    else:
        print("\n".join(lines))
