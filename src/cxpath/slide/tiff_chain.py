"""The chain of a TIFF's directories: whether each lies within the file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

_MOST_PAGES = 4096


class _Form(NamedTuple):
    """How a TIFF of one kind is laid out: struct formats and byte sizes."""

    order: str
    first: int
    entries: str
    entry_bytes: int
    offset: str


def leaves_the_file(path: Path) -> bool:
    """Say whether a TIFF's directories go on beyond its end, as those of a copy that was cut short do.

    A file that is no TIFF has none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        form = _form(file.read(8))
        if form is None:
            return False

        def number(at: int, kind: str) -> int | None:
            file.seek(at)
            data = file.read(struct.calcsize(kind))
            return (
                int(struct.unpack(form.order + kind, data)[0]) if len(data) == struct.calcsize(kind) else None
            )

        place = number(form.first, form.offset)
        for _ in range(_MOST_PAGES):
            if not place:
                return place is None
            entries = number(place, form.entries) if place < size else None
            if entries is None:
                return True
            place = number(place + struct.calcsize(form.entries) + entries * form.entry_bytes, form.offset)
    return False


def _form(head: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 42:
        return _Form(order, 4, "H", 12, "I")
    return _Form(order, 8, "Q", 20, "Q") if version == 43 else None
