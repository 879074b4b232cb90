"""Put the tables of evaluations into a page, between lines `<!-- SET: begin -->` and `<!-- SET: end -->`.

The page of this repository is `docs/notebook/accuracy.md`; `docs/accuracy.md` has results and limits alone.

Run it as `python -m scripts.studies.write_accuracy_tables PAGE FOLDER...`; each FOLDER is what `cxpath model
evaluate` left, and its name is the set's. Figures of subgroups of slides are left out.
For Research Use Only. Not for use in diagnostic procedures.
"""

import sys
from pathlib import Path

from cxpath.documents import Evaluation
from cxpath.errors import CxpathError
from cxpath.evaluation.figures import SUBGROUPS
from cxpath.io.atomic import atomic_write
from cxpath.report.evaluation_page import read_evaluation, table_lines


def with_table(page: str, name: str, table: str) -> str:
    """Return the page with what stands between the marks of one set replaced."""
    begin, end = (f"<!-- {name}: {word} -->" for word in ("begin", "end"))
    if page.count(begin) != 1 or page.count(end) != 1:
        sys.exit(f"the page needs one line {begin} and one line {end}")
    before, after = page.split(begin, maxsplit=1)[0], page.split(end)[1]
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def without_subgroups(evaluation: Evaluation) -> Evaluation:
    """Return the evaluation without the figures of some slides of an arm; they are in `evaluation.html`."""
    endings = tuple(f"_{group}" for group, _, _ in SUBGROUPS)
    figures = tuple(one for one in evaluation.figures if not one.name.endswith(endings))
    return evaluation.model_copy(update={"figures": figures})


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m scripts.studies.write_accuracy_tables PAGE FOLDER...")
    try:
        path, folders = Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]]
        text = path.read_text(encoding="utf-8")
        for folder in folders:
            lines = table_lines(without_subgroups(read_evaluation(folder)))
            text = with_table(text, folder.name, "\n".join(lines))
        with atomic_write(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    except (CxpathError, OSError) as error:
        sys.exit(str(error))
