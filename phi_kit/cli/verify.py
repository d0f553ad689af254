"""`phi-kit verify`: a file of responses, each judged right or wrong."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from phi_kit.core.errors import DataError


def verify(
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="a domain or a verifier: math")
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE.jsonl", help="rows of prompt, gold, response")
    ],
) -> None:
    """Judge every row of a file: one JSON line each, a summary on stderr.

    FILE may be - for standard input.
    """
    from phi_kit.sandbox import sandbox
    from phi_kit.verifiers import verify_file

    verifier, counts = _verifier(domain), Counter[str]()
    with _opened(file) as lines:
        for result in verify_file.verify_rows(lines, verifier, domain=domain):
            verify_file.count_result(counts, result)
            print(json.dumps(result, ensure_ascii=True))
    sys.stdout.flush()
    typer.echo(verify_file.summary_line(counts), err=True)
    if isolation := sandbox.in_force():
        typer.echo(f"code was run in the sandbox: {isolation}", err=True)


def _verifier(name: str) -> Any:
    """The verifier of a domain, or the one of that name."""
    from phi_kit import domains, verifiers

    if name in domains.names():
        return domains.get(name).verifier
    if name in verifiers.names():
        return verifiers.get(name)
    return domains.get(name).verifier  # its message names the nearest domain


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    """The lines of a file as bytes: undecodable text must not end a run."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield lines
    except OSError as error:
        raise DataError(
            f"cannot read the rows: {error.strerror}",
            where=file,
            todo="name a JSONL file with prompt, gold and response",
        ) from error
