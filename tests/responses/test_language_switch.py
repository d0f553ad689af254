"""Another language or script than the question's, and what only looks like one."""

import json

import pytest
from external_data import needs, path_of

from phi_kit.responses.language_switch import language_switch

ASKED = "A farmer has 3 cows and 4 hens. How many legs do all of his animals have?"
ENGLISH = "Each cow has four legs and each hen has two, so there are 12 and 8 of them."
FOREIGN = {
    "German": "Jede Kuh hat vier Beine und jedes Huhn hat zwei. Zusammen sind es 20.",
    "French": "Chaque vache a quatre pattes et chaque poule en a deux. Cela fait 20.",
    "Spanish": "Cada vaca tiene cuatro patas y cada gallina tiene dos. Son 20 en todo.",
    "Italian": "Ogni mucca ha quattro zampe e ogni gallina ne ha due. Sono 20.",
    "Chinese": "每头牛有四条腿,每只鸡有两条腿。一共是20条。",
    "Russian": "У каждой коровы четыре ноги, у каждой курицы две. Всего 20.",
    "Arabic": "لكل بقرة أربع أرجل ولكل دجاجة رجلان",
    "Greek": "Κάθε αγελάδα έχει τέσσερα πόδια",
    "Japanese": "牛は足が四本、鶏は二本です。",
}
EVERY = pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)


@EVERY
def test_a_response_in_another_language_is_told(text):
    assert language_switch(text, ASKED)


@EVERY
def test_so_is_one_that_changes_in_the_middle(text):
    there_and_back = f"{ENGLISH}\n{text}\n{ENGLISH}\nAnswer: 20"
    assert language_switch(there_and_back, ASKED)


@EVERY
def test_the_questions_own_language_is_no_change(text):
    assert language_switch(text, text) == ""


@EVERY
def test_what_the_gold_is_written_in_is_no_change(text):
    asked = "Translate this sentence and say in which language it then is written."
    assert language_switch(text, asked, text) == ""


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "Answer: 20",
        "Let α be the angle and Δx the distance; then 2πr = 6.28 and ∑ x² = 4.",
        "$\\text{Jede Kuh hat vier Beine und jedes Huhn hat zwei Beine}$ is quoted.",
        'The sign says "Jede Kuh hat vier Beine und jedes Huhn hat zwei Beine".',
        "```python\nfor das in der(die, und): ist.nicht(das, ein, eine)\n```",
        "d, a, n (1), c, e, n (2). So 2.",
        "pounds per day per people per day per people per day per people per day",
        "Sophie, José, François, Müller and Nguyễn share 12 slices of pizza.",
        "",
    ],
)
def test_what_only_looks_foreign(text):
    assert language_switch(text, ASKED) == ""


def test_one_strange_sign_is_no_change():
    assert language_switch(f"{ENGLISH} Ж marks the end.", ASKED) == ""


@pytest.mark.parametrize(
    ("name", "question", "solution"),
    [
        pytest.param(name, *columns, marks=needs(name), id=name.split(".")[0])
        for name, columns in {
            "gsm8k_train_1500.jsonl": ("question", "answer"),
            "gsm8k_labelled_solutions.jsonl": ("prompt", "response"),
        }.items()
    ],
)
def test_thousands_of_english_solutions_raise_no_alarm(name, question, solution):
    rows = [json.loads(line) for line in path_of(name).open(encoding="utf-8")]
    assert len(rows) >= 1500
    assert [r for r in rows if language_switch(r[solution], r[question])] == []
