"""Worked solutions that sources bring: marks, columns, chats as the hub has them."""

import contextlib
import json

import pandas as pd
import pytest
from external_data import needs, path_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from phi_kit.core.errors import DataError
from phi_kit.data import chat_columns, records, solutions
from phi_kit.data.dropped_rows import UnreadableRow
from phi_kit.data.read_sources import read_source
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.source_types import HubData, LocalFile
from phi_kit.verifiers.answer_extraction import marked_answer
from phi_kit.verifiers.math import numeric

QUESTION = "How many legs have two hens?"
WORKED = "A hen has 2 legs.\n2 * 2 = 4"


def load(folder, *rows, kind="jsonl", find_answer=marked_answer, **options):
    path = folder / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif kind == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_parquet(path)
    return list(
        read_source(
            LocalFile(path=str(path), **options),
            "math",
            families=(),
            rng_seed=1,
            find_answer=find_answer,
        )
    )


def said(seeds):
    return [
        (s.reason, s.detail)
        if isinstance(s, UnreadableRow)
        else (s.prompt, s.answer, s.solution)
        for s in seeds
    ]


def chat(*turns, keys=("role", "content")):
    return [dict(zip(keys, turn, strict=True)) for turn in turns]


def share_gpt(*turns):
    return chat(*turns, keys=("from", "value"))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
class TestEveryKind:
    def test_what_stands_before_the_mark_is_the_solution(self, tmp_path, kind):
        rows = [
            {"question": "a", "answer": f"{WORKED}\n#### 4"},
            {"question": "b", "answer": "#### 5"},
            {"question": "c", "answer": "no mark"},
            {"question": "d", "answer": "1 #### 2\n#### 3"},
        ]
        found = load(tmp_path, *rows, kind=kind, answer_after="####")
        assert said(found) == [
            ("a", "4", WORKED),
            ("b", "5", ""),
            ("c", "", ""),
            ("d", "3", "1 #### 2"),
        ]

    def test_a_column_of_its_own(self, tmp_path, kind):
        rows = [
            {"problem": "a", "answer": "4", "solution": f"{WORKED}\r\n\\boxed{{4}}"},
            {"problem": "b", "answer": "5", "solution": None},
            {"problem": "c", "answer": "6", "solution": "N/A"},
        ]
        found = load(
            tmp_path, *rows, kind=kind, question="problem", solution="solution"
        )
        assert said(found) == [
            ("a", "4", f"{WORKED}\n\\boxed{{4}}"),
            ("b", "5", ""),
            ("c", "6", ""),
        ]

    def test_a_chat(self, tmp_path, kind):
        turns = chat(("user", QUESTION), ("assistant", f"{WORKED}\n\nAnswer: 4"))
        rows = [{"messages": json.dumps(turns) if kind == "csv" else turns}]
        found = load(tmp_path, *rows, kind=kind, chat="messages")
        assert said(found) == [(QUESTION, "4", f"{WORKED}\n\nAnswer: 4")]

    def test_a_source_without_solutions_is_as_before(self, tmp_path, kind):
        found = load(tmp_path, {"question": "a", "answer": "4"}, kind=kind)
        assert said(found) == [("a", "4", "")]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("48/2 = <<48/2=24>>24 clips", "48/2 = 24 clips"),
        ("5 + 4 = <<5+4=9>>9 and <<9/3=3.0>>3", "5 + 4 = 9 and 3"),
        ("<<20*.01=0.2>>0.2, <<(5-1)*$2=$8>>8", "0.2, 8"),
        ("std::cout << a; int b = c >> 2;", "std::cout << a; int b = c >> 2;"),
        ("cat <<EOF\nx=5\nEOF >> log", "cat <<EOF\nx=5\nEOF >> log"),
        ("1\r\n2\r3", "1\n2\n3"),
        ("  proof ", ""),
        ("<think>\nwell\n</think>\n\n4", "<think>\nwell\n</think>\n\n4"),
    ],
)
def test_annotations_go_and_all_else_stays(text, clean):
    assert solutions.clean_solution(text) == clean


