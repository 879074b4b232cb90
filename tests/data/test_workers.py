"""Worker processes of whole programs, as a person would start them."""

import os
import subprocess
import sys
import time
from pathlib import Path

DOUBLE = """
from cxpath.data.workers import worker_processes

def double():
    with worker_processes(2, print, (b"x" * 5_000_000,) if LARGE else ("begun",)) as pool:
        print(list(pool.map(abs, [-1, 2])))
"""
"""A program whose workers take more than a pipe contains, where `LARGE` is true."""

DIE = """
import os, signal
from cxpath.data.workers import worker_processes

def kill_myself(_):
    os.kill(os.getpid(), signal.SIGKILL)

def die():
    with worker_processes(2) as pool:
        list(pool.map(kill_myself, range(2)))
"""
"""A program whose workers are killed at their work, as a system without memory does."""

WORK_ON = """
import os, sys, time
from pathlib import Path
from cxpath.data.workers import worker_processes

def number_of_process(folder):
    (Path(folder) / str(os.getpid())).touch()
    while len(list(Path(folder).iterdir())) < 2:
        time.sleep(0.05)
    return os.getpid()

def work_on():
    with worker_processes(2) as pool:
        print(*pool.map(number_of_process, 2 * [sys.argv[1]]), flush=True)
        pool.submit(time.sleep, 600).result()
"""
"""A program that prints the process numbers of its two workers, of which one then works and one waits."""

PATIENCE_S = 60.0


def python(*words: str | Path, program: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], input=program, capture_output=True, text=True, check=False
    )


def runs(process: int) -> bool:
    """Say whether a process is there and no mere entry of one that has ended."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    return "".join(line for line in done.stderr.splitlines() if "WorkersError: " in line)


def test_a_guarded_script_has_workers(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"LARGE = False\n{DOUBLE}\nif __name__ == '__main__':\n    double()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines())[0] == "[1, 2]"
    assert "begun" in done.stdout


def test_an_unguarded_script_ends_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"LARGE = True\n{DOUBLE}\ndouble()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 1
    assert "no worker process could begin" in complaint(done)
    assert 'save the program as a file and call this below `if __name__ == "__main__":`' in complaint(done)


def test_a_worker_that_dies_at_its_work_is_not_laid_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{DIE}\n\nif __name__ == '__main__':\n    die()")
    done = python(tmp_path / "script.py")
    assert done.returncode == 1
    assert "a worker process died at its work" in complaint(done)
    assert "__main__" not in complaint(done)


def test_a_program_from_standard_input_does_without_workers_or_says_so() -> None:
    counted = python("-", program="from cxpath.data.workers import *\nprint(default_workers())")
    assert counted.stdout.strip() == "1", counted.stderr
    refused = python("-", program=f"LARGE = True\n{DOUBLE}\ndouble()")
    assert "a program from standard input cannot have worker processes" in complaint(refused)


def test_workers_end_with_the_program_that_began_them_even_when_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(f"{WORK_ON}\n\nif __name__ == '__main__':\n    work_on()")
    (tmp_path / "begun").mkdir()
    program = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path / "begun"], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    workers = [int(number) for number in program.stdout.readline().split()]
    assert len(set(workers)) == 2
    assert all(runs(worker) for worker in workers)
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + PATIENCE_S
    while any(runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(runs(worker) for worker in workers)


def test_else_there_is_a_worker_for_each_core() -> None:
    counted = python("-c", "from cxpath.data.workers import *\nprint(default_workers())")
    assert int(counted.stdout) == len(os.sched_getaffinity(0)) >= 1
