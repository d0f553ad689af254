"""`phi-kit domains`: the domains a study may name."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from phi_kit.core.errors import PhiKitError

if TYPE_CHECKING:
    from phi_kit.domains.base import Domain


def domains(
    name: Annotated[
        str | None, typer.Argument(help="one domain to show in full")
    ] = None,
) -> None:
    """List the domains a study may name, or show one of them."""
    for line in _in_full(name) if name else _list():
        typer.echo(line)


def _list() -> Iterator[str]:
    """One line per domain, with its families and their levels below."""
    from phi_kit.domains import listed

    for name, domain in listed():
        if isinstance(domain, PhiKitError):
            yield f"{name:<10} {domain.what}"
            continue
        yield f"{name:<10} {domain.description} Checked by: {_checker(domain)}."
        listing = ", ".join(f"{f.name} {f.level}" for f in domain.chosen())
        more = len(domain.families) - len(domain.chosen())
        yield f"{'':<10} families and levels: {listing}" + (
            f"; {more} more by name" if more else ""
        )
    yield "A domain of your own needs only a study file: docs/your-own-domain.md"


def _in_full(name: str) -> Iterator[str]:
    """All that a domain says of itself.

    Raises:
        StudyError: there is no such domain, or it cannot be loaded.
    """
    from phi_kit.domains import get

    domain = get(name)
    yield f"{domain.name}: {domain.title}"
    yield domain.description
    yield "instruction  by the study's style"
    for style in domain.styles:
        text = domain.in_style(style).instruction
        yield textwrap.fill(
            f"{style:<7} {text}",
            initial_indent=" " * 13,
            subsequent_indent=" " * 21,
            width=88,
        )
    yield f"answers      {domain.answer_kind}, checked by {_checker(domain)}"
    yield from _transforms(domain)
    yield "families     name, level (1 is the easiest; * is in unless you name others)"
    for family in sorted(domain.families, key=lambda f: f.level):
        star = "*" if family.usual else " "
        yield f"           {star} {family.name:<16} {family.level}"
    yield from _hub(domain)
    yield from _benchmarks(domain.benchmarks)


def _transforms(domain: Domain) -> Iterator[str]:
    """One line per transform; the names are what `synthesize.transforms` takes."""
    from phi_kit.synthesis.known_transforms import transforms_of

    yield "transforms   name, what it makes (* is in unless you name others)"
    for name, one in transforms_of(domain).items():
        needs = f"; needs the {one.needs}" if one.needs != "nothing" else ""
        star = "*" if one.usual else " "
        yield f"           {star} {name:<18} {one.about}{needs}"


def _checker(domain: Domain) -> str:
    return domain.checker or domain.verifier.__module__.rpartition(".")[2]


def _hub(domain: Domain) -> Iterator[str]:
    yield "hub sources  " + ("" if domain.suggested_datasets else "none")
    for suggested in domain.suggested_datasets:
        given = suggested.source.model_dump(exclude_defaults=True)
        told = ", ".join(f"{key}: {_yaml(value)}" for key, value in given.items())
        yield textwrap.fill(
            f"- {{{told}}}",
            initial_indent=" " * 13,
            subsequent_indent=" " * 15,
            width=88,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if suggested.note:
            yield textwrap.indent(suggested.note, " " * 15)


def _yaml(value: object) -> str:
    """A value as a study file has it: plain words, or JSON, which YAML reads."""
    plain = isinstance(value, str) and re.fullmatch(r"[\w./-]+", value)
    return str(value) if plain else json.dumps(value)


def _benchmarks(names: Sequence[str]) -> Iterator[str]:
    yield "benchmarks   " + (", ".join(names) or "its sealed items")
