"""`tamis annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tamis.cli import options

__all__ = ["command"]


@click.command("annotate")
@click.argument("pool", nargs=-1, required=True, metavar="POOL...")
@click.option("--signals", "names", required=True, metavar="NAME,...", help="Signals to compute (see `tamis signals`).")
@click.option(
    "--target", multiple=True, metavar="PATH", help="Examples, for the signals that need a target; repeatable."
)
@click.option("--target-text", metavar="FIELD|TEMPLATE", help="Text of the target's records [default: as --text].")
@click.option(
    "--into", is_flag=True, help="Write the records, each with a member `tamis`, instead of a table of signals."
)
@click.option("--shards", type=int, default=1, show_default=True, metavar="N", help="Split the output into N files.")
@click.option(
    "-o",
    "output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="NAME.{jsonl,parquet}[.gz|.zst]",
    help="Where to write.",
)
@options.reading
@options.runtime
def command(
    output: Path, names: str, into: bool, shards: int, as_json: bool, force: bool, quiet: bool, **given: Any
) -> None:
    """Compute signals of POOL and write them by id, or with --into inside the records."""
    from tamis.cli.show import show_json, show_pairs
    from tamis.run.annotate import run_annotate
    from tamis.run.options import Job, Runtime, parse_rate
    from tamis.run.outputs import Outputs
    from tamis.run.progress import Progress

    job = Job(
        pool=given["pool"], fraction=1.0, target=given["target"], text=given["text"], target_text=given["target_text"],
        shape=given["shape"], id_field=given["id_field"], format=given["format"], per_file=given["per_file"],
        tokenizer=given["tokenizer"], encoder=given["encoder"], strict=given["strict"],
        max_rejected=parse_rate(given["max_rejected"], "--max-rejected"),
    )  # fmt: skip
    outputs = Outputs(output, shards)
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    runtime = Runtime.of(given["threads"], given["memory"], given["store"], quiet)
    with (
        outputs.draft(job.files(), force=force, command=job.told("annotate")) as draft,
        run_annotate(job, wanted, runtime, output=output, progress=Progress(quiet or as_json)) as found,
    ):
        found.finish(draft, into=into)
        told = {
            "records": found.counts["records"],
            "rejected": found.counts["rejected"],
            "signals": list(wanted),
            "output": str(output),
        }
        if as_json:
            show_json(told)
        else:
            show_pairs((name, _shown(value)) for name, value in told.items())


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
