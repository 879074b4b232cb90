"""Digests already computed, kept between runs so that gigabytes are hashed once.

A small JSON file in the user's cache folder. Its keys are hashes: no path and no file name can be read
from it. A cache that cannot be read or written is no error, only slower.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

_SCHEMA = "cxpath/digests/1"
_MOST_ENTRIES = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def cache_path() -> Path:
    """Return where the cache lies: `$XDG_CACHE_HOME/cxpath/digests.json`, else under `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "cxpath" / "digests.json"


def key_of(files: Sequence[Path]) -> str:
    """Return a hash of path, size and modification time of the files."""
    facts = hashlib.sha256()
    for file in files:
        state = file.stat()
        facts.update(
            f"{file.resolve()}\0{state.st_size}\0{state.st_mtime_ns}\0".encode(errors="surrogateescape")
        )
    return facts.hexdigest()


def recall(key: str) -> str | None:
    """Return the digest kept under the key, if any."""
    return _entries().get(key)


def remember(key: str, digest: str) -> None:
    """Keep a digest; the oldest go when there are too many."""
    entries = {**_entries(), key: digest}
    kept = dict(list(entries.items())[-_MOST_ENTRIES:])
    try:
        _write(cache_path(), json.dumps({"schema": _SCHEMA, "digests": kept}))
    except OSError as error:
        _log.info("slide digests are not kept: %s", error.strerror)


def _entries() -> dict[str, str]:
    try:
        held = json.loads(cache_path().read_text())
    except (OSError, ValueError):
        return {}
    digests = held.get("digests") if isinstance(held, dict) and held.get("schema") == _SCHEMA else None
    if not isinstance(digests, dict):
        return {}
    return {key: digest for key, digest in digests.items() if _DIGEST.fullmatch(str(digest))}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        draft.write_text(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
