"""`phi-kit benchmarks`: the public benchmarks that step 7 can run."""

from __future__ import annotations

import typer


def benchmarks() -> None:
    """List them: data set, licence, verifier, where their columns were seen."""
    from phi_kit.evaluation.benchmarks import benchmark_table

    for line in benchmark_table.described():
        typer.echo(line)
    typer.echo(
        "a file with the columns question and answer: path/to/file.jsonl#numeric"
    )
