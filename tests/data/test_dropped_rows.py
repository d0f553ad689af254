import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from phi_kit import domains
from phi_kit.core.row_counts import RowCounts
from phi_kit.data import dropped_rows
from phi_kit.data.dropped_rows import Reason, UnreadableRow
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed, to_frame
from phi_kit.data.row_filters import ancestors, filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.source_types import Source
from phi_kit.models.control_tokens import FAMILIES
from phi_kit.verifiers import Verdict, base, choice
from phi_kit.verifiers.math import numeric

SEED = Seed("math", "What is 20 + 3?", "23")


def reasons(*seeds: Seed, seal: Seal | None = None, **more) -> list[str | None]:
    seal = seal or Seal([])
    judged = filter_rows(seeds, numeric.verify, seal, max_chars=200, **more)
    return [reason for _, reason in judged]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        *((word, "no answer") for word in ("proof", "Not found.", "", "N/A", "  NaN")),
        ("about three", "gold fails its own verifier"),
        ("2\ufffd3", "undecodable text"),
        ("23", None),
    ],
)
def test_answers(answer, reason):
    assert reasons(replace(SEED, answer=answer)) == [reason]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("", "empty prompt"),
        ("what \ufffd", "undecodable text"),
        ("nul \0", "undecodable text"),
        ("long " * 50, "prompt too long"),
    ],
)
def test_prompts(prompt, reason):
    assert reasons(replace(SEED, prompt=prompt)) == [reason]


def test_duplicates_name_the_first():
    same, other = replace(SEED, prompt="what  is 20 + 3?"), replace(SEED, answer="24")
    found = reasons(SEED, same, other)
    assert found == [None, "duplicate", "contradicts another answer"]
    assert {reason.detail for reason in found[1:]} == {f"of {SEED.id}"}


def test_near_duplicates_are_looked_for_among_organic_rows_only():
    long = "Tom picks 20 red and 3 green apples in the garden. How many has he got{}"
    one, two = (replace(SEED, prompt=long.format(end)) for end in ("?", " now?"))
    assert reasons(one, two, near=NearDuplicateIndex()) == [None, "near duplicate"]
    made = replace(two, source="reasoning-gym/chain_sum")
    assert reasons(one, made, near=NearDuplicateIndex()) == [None, None]


LONG = "Tom picks 20 red and 3 green apples and then {} them. How many has he{}?"


@pytest.mark.parametrize(
    ("first", "second", "want"),
    [
        (("weighs", "", "23"), ("weighs", " got", "23"), "near duplicate"),
        (("weighs", "", "23"), ("weighs", " got", "23.0"), "near duplicate"),
        (("weighs", "", "1,000"), ("weighs", " got", "1000"), "near duplicate"),
        (("weighs", "", "23"), ("weighs", " not", "17"), None),
        (("loses", "", "0"), ("uses", "", "23"), None),
        (("weighs", "", "23"), ("weighs", "", "23"), "duplicate"),
        (("weighs", "", "23"), ("weighs", "", "23.0"), "duplicate"),
        (("weighs", "", "23"), ("weighs", "", "$23"), "duplicate"),
        (("weighs", "", "23"), ("weighs", "", "24"), "contradicts another answer"),
    ],
)
def test_two_questions_with_two_answers_are_two(first, second, want):
    seeds = [
        replace(SEED, prompt=LONG.format(*q), answer=a) for *q, a in (first, second)
    ]
    found = reasons(*seeds, near=NearDuplicateIndex())
    assert found == [None, want]
    if want:
        assert found[1].detail == f"of {seeds[0].id}"


def test_a_near_duplicate_is_looked_for_among_all_that_look_alike():
    one, two, three = (
        replace(SEED, prompt=LONG.format("weighs", end), answer=answer)
        for end, answer in (("", "23"), (" now", "24"), (" got", "24"))
    )
    found = reasons(one, two, three, near=NearDuplicateIndex())
    assert found == [None, None, "near duplicate"]
    assert found[2].detail == f"of {two.id}"


def test_of_a_choice_the_text_is_the_answer_not_the_letter():
    def quiz(end, gold, *texts):
        given = dict(zip("ABCD", texts, strict=False))
        shown = "\n".join(f"{k}) {v}" for k, v in given.items())
        prompt = (
            f"Which of these towns is the capital of the Republic of Peru{end}\n{shown}"
        )
        return Seed("x", prompt, gold, extra=json.dumps({"choices": given}))

    one = quiz("?", "A", "Lima", "Cusco")
    same = quiz(", then?", "A", "Lima", "Cusco")
    swapped = quiz("??", "A", "Cusco", "Lima")

    def last(second):
        judged = filter_rows(
            [one, second],
            choice.verify,
            Seal([]),
            max_chars=500,
            near=NearDuplicateIndex(),
        )
        return [reason for _, reason in judged][-1]

    assert last(same) == "near duplicate"
    assert last(swapped) is None  # Cusco is another answer, though its letter is not


@pytest.mark.parametrize("mark", ["<|im_end|>", "</s>", "<|endoftext|>", "[INST]"])
@pytest.mark.parametrize("place", ["prompt", "answer"])
def test_control_tokens_of_a_template_are_met(mark, place):
    text = f"{getattr(SEED, place)}{mark}"
    (found,) = reasons(replace(SEED, **{place: text}), marks=FAMILIES)
    assert found == "control token of a chat template"
    assert found.detail == mark
    assert reasons(replace(SEED, **{place: text}), marks=()) != [found]


