"""Ctrl-C in the middle of a slide: the command ends and leaves nothing half-written."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import SyntheticSlide

PATIENCE_S = 120.0
LISTENING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from cxpath.cli.main import main; sys.argv[0] = 'cxpath'; main()"
)
"""The command as on a terminal: whoever runs the tests in the background has SIGINT ignored for them."""


def test_ctrl_c_leaves_no_partial_result(synthetic_slide: SyntheticSlide, tmp_path: Path) -> None:
    words = ["score", str(synthetic_slide.path), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", LISTENING, *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE_S
    while not list(tmp_path.glob(".out.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode not in {0, 4}
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