def test_a_gold_without_a_column_is_what_the_solution_marks(tmp_path):
    texts = [
        r"so it is \boxed{4}",
        "#### 4",
        "**Answer:** 4",
        "<think>\nAnswer: 9\n</think>\n\n2 * 2\n\nFinal answer: 4.",
        "first \\boxed{3}. No, then \\boxed{4}",
    ]
    rows = [{"question": str(n), "solution": text} for n, text in enumerate(texts)]
    found = load(tmp_path, *rows, solution="solution")
    assert said(found) == [(str(n), "4", text) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    "text",
    ["It is 4.", "Two each, so the answer is 4.", "<think>\nAnswer: 4", r"\boxed{4"],
)
def test_a_solution_that_marks_nothing_has_no_gold(tmp_path, text):
    (row,) = load(tmp_path, {"question": "a", "solution": text}, solution="solution")
    assert row.reason == "no marked answer in the solution"
    assert text[-5:] in row.detail
    (kept,) = load(
        tmp_path,
        {"question": "a", "solution": text},
        solution="solution",
        no_gold=True,
    )
    assert kept.unanswered
    assert kept.solution == text


def test_the_column_goes_before_the_mark_and_the_mark_before_the_box(tmp_path):
    text = "2 * 2 = 4\nTherefore: 4\nnot \\boxed{9}"
    options = {"solution": "solution", "answer_after": "Therefore:"}
    row = {"question": "a", "solution": "2 * 2 = \\boxed{9}\nTherefore: 4"}
    assert said(load(tmp_path, row | {"answer": "7"}, **options)) == [
        ("a", "7", "2 * 2 = \\boxed{9}")
    ]
    for nothing in ({}, {"answer": None}, {"answer": ""}, {"answer": float("nan")}):
        assert said(load(tmp_path, row | nothing, **options)) == [
            ("a", "4", "2 * 2 = \\boxed{9}")
        ]
    row = {"question": "a", "solution": text.replace("Therefore: 4\n", "")}
    (boxed,) = load(tmp_path, row, **options)
    assert boxed.answer == "9"


def test_a_mark_in_answer_and_solution_is_cut_in_both(tmp_path):
    row = {"question": "a", "answer": "x #### 4", "rationale": f"{WORKED} #### 4"}
    found = load(tmp_path, row, solution="rationale", answer_after="####")
    assert said(found) == [("a", "4", WORKED)]


def test_an_answer_column_that_was_named_must_be_there(tmp_path):
    row = {"question": "a", "solution": "\\boxed{4}"}
    with pytest.raises(DataError, match="no column 'gold'"):
        load(tmp_path, row, solution="solution", answer="gold")


def test_a_solution_that_is_a_list_names_its_parts(tmp_path):
    row = {"problem": "a", "answer": "4", "generations": ["one", "two"]}
    (bad,) = load(tmp_path, row, question="problem", solution="generations")
    assert (bad.reason, bad.detail) == (
        "the solution is a list",
        "row 1: name a part of it: generations.0",
    )
    found = load(tmp_path, row, question="problem", solution="generations.1")
    assert said(found) == [("a", "4", "two")]


