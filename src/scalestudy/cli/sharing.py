"""`scalestudy export` and `verify`: a finished study as a research object, and the check of one."""

from pathlib import Path
from typing import Annotated

import typer

from scalestudy.cli.study import Config, Name, load
from scalestudy.errors import UserError, printable


def export(
    study: Name = "",
    config: Config = [],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to make, or a file that ends in .zip; export/<study> if left out."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="Under which the results are shared: a URL or a name.")
    ] = None,
) -> None:
    """Write a finished study as an RO-Crate: config, results, figures, report, provenance of each run, checksums."""
    from scalestudy.files import read_object, sha256_file
    from scalestudy.sharing.crate import CHECKSUMS, NO_LICENCE, export_study
    from scalestudy.study.paths import study_folder

    asked = load(study, config)
    loaded, runs = asked.study, asked.runs
    path = study_folder(loaded.name) / "study.json"
    again = f"`{asked.start}` makes it again"
    if path.is_file() and read_object(path, again, {"runs": list})["runs"] != asked.record["runs"]:
        raise UserError(
            f"{path} has other runs than {asked.file}: the study has changed since, or ran with --config; "
            f"give the same --config here, or run the study again: `{asked.start}`"
        )
    crate = export_study(
        loaded.name, asked.file, output or Path("export", loaded.name), licence or NO_LICENCE, asked.start
    )
    print(f"{crate}: {len(runs):,} runs; `scalestudy verify {crate}` checks it")
    if crate.is_dir():
        print(f"SHA-256 of {CHECKSUMS}: {sha256_file(crate / CHECKSUMS)}")


def verify(
    crate: Annotated[Path, typer.Argument(help="What `scalestudy export` wrote: a folder or a .zip.")],
) -> None:
    """Check that nothing in a crate was altered, and make its report again from it, without training.

    A stranger's crate is safe to check: nothing in it is run, no link is followed, nothing is written into it.
    """
    from scalestudy.report.wording import counted
    from scalestudy.sharing.crate import verify_crate

    found = verify_crate(crate)
    for fault in found.faults:
        print(printable(fault).replace("\n", "\\n"))
    if found.faults:
        raise UserError(f"{crate} is not as it was exported: {counted(len(found.faults), 'fault')}")
    print(
        f"{crate}: study {found.study}, {found.files:,} files as they were exported; "
        "tables, findings and report made again are the same"
    )