@pytest.mark.parametrize("text", ["Is 1 <|> 2?", "<b>2</b>", "[1] or <x>", "a < s > b"])
def test_what_merely_looks_like_a_control_token_is_kept(text):
    assert reasons(replace(SEED, prompt=text), marks=FAMILIES) == [None]


def test_a_verifier_that_cannot_tell_is_no_fault_of_the_gold():
    for why, want in (
        ("no sandbox: none works here", "the verifier cannot judge its gold"),
        (
            "the checker ran out of time on the gold",
            "the verifier cannot judge its gold",
        ),
        (base.UNREADABLE_GOLD, "gold fails its own verifier"),
    ):

        def verify(seed, response, why=why):
            return Verdict("unknown", why)

        [(_, reason)] = filter_rows([SEED], verify, Seal([]), max_chars=200)
        assert reason == want
        assert reason.detail == why


def test_a_sealed_item_stays_one_when_it_is_rewritten():
    seal = Seal([replace(SEED, prompt="A test item about 20 and 3 red kites")])
    parent = replace(SEED, prompt="a test item about 20 and 3 red kites")
    child = replace(SEED, prompt="Ada has 20 and gets 3.", parent=parent.id)
    grandchild = replace(SEED, prompt="Add 3 to 20.", parent=child.id)
    seeds = [parent, child, grandchild]
    found = reasons(*seeds, seal=seal)
    assert found == ["sealed", "sealed ancestor", "sealed ancestor"]
    table = dropped_rows.seal_hit_table(zip(seeds, found, strict=True))
    assert table.ancestor.tolist() == ["", parent.id, parent.id]
    assert set(table.item) == {seal.hit(parent.prompt).item}
    assert set(table.how) == {"exact"}


def test_lineage_ends():
    one = replace(SEED, parent="nobody")
    two = replace(SEED, prompt="b", parent=one.id)
    assert list(ancestors(two, {one.id: one})) == [one]
    itself = replace(SEED, parent=SEED.id)
    assert list(ancestors(itself, {SEED.id: itself})) == []


def test_a_verifier_that_raises_costs_its_row_only():
    def verify(seed: Seed, response: str):
        raise ZeroDivisionError(response)

    [(_, reason)] = filter_rows([SEED], verify, Seal([]), max_chars=200)
    assert reason == "the verifier fails on its gold"
    assert "ZeroDivisionError" in reason.detail


def test_particulars_do_not_split_a_count():
    flow = RowCounts()
    flow.take([Reason("sealed", detail="a"), Reason("sealed", detail="b"), None])
    assert flow.as_dict() == {"read": 3, "kept": 1, "dropped": {"sealed": 2}}


def test_tables_of_nothing_have_their_columns(tmp_path):
    for table in (dropped_rows.dropped_table([]), dropped_rows.seal_hit_table([])):
        table.to_parquet(tmp_path / "empty.parquet")
        assert "prompt" in table.columns


# --- 1,000 fuzzed rows: never a traceback, never a lost row ---

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.text("0123456789+-*/^.,%e \\boxed{}$<think>", max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Zl", "Lo"]), max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
RECORDS = st.dictionaries(
    st.sampled_from(["question", "answer", "choices", "x"]), VALUES, max_size=4
)
FULL = st.fixed_dictionaries({"question": VALUES, "answer": VALUES})
LINES = st.one_of(
    RECORDS.map(json.dumps).map(str.encode),
    FULL.map(json.dumps).map(str.encode),
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")),
)
GOOD = b'{"question": "What is 1 + 1?", "answer": "2"}'


def through(path, domain: str) -> list:
    source = TypeAdapter(Source).validate_python({"path": str(path)})
    found = read_source(source, domain, families=(), rng_seed=7)
    verifier, seal = domains.get(domain).verifier, Seal(["What is 5 + 5?"])
    return list(
        filter_rows(found, verifier, seal, max_chars=2000, near=NearDuplicateIndex())
    )


@pytest.mark.parametrize("domain", ["math", "puzzles"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=st.lists(LINES, min_size=20, max_size=20))
def test_a_thousand_fuzzed_lines(tmp_path, domain, lines):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join([GOOD, *lines]))
    judged = through(path, domain)
    flow = RowCounts()
    flow.take(reason for _, reason in judged)
    assert flow.read == 1 + sum(bool(line.strip()) for line in lines)
    assert flow.as_dict()["kept"] >= (domain == "math")
    kept = to_frame(seed for seed, reason in judged if reason is None)
    for table in (
        kept,
        dropped_rows.dropped_table(judged),
        dropped_rows.seal_hit_table(judged),
    ):
        table.to_parquet(tmp_path / "out.parquet")
    assert not any(
        isinstance(s, UnreadableRow) and reason is None for s, reason in judged
    )


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=25))
def test_fuzzed_csv_fields_come_back(tmp_path, rows):
    import csv

    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("question", "answer"), ("What is 1 + 1?", "2"), *rows])
    judged = through(path, "math")
    assert len(judged) == len(rows) + 1
    dropped_rows.dropped_table(judged).to_parquet(tmp_path / "out.parquet")


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(raw=st.binary(max_size=300))
def test_a_broken_csv_never_swallows_the_good_rows(tmp_path, raw):
    path = tmp_path / "rows.csv"
    good = b"question,answer\nWhat is 1 + 1?,2\n"
    path.write_bytes(good + raw.replace(b"\0", b" ") + b"\nWhat is 7 + 1?,8\n")
    judged = through(path, "math")
    said = " ".join(seed.prompt for seed, _ in judged)
    assert "What is 1 + 1?" in said
    assert "What is 7 + 1?" in said
