"""`cxpath config`: the settings of a run, written, shown, and where bundled files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxpath.cli.output import (
    ConfigOption,
    JsonOption,
    SettingsOption,
    effective_configuration,
    print_document,
)
from cxpath.errors import ConfigurationError, MissingFileError, OutputError

config = typer.Typer(
    help="Settings: write them to a file, show them, find bundled files.", no_args_is_help=True
)


@config.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("cxpath.toml"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write every setting with its default, commented, for `--config`."""
    from cxpath.data import bundled
    from cxpath.io import atomic_write

    if path.exists() and not overwrite:
        raise OutputError(f"{path}: the file exists", "pass --overwrite or name another file")
    with atomic_write(path) as partial:
        partial.write_bytes((bundled("configs") / "default.toml").read_bytes())
    print_document(
        {"config": str(path)}, [f"config   {path}  (use it with --config {path})"], as_json=as_json
    )


@config.command()
def show(config: ConfigOption = None, settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """Print the settings that a run with these options would use, as TOML."""
    import tomli_w

    found = effective_configuration(config, settings, None).model_dump(mode="json", exclude_none=True)
    print_document(found, [tomli_w.dumps(found).rstrip()], as_json=as_json)


@config.command()
def path(
    name: Annotated[
        str, typer.Argument(help="A bundled file or folder, such as therapy or assays/22c3.toml.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Print where the bundled configuration files are, or one of them; `models` is where the models are."""
    from cxpath.data import bundled

    folder = bundled("models") if name.split("/")[0] == "models" else bundled("configs")
    found = (folder / name.removeprefix("models").strip("/")).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{name}: not among the bundled files", "cxpath config path lists them")
    if not found.exists():
        known = ", ".join(sorted(one.name for one in folder.iterdir()))
        raise MissingFileError(f"{name}: no such bundled file", f"there are: models, {known}")
    print_document({"path": str(found)}, [str(found)], as_json=as_json)
