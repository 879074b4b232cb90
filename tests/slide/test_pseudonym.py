from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import pytest

from cxpath.slide.pseudonym import key_path, pseudonym, pseudonym_key
from cxpath.values.errors import ConfigurationError

KEY = b"0123456789abcdef"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_pseudonym_is_a_keyed_hash() -> None:
    expected = hmac.new(KEY, b"DOE.svs", hashlib.sha256).hexdigest()[:12]
    assert pseudonym("DOE.svs", KEY) == f"slide-{expected}"
    assert pseudonym("DOE.svs", KEY[::-1]) != pseudonym("DOE.svs", KEY) != pseudonym("DOF.svs", KEY)


def test_rfc_4231_vector() -> None:
    assert pseudonym("what do ya want for nothing?", b"Jefe") == "slide-5bdcc146bf60"


def test_a_key_is_made_once_and_is_private(config: Path) -> None:
    first = pseudonym_key()
    assert pseudonym_key() == first
    assert len(first) == 64
    assert key_path() == config / "cxpath" / "pseudonym.key"
    assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert [file.name for file in key_path().parent.iterdir()] == ["pseudonym.key"]


def test_the_environment_wins(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", KEY.decode())
    assert pseudonym_key() == KEY
    assert not config.exists()


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXPATH_PSEUDONYM_KEY", "short")
    with pytest.raises(ConfigurationError, match="shorter than 16"):
        pseudonym_key()


def test_a_place_that_cannot_be_written_says_what_to_do(config: Path) -> None:
    config.write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="CXPATH_PSEUDONYM_KEY"):
        pseudonym_key()
