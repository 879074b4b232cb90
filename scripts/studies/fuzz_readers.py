"""Damage files of every kind and read them: `make fuzz`. Prints a table of what became of them, as Markdown.

    python -m scripts.studies.fuzz_readers [--only VCF MAF] [--inputs 1000] [--seed 1] [--faults FOLDER]
      [--tallies FILE]

A reader may read an input or refuse it by a `CxpathError` of one line that names the file. All else is a
fault: another exception, a number out of its range, more than 5 s of processor time, more than 1 GB of
memory, the end of the process. Faults are written down with the input, the seed and the traceback; the
program ends with 1 when there was one. An input that took too long is read again, alone in a new process;
it is a fault only if it takes too long each time. The files to damage are made by the program; those below
`../shared/cases` and `CXPATH_DATA` are damaged, too, where they are there.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import itertools
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import unicodedata
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time
from typing import NamedTuple

import psutil

from cxpath.errors import CxpathError
from cxpath.io.atomic import atomic_write
from scripts.studies.fuzzed_readers import ROOT, FuzzedReader, readers
from scripts.studies.mutations import mutated

MOST_SECONDS, MOST_BYTES = 5, 2**30
_PATIENCE_S = 20 * MOST_SECONDS
"""Until a worker that uses no processor time counts as hanging; generous, since a machine may be busy."""
_START_S = 600
_TIMES_ALONE = 2
"""How often an input that took too long is read again.

On a virtual machine whose host is busy, the processor time of a process includes time at which the host ran
something else; a process that waits can then seem to have worked for seconds.
"""
_AHEAD = 16
"""How many inputs lie ready for a worker: on a busy machine else it would wait for this process each time."""
_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}


Reading = Callable[[Path], object]


class Outcome(StrEnum):
    """What became of one input."""

    READ = "read"
    REFUSED = "refused"
    EXCEPTION = "foreign exception"
    WORDING = "refusal not in one line that names the file"
    HANG = "more than 5 s"
    MEMORY = "more than 1 GB"
    CRASH = "process ended"

    @property
    def is_fault(self) -> bool:
        """Whether it should not have happened."""
        return self not in {Outcome.READ, Outcome.REFUSED}


class Answer(NamedTuple):
    """What a worker says of one input."""

    outcome: Outcome
    seconds: float
    peak_bytes: int
    said: str = ""


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_bytes: int = 0
    read_again: int = 0

    @property
    def faults(self) -> int:
        """How many inputs ended as none should."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_fault)

    def add(self, answer: Answer) -> None:
        """Count one more input."""
        self.outcomes[answer.outcome] += 1
        self.slowest_s = max(self.slowest_s, answer.seconds)
        self.peak_bytes = max(self.peak_bytes, answer.peak_bytes)

    def merge(self, other: Tally) -> None:
        """Count the inputs of another run, too."""
        self.outcomes += other.outcomes
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.read_again += other.read_again


# In the worker.


def _work(read: Reading, channel: Connection, log: Path) -> None:
    """Read the files whose paths come, one after the other, and answer for each."""
    traces = log.open("w", encoding="utf-8")
    faulthandler.enable(traces)
    faulthandler.register(
        signal.SIGXCPU, traces, chain=True
    )  # says where the time went, then ends the process
    os.environ["CXPATH_DEBUG"] = "1"
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)  # arithmetic on numbers that nobody looked at
    _silence()
    with contextlib.suppress(Exception):
        _answer(read, Path(channel.recv()))  # warm up: what is imported late counts for no input
    channel.send(None)
    _limit_memory()
    while True:
        path = channel.recv()
        _limit_seconds()
        channel.send(_answer(read, Path(path)))


def _silence() -> None:
    """Send what libraries print nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _limit_memory() -> None:
    """Refuse this process more than 1 GB beyond what it holds already; only Linux keeps to it."""
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MOST_BYTES, -1))


def _limit_seconds() -> None:
    """Let the system end this process after 5 s more of processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(process_time()) + MOST_SECONDS + 1, -1))


def _answer(read: Reading, path: Path) -> Answer:
    held, before = _memory_bytes(reset=True), process_time()
    outcome, said = _outcome(read, path)
    peak = max(0, _memory_bytes() - held)
    if peak > MOST_BYTES and not outcome.is_fault:
        outcome = Outcome.MEMORY
    return Answer(outcome, process_time() - before, peak, said)