# Layouts as the data sets' own cards show them; the texts are ours.
LAYOUTS = {
    "open-thoughts/OpenThoughts-114k": (
        {
            "system": "Your role as an assistant involves ...",
            "conversations": share_gpt(
                ("user", QUESTION),
                (
                    "assistant",
                    "<|begin_of_thought|>\n\nHm, 5?\n\n<|end_of_thought|>\n\n"
                    "<|begin_of_solution|>\n\n\\boxed{4}\n\n<|end_of_solution|>",
                ),
            ),
        },
        {"chat": "conversations"},
    ),
    "open-thoughts/OpenThoughts3-1.2M": (
        {
            "difficulty": 8,
            "source": "x",
            "conversations": share_gpt(
                ("human", QUESTION),
                ("gpt", "<think>\n\\boxed{5}?\n</think>\n\nIt is \\boxed{4}."),
            ),
        },
        {"chat": "conversations"},
    ),
    "open-r1/OpenR1-Math-220k": (
        {
            "problem": QUESTION,
            "solution": "ours",
            "answer": "4",
            "generations": ["<think>\n</think>\n4", "no"],
            "messages": chat(
                ("user", QUESTION), ("assistant", "<think>\na\n</think>\n\n4")
            ),
        },
        {"chat": "messages"},
    ),
    "AI-MO/NuminaMath-CoT": (
        {
            "source": "cn_k12",
            "problem": QUESTION,
            "solution": f"{WORKED}, so $\\boxed{{4}}$.",
            "messages": chat(("user", QUESTION), ("assistant", "$\\boxed{4}$")),
        },
        {"question": "problem", "solution": "solution"},
    ),
    "openai/gsm8k": (
        {"question": QUESTION, "answer": "2*2 = <<2*2=4>>4 legs.\n#### 4"},
        {"answer_after": "####"},
    ),
    "HuggingFaceH4/ultrachat_200k": (
        {
            "prompt": QUESTION,
            "prompt_id": "f0",
            "messages": chat(("user", QUESTION), ("assistant", "Answer: 4")),
        },
        {"chat": "messages"},
    ),
    "stingning/ultrachat": (
        {"id": "0", "data": [QUESTION, "Answer: 4"]},
        {"chat": "data"},
    ),
    "teknium/OpenHermes-2.5": (
        {
            "system_prompt": None,
            "conversations": [
                {"from": "system", "value": "Be brief.", "weight": None},
                {"from": "human", "value": QUESTION, "weight": 0},
                {"from": "gpt", "value": "Answer: 4", "weight": 1},
            ],
        },
        {"chat": "conversations"},
    ),
    "parts and a thought of its own": (
        {
            "messages": [
                {"role": "developer", "content": [{"text": "Be brief."}]},
                {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
                {
                    "role": "assistant",
                    "reasoning_content": "Two each.",
                    "content": [{"type": "output_text", "text": "Answer: 4"}],
                },
            ]
        },
        {"chat": "messages"},
    ),
    "columns of lists": (
        {
            "messages": {
                "role": ["user", "assistant"],
                "content": [QUESTION, "Answer: 4"],
            }
        },
        {"chat": "messages"},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_data_sets_as_people_have_them(tmp_path, kind, name):
    row, options = LAYOUTS[name]
    (seed,) = load(tmp_path, row, kind=kind, **options)
    assert not isinstance(seed, UnreadableRow), seed
    assert (seed.prompt, seed.answer) == (QUESTION, "4")
    assert seed.solution
    assert "<<" not in seed.solution
    if "conversations" in row:
        assert seed.solution == row["conversations"][-1]["value"]
    if "parts" in name:
        assert seed.solution == "<think>\nTwo each.\n</think>\n\nAnswer: 4"


def test_a_chat_from_a_folder_of_the_hubs_shape(tmp_path):
    turns = share_gpt(("human", QUESTION), ("gpt", "Answer: 4"))
    pd.DataFrame({"conversations": [turns]}).to_parquet(tmp_path / "train.parquet")
    source = HubData(hub=str(tmp_path), chat="conversations")
    (seed,) = read_source(
        source, "math", families=(), rng_seed=1, find_answer=marked_answer
    )
    assert (seed.prompt, seed.answer) == (QUESTION, "4")


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        (
            chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "4")),
            "a chat of several rounds",
        ),
        (chat(("user", "a"), ("user", "b"), ("assistant", "4")), "several rounds"),
        (chat(("assistant", "Hi!"), ("user", "a"), ("assistant", "4")), "rounds"),
        (chat(("user", "a")), "a chat without a reply"),
        (chat(("system", "a"), ("assistant", "4")), "a chat without a question"),
        ([], "a chat without a reply"),
        (None, "the chat is no list of turns"),
        ("hello", "the chat is no list of turns"),
        (7, "the chat is no list of turns"),
        ({"a": 1}, "the chat is no list of turns"),
        ([1, 2], "a turn of the chat is not a mapping"),
        ([{"content": "a"}], "a turn of the chat names no speaker"),
        (chat(("user", "a"), ("tool", "b"), ("assistant", "4")), "unknown speaker"),
        (
            [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "", "tool_calls": [{"id": 1}]},
            ],
            "a chat that calls tools",
        ),
        (
            chat(("user", [{"type": "image", "url": "x"}]), ("assistant", "4")),
            "a turn of the chat is not text",
        ),
        (chat(("user", {"a": 1}), ("assistant", "4")), "is not text"),
        (chat(("user", QUESTION), ("assistant", "Four.")), "no marked answer"),
    ],
)
def test_a_chat_that_is_no_question_is_dropped_with_its_reason(tmp_path, turns, reason):
    (row,) = load(tmp_path, {"messages": turns}, chat="messages")
    assert isinstance(row, UnreadableRow)
    assert reason in row.reason
    assert row.detail
    records.to_frame([row]).to_parquet(tmp_path / "out.parquet")


