"""What a study's first seeds tell before any model is asked."""

from pathlib import Path

import pytest

from phi_kit.core.errors import DataError
from phi_kit.study import config
from phi_kit.study.planning.first_seeds import SEEDS, first_seeds

STUDY = Path(__file__).with_name("planned.yaml")
TEACHER = "teacher=http://127.0.0.1:9/v1#m"  # nobody is there, nor need be
SUMS = "math.pick_domain.families=[sum-1]"


def of(*sets, domain="math"):
    return first_seeds(config.load(STUDY, sets).units())[domain]


def test_families_with_worked_solutions_have_responses():
    found = of(SUMS)
    assert SEEDS / 2 < len(found.seeds) == len(found.texts) <= SEEDS
    assert all(
        found.domain.verifier(seed, found.texts[seed.id]).right for seed in found.seeds
    )
    asked = [found.domain.instruction + seed.prompt for seed in found.seeds]
    assert found.prompt == pytest.approx(sum(map(len, asked)) / 4 / len(asked))


def test_a_response_that_misses_the_gold_is_none():
    """A wrong gold: the steps lead elsewhere, and the teacher will be asked."""
    found = of(SUMS, "collect_seeds.sources=[{limit: 100, wrong_golds: 0.5}]")
    assert 0 < len(found.texts) < len(found.seeds) - 4


def test_only_sources_before_the_teacher_count():
    assert not of(SUMS, TEACHER, "responses=[teacher, worked]").texts
    assert of(SUMS, TEACHER, "responses=[worked, teacher]").texts
    student = of(SUMS, "responses=[student, source]")
    assert student.sources == ("student", "source")
    assert not student.texts
    bare = of(SUMS, "style=answer")
    assert set(bare.texts.values()) == {seed.answer for seed in bare.seeds}


def test_rewrites_that_only_a_teacher_answers():
    assert of().variants == 0
    every = of(TEACHER, "responses=[teacher]").variants
    some = of(TEACHER, "responses=[worked, teacher]").variants
    assert 0 <= some < every


def test_seeds_of_a_file(tmp_path):
    """Its own solutions are responses; without gold nothing can be planned."""
    file = tmp_path / "own.jsonl"
    row = '{"question": "1 + 1", "answer": "%s", "how": "1 + 1 = 2"}\n'
    file.write_text(row % 2)
    source = f"{{path: {file}, question: question, answer: answer, solution: how}}"
    found = of(f"math.collect_seeds.sources=[{source}]")
    assert list(found.texts.values()) == ["1 + 1 = 2\nAnswer: 2"]
    file.write_text(row % "")
    with pytest.raises(DataError, match="question and answer"):
        of(f"math.collect_seeds.sources=[{source}]")


def test_every_source_gives_as_large_a_part_as_its_limit_is():
    pool = "[{limit: 300}, {limit: 100, families: [told]}]"
    found = of(SUMS, f"math.collect_seeds.sources={pool}")
    told = sum(seed.family == "told" for seed in found.seeds)
    assert 0 < told <= SEEDS / 4