def _outcome(read: Reading, path: Path) -> tuple[Outcome, str]:
    try:
        read(path)
    except CxpathError as error:
        text = str(error)
        one_line = not any(unicodedata.category(letter) in _UNPRINTABLE for letter in text)
        if one_line and path.stem.split("@")[-1] in text:
            return Outcome.REFUSED, ""
        return Outcome.WORDING, repr(text[:2000])
    except MemoryError:
        return Outcome.MEMORY, traceback.format_exc()
    except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
        return Outcome.EXCEPTION, traceback.format_exc()
    return Outcome.READ, ""


def _memory_bytes(*, reset: bool = False) -> int:
    """Return the most memory held since the last reset, where Linux tells it; else since the start."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return psutil.Process().memory_info().rss


# In the parent.


class _Worker:
    """A process that reads the inputs of one reader, replaced when it ends."""

    def __init__(self, reader: FuzzedReader, warm_up: Path, folder: Path) -> None:
        self._read, self._warm_up, self._log = reader.read, warm_up, folder / "crash.log"
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["scripts.studies.fuzzed_readers"])
        self._channel, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(self._read, theirs, self._log), daemon=True)
        self._process.start()
        theirs.close()
        self._channel.send(str(self._warm_up))
        if not self._channel.poll(_START_S):
            raise RuntimeError(f"the worker for {self._warm_up.name} does not start")
        self._channel.recv()

    def read(self, paths: Iterable[Path]) -> Iterator[Answer]:
        """Yield what became of each file; at most 16 are taken ahead and have to be there until answered."""
        waiting, ahead = deque[Path](), iter(paths)
        while True:
            for path in itertools.islice(ahead, _AHEAD - len(waiting)):
                waiting.append(path)
                self._channel.send(str(path))
            if not waiting:
                return
            waiting.popleft()
            yield self._answer() or self._replaced(waiting)

    def _answer(self) -> Answer | None:
        if self._channel.poll(_PATIENCE_S):
            with contextlib.suppress(EOFError, ConnectionResetError):
                answer: Answer = self._channel.recv()
                return answer
        return None

    def _replaced(self, waiting: Iterable[Path]) -> Answer:
        """Say how the process ended, and let another one take over what it had still to read."""
        answer = self._ended()
        self._start()
        for path in waiting:
            self._channel.send(str(path))
        return answer

    def _ended(self) -> Answer:
        self._process.join(1)
        code = self._process.exitcode
        self.close()
        if code is None:
            return Answer(Outcome.HANG, float(_PATIENCE_S), 0, "used no processor time")
        where = self._log.read_text(encoding="utf-8")
        if code == -signal.SIGXCPU:
            return Answer(Outcome.HANG, float(MOST_SECONDS), 0, f"SIGXCPU\n{where}")
        return Answer(Outcome.CRASH, 0.0, 0, f"exit code {code}\n{where}")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._channel.close()


@contextlib.contextmanager
def worker_for(reader: FuzzedReader, warm_up: Path, folder: Path) -> Iterator[_Worker]:
    """Yield a worker that has read one good file; its traces of a crash go into the folder."""
    worker = _Worker(reader, warm_up, folder)
    try:
        yield worker
    finally:
        worker.close()


class Input(NamedTuple):
    """One damaged file: which, and what it holds."""

    number: int
    content: bytes


def inputs(reader: FuzzedReader, name: str, seed: int, count: int) -> Iterator[Input]:
    """Yield damaged files; the same for the same seed and the same seeds of the reader."""
    for number in range(count):
        rng = random.Random(f"{seed}/{name}/{number}")
        yield Input(number, mutated(reader.seed(rng), reader.form, rng))


def fuzz(
    name: str, seed: int, count: int, faults: Path | None = None, corpus: Sequence[Path] = ()
) -> tuple[Tally, list[str]]:
    """Try a reader on damaged files.

    Returns
    -------
    Tally
    list of str
        A line for each fault.
    """
    reader, tally, found = readers(tuple(corpus))[name](), Tally(), list[str]()
    with tempfile.TemporaryDirectory() as home:
        whole = _written(Path(home) / "whole", reader.name, reader.seeds[0])
        with worker_for(reader, whole, Path(home)) as worker:
            for_files, for_answers = itertools.tee(inputs(reader, name, seed, count))
            paths = (_written(Path(home) / str(n % (_AHEAD + 1)), reader.name, c) for n, c in for_files)
            for first, one in zip(worker.read(paths), for_answers, strict=True):
                answer = first
                if first.outcome is Outcome.HANG:
                    again = _written(Path(home) / "again", reader.name, one.content)
                    answer, tally.read_again = read_alone(reader, whole, again), tally.read_again + 1
                tally.add(answer)
                if first.outcome.is_fault:
                    line = _written_down(faults, name, seed, one, reader.name, first)
                    found += _if_still_a_fault(line, answer)
    return tally, found


def _if_still_a_fault(line: str, answer: Answer) -> list[str]:
    """Return the line about a fault; print it only where the input, read alone, ends as it should."""
    if answer.outcome.is_fault:
        return [line]
    print(f"{line}; read alone {answer.seconds:.2f} s, which counts", file=sys.stderr, flush=True)
    return []


def read_alone(reader: FuzzedReader, whole: Path, path: Path) -> Answer:
    """Read an input by a process that has read only a good file before; again while it takes too long."""
    for _ in range(_TIMES_ALONE):
        with worker_for(reader, whole, path.parent) as worker:
            (answer,) = worker.read([path])
        if answer.outcome is not Outcome.HANG:
            break
    return answer


def _written(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def _written_down(
    faults: Path | None, name: str, seed: int, one: Input, file_name: str, answer: Answer
) -> str:
    """Keep the input of a fault with what happened; return a line about it."""
    last = answer.said.strip().splitlines()[-1] if answer.said.strip() else ""
    if faults is not None:
        folder = faults / f"{name.replace(' ', '-')}-{seed}-{one.number}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name).write_bytes(one.content)
        facts = {"reader": name, "seed": seed, "number": one.number, "outcome": answer.outcome.value}
        (folder / "fault.json").write_text(
            json.dumps(facts | {"said": answer.said}, indent=1), encoding="utf-8"
        )
    return f"{name} {seed}/{one.number}: {answer.outcome}: {last[:300]}"


def table(tallies: Mapping[str, Tally]) -> str:
    """Return the table of all readers, as Markdown."""
    rows = [*tallies.items(), ("**all**", _sum(tallies.values()))]
    lines = [
        "| reader | inputs | refused in one line | read | faults | read again | slowest, s | peak, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, tally in rows:
        refused, read = tally.outcomes[Outcome.REFUSED], tally.outcomes[Outcome.READ]
        lines.append(
            f"| {name} | {tally.outcomes.total():,} | {refused:,} | {read:,} | {tally.faults:,} "
            f"| {tally.read_again:,} | {tally.slowest_s:.2f} | {tally.peak_bytes / 1e6:.0f} |"
        )
    return "\n".join(lines)


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total


def read_tallies(path: Path) -> dict[str, Tally]:
    """Return what `write_tallies` kept of earlier runs; nothing where there is no such file."""
    if not path.exists():
        return {}
    return {
        name: Tally(
            Counter({Outcome[outcome]: count for outcome, count in kept["outcomes"].items()}),
            kept["slowest_s"],
            kept["peak_bytes"],
            kept.get("read_again", 0),
        )
        for name, kept in json.loads(path.read_text(encoding="utf-8")).items()
    }


def write_tallies(path: Path, tallies: Mapping[str, Tally]) -> None:
    """Keep the tallies, so that a run of many hours can be done in parts."""
    kept = {
        name: {
            "outcomes": {outcome.name: count for outcome, count in tally.outcomes.items()},
            "slowest_s": tally.slowest_s,
            "peak_bytes": tally.peak_bytes,
            "read_again": tally.read_again,
        }
        for name, tally in tallies.items()
    }
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def corpus_folders() -> list[Path]:
    """Return the folders of further files to damage that are there."""
    shared = ROOT.parent / "shared"
    data = os.environ.get("CXPATH_DATA") or str(shared / "data")
    return [folder for folder in (shared / "cases", Path(data)) if folder.is_dir()]


def main() -> None:
    """Fuzz the readers named on the command line, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=[*readers()], default=[], help="readers; all by default")
    parser.add_argument("--inputs", type=int, default=1000, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, default=Path("cxpath-out/fuzz"), help="where faults are kept")
    parser.add_argument("--corpus", type=Path, nargs="*", help="folders of further files to damage")
    parser.add_argument("--tallies", type=Path, help="JSON file that sums up several runs")
    options = parser.parse_args()
    corpus = corpus_folders() if options.corpus is None else options.corpus
    tallies = read_tallies(options.tallies) if options.tallies else {}
    for name in options.only or readers():
        tally, found = fuzz(name, options.seed, options.inputs, options.faults, corpus)
        tallies.setdefault(name, Tally()).merge(tally)
        if options.tallies:
            write_tallies(options.tallies, tallies)
        print(*found, f"{name}: {options.inputs} inputs", sep="\n", file=sys.stderr, flush=True)
    print(table(tallies))
    if missing := [name for name in readers() if name not in tallies]:
        print(f"\nNot run: {', '.join(missing)}.")
    sys.exit(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    main()
