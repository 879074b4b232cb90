"""What `import cxpath` offers for manual reads; apart, since scoring needs no statistics and no plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.study import AgreementStudy
from cxpath.runs.agree import AgreementRequest, compare, run_agreement


def compare_reads(
    reads: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    results: Sequence[str | Path] = (),
    settings: AgreementSettings | None = None,
    overwrite: bool = False,
    **options: Any,
) -> AgreementStudy:
    """Study the agreement of manual reads and software: the same as `cxpath agree run`.

    Parameters
    ----------
    reads : path or sequence of paths
        Tables of reads, CSV or XLSX.
    out : str or Path, optional
        Folder for `agreement.json`, report, tables and figures; nothing is written without it.
    results : sequence of paths
        Results folders of `cxpath score`, or folders that hold some.
    settings : AgreementSettings, optional
    overwrite : bool
        Replace an earlier study in `out`.
    **options
        The other fields of `AgreementRequest`: `score`, `software`, `reference`, `groups`.

    Returns
    -------
    AgreementStudy
    """
    tables = [reads] if isinstance(reads, str | Path) else reads
    request = AgreementRequest(
        reads=tuple(Path(table) for table in tables),
        results=tuple(Path(folder) for folder in results),
        settings=settings or AgreementSettings(),
        **options,
    )
    if out is None:
        return compare(request)[0]
    return run_agreement(request, Path(out), overwrite=overwrite)
