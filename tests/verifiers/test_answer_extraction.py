"""Where an answer stands: marks in many languages, JSON, headings, several boxes."""

from __future__ import annotations

import pytest

from phi_kit.verifiers import answer_extraction

ANNOUNCED = (
    "Answer: {}", "Final answer: {}", "**Answer:** {}", "**Final Answer**: {}",
    "The answer is {}.", "So the final answer is: {}", "The correct answer is {}",
    "Steps.\nAnswer: {}", "### Final Answer\n{}", "Final Answer\n\n{}",
    "**Final Answer**\n\n{}", "## Answer:\n{}", "Therefore, the answer is:\n\n{}",
    "The answer is\n$$\n{}\n$$", "Final answer:\n```\n{}\n```", "#### {}",
    "Answer = {}", "Answer → {}", "[Answer]: {}", "<answer>{}</answer>",
    "<final_answer>\n{}\n</final_answer>", '{{"answer": "{}"}}', "{{'answer': '{}'}}",
    '```json\n{{"steps": "1", "final_answer": "{}"}}\n```',
    r"\boxed{{{}}}", r"\fbox{{{}}}",
    "Final Answer: The final answer is {}. I hope it is correct.",
    "答案是{}。", "答案：{}", "所以正确答案为{}。", "最终答案：{}", "答え：{}",
    "答えは{}です。", "정답: {}", "정답은 {}입니다.", "Ответ: {}",
    "Правильный ответ: {}", "Відповідь: {}",
    "Απάντηση: {}", "Η απάντηση είναι {}.", "Réponse : {}", "La bonne réponse est {}.",
    "Antwort: {}", "Die Antwort lautet {}.", "Endergebnis: {}", "Respuesta: {}",
    "La respuesta correcta es {}.", "Respuesta final: {}", "Resposta: {}",
    "A resposta é {}.", "Risposta: {}", "La risposta è {}.", "Antwoord: {}", "Svar: {}",
    "Vastaus: {}", "Odpowiedź: {}", "Odpověď: {}", "Răspuns: {}", "Cevap: {}",
    "Jawaban: {}", "Jawabannya adalah {}.", "Đáp án: {}", "Đáp số là {}",
    "الجواب: {}", "الإجابة هي {}", "الإجابة النهائية: {}", "תשובה: {}", "پاسخ: {}",
    "उत्तर: {}", "सही उत्तर {} है।", "উত্তর: {}", "คำตอบคือ {}", "பதில்: {}", "జవాబు: {}",
)  # fmt: skip


@pytest.mark.parametrize("answer", ["5", "C", "x"])
def test_an_announced_answer_is_found(answer):
    found = {
        form: answer_extraction.final_answers(form.format(answer)) for form in ANNOUNCED
    }
    read = {form: pieces and pieces[-1].strip("*. ") for form, pieces in found.items()}
    assert {form: text for form, text in read.items() if text != answer} == {}


def test_a_value_in_json_may_stand_without_quotes():
    assert answer_extraction.final_answers('{"steps": 2, "Answer": 5}') == ["5"]
    assert answer_extraction.final_answers('{"answer": "\\frac{1}{2}"}') == [
        "\\frac{1}{2}"
    ]
    assert answer_extraction.final_answers('{"answer": "say \\"hi\\""}') == ['say "hi"']


@pytest.mark.parametrize(
    "text",
    [
        "Answer seems to be hard. 5",
        "so this is\nthe answer\nto the question",
        "Answers vary: 5",
        "Solution: we add 2 and 3",
        "What is the answer? 5",
        "答 is a Chinese word",
        '{"question": "5"}',
        "#### Step 2: add 5",
    ],
)
def test_what_announces_nothing(text):
    assert answer_extraction.final_answers(text) == []


@pytest.mark.parametrize(
    "text",
    ["The answer is not 5", "Die Antwort ist nicht 5", "La respuesta no es 5",
     "答案不是5", "Ответ: не 5", "La réponse n'est pas 5"],
)  # fmt: skip
def test_a_denial_is_passed_on_as_one(text):
    assert answer_extraction.final_answers(text)[-1].startswith("not ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"The solutions are $\boxed{-2}$ and $\boxed{3}$.", ["-2", "3"]),
        (r"$x=\boxed{1}$, $y=\boxed{2}$", ["1", "2"]),
        ("$$x=\\boxed{1}$$\n$$y=\\boxed{2}$$", ["1", "2"]),
        (r"\boxed{1}, \boxed{2} and \boxed{3}", ["1", "2", "3"]),
        (r"The base is \boxed{5} and the height is \boxed{7}.", ["5", "7"]),
        (r"$\boxed{2}$ or $\boxed{3}$", ["2", "3"]),
        (r"First try: \boxed{1}. That is wrong; it is \boxed{2}.", ["2"]),
        (r"It is \boxed{1}. Why \boxed{1}? By symmetry.", ["1"]),
        (r"First \boxed{3}, then \boxed{4}", ["4"]),
        (r"\boxed{1/2} = \boxed{0.5}", ["0.5"]),
        (r"\boxed{3}, which gives \boxed{4}", ["4"]),
        (r"\boxed{3}. Wait, \boxed{4}", ["4"]),
        ("\\boxed{3}\n\nSo the answer is \\boxed{4}", ["4"]),
        (r"\boxed{1} and \boxed{1}", ["1"]),
        (r"\boxed{\boxed{7}}", ["7"]),
        ("no box", []),
    ],
)
def test_boxes_together(text, parts):
    assert answer_extraction.final_boxes(text) == parts


def test_a_box_that_stays_open():
    assert answer_extraction.ends_inside_box(r"so \boxed{12")
    assert not answer_extraction.ends_inside_box(r"so \boxed{12}")
    assert answer_extraction.boxes(r"\boxed{12") == []


def test_sentences_end_in_other_scripts_too():
    assert answer_extraction.sentences("一。二！三") == ["一。", "二！", "三"]
    assert answer_extraction.last_sentence("3.5 is it. No") == "No"
