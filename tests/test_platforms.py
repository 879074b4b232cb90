"""What only POSIX has is asked for behind a check of the platform: Windows and macOS can run the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import SyntheticSlide

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cxpath"
FILES = sorted(SOURCE.rglob("*.py"))
POSIX_MODULES = {
    *("crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd"),
    *("readline", "resource", "spwd", "syslog", "termios", "tty"),
}
POSIX_NAMES = {
    "os": (
        "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_SYNC WNOHANG chown chroot confstr fork forkpty "
        "geteuid getgid getgroups getloadavg getpgid getpgrp getresuid getsid getuid killpg lchown lockf "
        "mkfifo mknod nice openpty posix_fadvise posix_fallocate posix_spawn pread preadv pwrite readv "
        "register_at_fork sched_getaffinity sched_setaffinity sendfile setgid setpgid setpriority setsid "
        "setuid statvfs symlink sync sysconf uname wait wait3 wait4 waitid"
    ),
    "signal": (
        "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 alarm "
        "getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait"
    ),
    "select": "epoll kqueue poll",
    "socket": "AF_UNIX sethostname",
    "time": "clock_gettime pthread_getcpuclockid tzset",
}
POSIX_CALLS = {(module, name) for module, names in POSIX_NAMES.items() for name in names.split()}
POSIX_METHODS = {"add_signal_handler", "owner", "symlink_to"}
"""Of paths and event loops; Windows lets only some users make symbolic links."""
POSIX_PLACES = ("/bin", "/dev/", "/etc/", "/home/", "/proc/", "/sys/", "/tmp", "/usr/", "/var/")
FORBIDDEN_IN_NAMES = set('<>:"\\|?*')
PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
DEVICES = {"aux", "con", "nul", "prn"} | PORTS
GUARDS = ("sys.platform", "hasattr(", "os.name", "_POSITIONAL")


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
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            named = [f"{module}.{one.name}" for one in node.names if (module, one.name) in POSIX_CALLS]
            yield from ((node.lineno, name) for name in ([module] if module in POSIX_MODULES else named))
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and (node.value.id, node.attr) in POSIX_CALLS:
                yield node.lineno, f"{node.value.id}.{node.attr}"
            elif node.attr in POSIX_METHODS:
                yield node.lineno, f".{node.attr}"


def places(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of paths that only POSIX has."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith(POSIX_PLACES)
        ):
            yield node.lineno, node.value


def without_encoding(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and call where text is read or written in whatever encoding the computer has: not UTF-8."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg in {"encoding", None} for word in node.keywords):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        text = any(word.arg in {"text", "universal_newlines"} for word in node.keywords)
        opened = name in {"open", "fdopen"} and any(set(mode) <= set("rwaxt+") for mode in modes)
        opened |= name == "open" and not modes and len(node.args) == isinstance(node.func, ast.Name)
        unsaid = (name == "read_text" and not node.args) or (name == "write_text" and len(node.args) < 2)
        if opened or unsaid or name == "TextIOWrapper" or (text and name in {"run", "Popen", "check_output"}):
            yield node.lineno, ast.unparse(node)


def faults(find: Callable[[ast.AST], Iterator[tuple[int, str]]]) -> list[str]:
    """Return file, line and name of everything that a search finds in the package."""
    return [
        f"{path.relative_to(SOURCE)}:{line}: {name}"
        for path in FILES
        for line, name in find(ast.parse(path.read_text(encoding="utf-8")))
    ]


def test_nothing_that_only_posix_has_is_asked_for_unchecked() -> None:
    assert faults(posix_only) == []


def test_no_place_that_only_posix_has_is_named() -> None:
    assert faults(places) == []


def test_text_is_read_and_written_in_a_stated_encoding() -> None:
    """Windows would take a code page of its own, which has no µ or no ń."""
    assert faults(without_encoding) == []


def test_an_unchecked_call_would_be_found() -> None:
    method = ast.parse("from os import fork\nfrom pathlib import Path\nPath('a').symlink_to('b')")
    assert [name for _, name in posix_only(method)] == ["os.fork", ".symlink_to"]
    assert [name for _, name in places(ast.parse("folder = '/tmp/x'"))] == ["/tmp/x"]
    texts = ast.parse(
        "path.read_text()\npath.write_text(x)\nopen(p)\nopen(p, 'w')\nopen(p, 'rb')\n"
        "run(a, text=True)\np.open()"
    )
    assert [line for line, _ in without_encoding(texts)] == [1, 2, 3, 4, 6, 7]
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
    assert [str(path) for path in tmp_path.rglob("*") if not _can_be_a_name_on_windows(path.name)] == []


def _can_be_a_name_on_windows(name: str) -> bool:
    stem = name.split(".", maxsplit=1)[0].lower()
    return not (set(name) & FORBIDDEN_IN_NAMES or name.endswith((" ", ".")) or stem in DEVICES)
