"""What only POSIX has is asked for behind a check of the platform: Windows and macOS can run the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SyntheticSlide

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cxpath"
POSIX_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "crypt", "syslog"}
POSIX_CALLS = {
    ("os", name)
    for name in (
        "fork",
        "forkpty",
        "getuid",
        "geteuid",
        "getgid",
        "setsid",
        "killpg",
        "getpgid",
        "mkfifo",
        "chown",
    )
} | {
    ("signal", name) for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGQUIT", "alarm", "setitimer")
}
GUARDS = ("sys.platform", "hasattr(", "os.name")


def posix_only(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of what only POSIX has and no check of the platform encloses."""
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If | ast.IfExp) and any(word in ast.unparse(node.test) for word in GUARDS)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names if one.name in POSIX_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
            yield node.lineno, str(node.module)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in POSIX_CALLS
        ):
            yield node.lineno, f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_that_only_posix_has_is_asked_for_unchecked(path: Path) -> None:
    assert list(posix_only(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_an_unchecked_call_would_be_found() -> None:
    bad = ast.parse("import fcntl\nimport os\nos.fork()\n")
    assert [name for _, name in posix_only(bad)] == ["fcntl", "os.fork"]
    good = ast.parse("import sys\nif sys.platform != 'win32':\n    import fcntl\n")
    assert not list(posix_only(good))


@pytest.mark.slow
def test_a_slide_is_scored_when_every_process_is_spawned(
    synthetic_slide: SyntheticSlide, tmp_path: Path
) -> None:
    """As on Windows and macOS: nothing is inherited by a fork."""
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "import cxpath\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    print(cxpath.score_slide(sys.argv[1], sys.argv[2], assay='22c3', device='cpu').evaluable)\n",
        encoding="utf-8",
    )
    command = [sys.executable, str(program), str(synthetic_slide.path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