def test_what_follows_the_last_reply_is_left_out(tmp_path):
    turns = chat(("user", QUESTION), ("assistant", "Answer: 4"), ("user", "Thanks!"))
    assert said(load(tmp_path, {"messages": turns}, chat="messages")) == [
        (QUESTION, "4", "Answer: 4")
    ]


def test_solutions_survive_what_files_hold(tmp_path):
    texts = ["a\ud83d\r\nb", None, float("nan"), "", 5, "日本 ½ 🙂"]
    rows = [
        {"question": str(n), "answer": "4", "solution": text}
        for n, text in enumerate(texts)
    ]
    found = load(tmp_path, *rows, solution="solution")
    assert [s.solution for s in found] == ["a\ufffd\nb", "", "", "", "5", "日本 ½ 🙂"]
    table = tmp_path / "out.parquet"
    records.to_frame(found).to_parquet(table)
    assert records.from_frame(pd.read_parquet(table)) == found
    older = pd.read_parquet(table).drop(columns="solution")
    assert {seed.solution for seed in records.from_frame(older)} == {""}


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"question": "q"}, "chat holds the question: leave out question, or chat"),
        ({"solution": "s"}, "chat holds the solution: leave out solution, or chat"),
    ],
)
def test_two_places_for_one_thing_are_a_fault(tmp_path, options, fault):
    path = tmp_path / "a.jsonl"
    path.write_text("{}")
    with pytest.raises(ValidationError, match=fault):
        LocalFile(path=str(path), chat="messages", **options)
    one = LocalFile(path=str(path), chat="messages")
    assert LocalFile.model_validate(one.model_dump()) == one  # with every default


def test_a_table_of_turns_says_how_to_name_them(tmp_path):
    row = {"conversations": share_gpt(("human", "a"), ("gpt", "b"))}
    with pytest.raises(DataError, match="no column 'question'") as caught:
        load(tmp_path, row)
    assert "chat: conversations" in str(caught.value)


_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "from", "content", "value", "text", "x"]),
            st.one_of(st.sampled_from(["user", "gpt", "system", "Answer: 4"]), inner),
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=_JSON)
def test_whatever_stands_in_the_column_is_a_row_with_its_reason(value):
    with contextlib.suppress(chat_columns.ChatError):
        question, reply = chat_columns.read_chat(value)
        assert isinstance(question, str)
        assert isinstance(reply, str)


GSM8K = "gsm8k_train_1500.jsonl"


@needs(GSM8K)
def test_every_solution_of_gsm8k_comes_without_annotations():
    source = LocalFile(path=str(path_of(GSM8K)), answer_after="####")
    seeds = list(read_source(source, "math", families=(), rng_seed=1))
    assert len(seeds) == 1500
    assert all(numeric.verify(seed, seed.answer).right for seed in seeds)
    assert all(len(seed.solution) > 10 for seed in seeds)
    told = "".join(seed.solution + seed.answer for seed in seeds)
    assert not any(mark in told for mark in ("<<", ">>", "####", "\r"))


def judged(*seeds, sealed=(), max_chars=200):
    seal = Seal(list(sealed))
    return list(filter_rows(seeds, numeric.verify, seal, max_chars=max_chars))


def test_a_solution_that_holds_a_test_item_drops_its_row():
    item = "A farmer has 17 sheep and buys 5 more. How many sheep does he have now?"
    plain = records.Seed("math", QUESTION, "4", solution=WORKED)
    leaky = records.Seed("math", "And two dogs?", "8", solution=f"Like this: {item} 22")
    (_, kept), (_, reason) = judged(plain, leaky, sealed=[item])
    assert kept is None
    assert reason == "sealed"
    assert reason.detail.startswith("in the solution: ")
    assert "17 sheep" in reason.hit.span
    assert [why for _, why in judged(plain, leaky)] == [None, None]


def test_a_long_solution_is_no_long_prompt():
    seed = records.Seed("math", QUESTION, "4", solution=WORKED * 500)
    assert judged(seed) == [(seed, None)]


def test_a_solution_that_could_not_be_read_drops_its_row():
    seed = records.Seed("math", QUESTION, "4", solution=f"{WORKED}\ufffd")
    ((_, reason),) = judged(seed)
    assert reason == "undecodable text"
    assert "in the solution" in reason.detail
