"""A domain's instruction and token limit in each style."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from phi_kit import cli, domains
from phi_kit.core.answer_style import ANSWER_MARK, STYLES, TOKEN_LIMITS
from phi_kit.core.errors import StudyError
from phi_kit.data.records import Seed
from phi_kit.domains import custom
from phi_kit.inference.types import SamplingParams

EVERY = pytest.mark.parametrize("name", domains.names())


@EVERY
def test_every_domain_has_an_instruction_for_every_style(name):
    domain = domains.get(name)
    told = {style: domain.in_style(style).instruction for style in STYLES}
    assert told["answer"] == domain.instruction
    assert len(set(told.values())) == len(STYLES) == 3
    assert ANSWER_MARK not in told["answer"]
    for style in ("steps", "think"):
        assert told[style].count(ANSWER_MARK) == 1
        assert ("<think>" in told[style]) == (style == "think")
        assert "only" not in told[style].lower()


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("stem", ("letter of the right option", "unit")),
        ("coding", ("printed text", "code block")),
        ("safety", ("would harm someone", "can't help", "one sentence")),
    ],
)
def test_what_a_domain_needs_is_said_in_every_style(name, needs):
    for style in ("steps", "think"):
        told = domains.get(name).in_style(style).instruction
        assert all(need in told for need in needs), told


@pytest.mark.parametrize("kind", custom._KINDS)
def test_a_domain_of_ones_own_has_them_too(kind):
    told = custom._KINDS[kind]
    assert ANSWER_MARK in told.marked
    assert ANSWER_MARK not in told.instruction


@EVERY
def test_a_domain_in_a_style_is_the_same_otherwise(name):
    domain = domains.get(name)
    for style in STYLES:
        there = domain.in_style(style)
        assert there.style == style
        assert there.thinking == (style == "think")
        assert [f.name for f in there.families] == [f.name for f in domain.families]
        assert there.verifier is domain.verifier
        assert there.in_style(style) is there
        asked = there.asked(Seed(name, "Why?", "x"))
        assert asked == (there.instruction, "Why?", style == "think")


def test_a_domain_of_one_style_has_no_words_for_another():
    domain = replace(domains.get("math"), style="think", instruction="Ponder.")
    assert domain.styles == ("think",)
    with pytest.raises(StudyError, match="asks in the style 'think' and in no other"):
        domain.in_style("answer")


@pytest.mark.parametrize("style", STYLES)
def test_a_limit_is_the_studys_or_the_styles(style):
    domain = domains.get("math").in_style(style)
    assert domain.sampling(None, 0.6) == SamplingParams(TOKEN_LIMITS[style], 0.6)
    assert domain.sampling(24, 0) == SamplingParams(24, 0)


def test_the_command_line_shows_them():
    done = CliRunner().invoke(cli.app, ["domains", "safety"])
    said = " ".join(done.stdout.split())
    for style in STYLES:
        told = domains.get("safety").in_style(style).instruction
        assert f"{style} {told}" in said
