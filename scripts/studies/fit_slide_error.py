"""Estimate how a model's calls go wrong from slide to slide, from what `cxpath model evaluate` counted.

    python -m scripts.studies.fit_slide_error FOLDER [FOLDER ...] [--arm held_out ...] [--record MODEL]

Each folder is the `--out` of `cxpath model evaluate --on synthetic` or `--on restained`; an interrupted or
limited one will do, but only finished ones are recorded. Slides of all the arms named are taken together.
Prints the section [scoring.slide_error] of a configuration, and with `--record` writes the same as ten
metrics into the model's card, where `cxpath score` finds them. All results must be of one model.
For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cxpath.errors import CxpathError
from scripts.studies.slide_error import measure_slide_error, record_slide_error


def main() -> None:
    """Read the options, estimate, print, record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--arm", nargs="+", default=["held_out"])
    parser.add_argument("--record", type=Path, metavar="MODEL_FOLDER")
    options = parser.parse_args()
    try:
        measured = measure_slide_error(options.folder, options.arm)
        print("[scoring.slide_error]")
        for name, value in measured.error.model_dump().items():
            print(f"{name} = {value}")
        if options.record:
            record_slide_error(measured, options.record)
            print(f"recorded in {options.record}", file=sys.stderr)
    except CxpathError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
