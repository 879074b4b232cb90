"""Pseudonyms of slide names: a keyed hash, the same for the same name and key, and no way back without it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cxpath.values.errors import ConfigurationError

KEY_VARIABLE = "CXPATH_PSEUDONYM_KEY"
_SHORTEST_KEY = 16


def pseudonym(name: str, key: bytes) -> str:
    """Return "slide-" and twelve hexadecimal characters of HMAC-SHA256 (RFC 2104) of the name."""
    return f"slide-{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:12]}"


def pseudonym_key() -> bytes:
    """Return the key from `CXPATH_PSEUDONYM_KEY`, else from a key file made once (mode 0600).

    Raises
    ------
    ConfigurationError
        When the key is shorter than 16 characters, or no key file can be made or read.
    """
    given = os.environ.get(KEY_VARIABLE, "")
    if given:
        return _checked(given.encode(), KEY_VARIABLE)
    path = key_path()
    try:
        if not path.exists():
            _create(path)
        return _checked(path.read_bytes().strip(), "the pseudonym key file")
    except OSError as error:
        raise ConfigurationError(
            f"the pseudonym key file cannot be made or read: {error.strerror}",
            f"set {KEY_VARIABLE} to a secret of at least {_SHORTEST_KEY} characters",
        ) from error


def key_path() -> Path:
    """Return where the key file lies."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "cxpath" / "pseudonym.key"


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # fails where another process was first: its key then holds
    except FileExistsError:
        return
    except OSError:
        draft.replace(path)  # a file system without hard links


def _checked(key: bytes, source: str) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"{source} is shorter than {_SHORTEST_KEY} characters",
            "a short key can be guessed; use a long random one",
        )
    return key
