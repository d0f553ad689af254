"""Executed notebooks stay small, whatever their cells print."""

import json

from phi_kit.study.notebook.execute import LineWriter
from phi_kit.study.notebook.slim import MOST_TEXT, slim


def stream(text, name="stderr"):
    return {"output_type": "stream", "name": name, "text": text}


def slimmed(*outputs):
    notebook = {"cells": [{"outputs": list(outputs)}, {"source": "no outputs"}]}
    slim(notebook)
    return notebook["cells"][0]["outputs"]


def test_of_a_progress_bar_its_last_state_is_kept():
    bar = [stream(f"\r{n}/5000") for n in range(5001)]
    (kept,) = slimmed(stream("begin\r\n"), *bar, stream(["\n", "end\n"]))
    assert kept["text"] == "begin\n5000/5000\nend\n"


def test_what_is_printed_without_end_keeps_both_ends():
    out = stream("".join(f"{n}\n" for n in range(100_000)), "stdout")
    kept, other = slimmed(out, stream("x"))
    assert kept["text"].startswith("0\n1\n")
    assert kept["text"].endswith("99998\n99999\n")
    assert " characters left out …" in kept["text"]
    assert len(kept["text"]) < MOST_TEXT + 100
    assert other["text"] == "x"
    error = {"output_type": "error", "evalue": "x" * 10**6, "traceback": ["y" * 10**6]}
    (kept,) = slimmed(error)
    assert len(json.dumps(kept)) < 3 * MOST_TEXT


def test_what_is_usual_stays_as_it_is():
    picture = {"image/png": "A" * 100_000, "text/plain": "<Figure>"}
    shown = {"output_type": "display_data", "data": picture}
    table = {"output_type": "execute_result", "data": {"text/html": "<p>" * 50_000}}
    before = json.dumps([shown, table])
    assert json.dumps(slimmed(shown, table)) == before


def test_pictures_that_are_too_large_together_go_largest_first():
    small = {"output_type": "display_data", "data": {"image/png": "A" * 300_000}}
    large = {"output_type": "display_data", "data": {"image/png": "A" * 5_000_000}}
    kept = slimmed(small, large)
    assert kept[0]["data"].keys() == {"image/png"}
    assert kept[1]["data"] == {"text/plain": "5.0 MB of image/png left out"}
    floods = [stream("é\x00" * 9_000, name) for name in ("stdout", "stderr") * 40]
    assert len(json.dumps(slimmed(*floods))) < 1e6


def test_a_bar_that_never_ends_its_line_is_one_line():
    lines = []
    out = LineWriter("[x] ", lines.append)
    for n in range(2000):
        out.write(f"\r{n}/2000")
        assert len(out.rest) < 20
    out.write("\nnext")
    out.close()
    assert lines == ["[x] 1999/2000", "[x] next"]
