"""The X-ray shows what the loss sees, in colours, in words, on light and dark."""

import re

import pytest
from families import student_of

from phi_kit.models.chat_template import Asked
from phi_kit.training.encoding import IGNORE_INDEX, EncodedRow, TrainingRow, encode
from phi_kit.training.loss_mask_view import SHOWN, STYLES, view_loss_mask

ASKED = Asked("Be brief.", "Two\nlines?")
GROUNDS = {"light": (255, 255, 255), "dark": (17, 17, 17)}  # JupyterLab's
INKS = {"light": (33, 33, 33), "dark": (255, 255, 255)}


def shown(name="phi-4", completion="7 🙂 & <b>"):
    student = student_of(name)
    row = TrainingRow(ASKED.rendered(student.render), completion, ASKED)
    return (
        student,
        encode(student, row),
        view_loss_mask(student.tokenizer, encode(student, row)),
    )


def test_the_pieces_are_the_row():
    student, encoded, seen = shown()
    assert [i for piece in seen.pieces for i in piece.ids] == encoded.ids
    assert "".join(piece.text for piece in seen.pieces) == student.tokenizer.decode(
        encoded.ids
    )
    trained = [p.text for p in seen.pieces if p.kind == "trained"]
    assert "".join(trained) == "7 🙂 & <b>"
    assert "🙂" in trained  # four tokens, one character
    assert [p.text for p in seen.pieces if p.kind == "end of turn"] == ["<|im_end|>"]
    special = {p.text for p in seen.pieces if p.special}
    assert special == {"<|im_start|>", "<|im_sep|>", "<|im_end|>"}


def test_headless_it_is_lines_with_names():
    _, encoded, seen = shown()
    assert str(seen).splitlines() == [
        "  untrained | <|im_start|>system<|im_sep|>Be brief.<|im_end|>"
        "<|im_start|>user<|im_sep|>Two⏎lines?<|im_end|><|im_start|>assistant<|im_sep|>",
        "    trained | 7 🙂 & <b>",
        "end of turn | <|im_end|>",
        f"            | {encoded.trained} of {len(encoded.ids)} tokens are trained "
        f"({encoded.trained / len(encoded.ids):.1%}); "
        "the turn ends with <|im_end|> (100265)",
    ]


def test_a_long_row_is_cropped_in_the_middle():
    _, _, seen = shown(completion=f"begin {'long ' * 3000}finish")
    (line,) = [x for x in str(seen).splitlines() if x.startswith("    trained")]
    assert "begin" in line
    assert "finish" in line
    assert len(line) < SHOWN + 80


def test_a_mask_that_is_wrong_shows():
    student, encoded, _ = shown()
    nothing = EncodedRow(encoded.ids, [IGNORE_INDEX] * len(encoded.ids))
    text = str(view_loss_mask(student.tokenizer, nothing))
    assert f"0 of {len(encoded.ids)} tokens are trained (0.0%)" in text
    assert "no end of turn is trained" in text
    everything = str(
        view_loss_mask(student.tokenizer, EncodedRow(encoded.ids, encoded.ids))
    )
    assert "untrained |" not in everything
    assert str(view_loss_mask(student.tokenizer, EncodedRow([], []))).endswith(
        "(-); no end of turn is trained"
    )


def test_html_escapes_and_shows_every_token():
    _, encoded, seen = shown()
    html = seen._repr_html_()
    assert "&lt;|im_end|&gt;" in html
    assert "<b>" not in html
    assert "⏎\n" in html
    assert "<style" not in html  # an untrusted notebook would lose it
    assert html.count("title=") == len(seen.pieces)
    assert f"{encoded.trained} of {len(encoded.ids)} tokens are trained" in html


def rgba(style, name):
    found = re.search(rf"{name}:rgba\((\d+),(\d+),(\d+),([\d.]+)\)", style)
    return (tuple(map(int, found.groups()[:3])), float(found[4])) if found else None


def luminance(colour):
    parts = [c / 255 for c in colour]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def blend(over, under, alpha):
    return tuple(alpha * a + (1 - alpha) * b for a, b in zip(over, under, strict=True))


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("kind", STYLES)
def test_text_reads_on_light_and_dark(kind, theme):
    ground, ink = GROUNDS[theme], INKS[theme]
    tint = rgba(STYLES[kind], "background-color")
    if tint:
        ground = blend(tint[0], ground, tint[1])
    faded = re.search(r"opacity:([\d.]+)", STYLES[kind])
    if faded:
        ink = blend(ink, ground, float(faded[1]))
    assert contrast(ink, ground) >= 4.5  # WCAG 2.2, 1.4.3


def test_no_meaning_hangs_on_colour_alone():
    marks = {
        kind: re.sub(r"(background-color:[^;]*;?)|#[0-9A-F]{6}", "", style)
        for kind, style in STYLES.items()
    }
    assert len(set(marks.values())) == len(marks)
    assert all(re.search("opacity|border", mark) for mark in marks.values())
