"""The notebooks teach: each has what a lesson needs, and says it once."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVERY = sorted((ROOT / "notebooks").glob("0*.ipynb"))
BY_LESSON = pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)


def cells(path, kind=None):
    found = json.loads(path.read_text())["cells"]
    return [
        "".join(cell["source"]) for cell in found if kind in (None, cell["cell_type"])
    ]


def prose(path):
    return "\n".join(cells(path, "markdown"))


@BY_LESSON
def test_the_strip_shows_all_steps_with_this_one_lit(path):
    title = cells(path)[0]
    (strip,) = [line for line in title.splitlines() if " → " in line]
    stops = strip.split(" → ")
    assert len(stops) == len(EVERY)
    for stop, notebook in zip(stops, EVERY, strict=True):
        if notebook == path:
            assert re.fullmatch(r"\*\*\d \w+\*\*", stop)
        else:
            assert stop.endswith(f"]({notebook.name})")


@BY_LESSON
def test_it_says_what_one_can_do_afterwards_and_in_one_sentence(path):
    title = cells(path)[0]
    goals = title.partition("After this notebook you can")[2]
    assert re.findall(r"^(\d)\. ", goals, re.MULTILINE) == ["1", "2", "3"]
    last = prose(path).partition("## In one sentence")[2]
    assert re.search(r"\*[^*]{40,}\*", last)  # the sentence itself
    assert "let" in last
    assert "check" in last


@BY_LESSON
def test_it_has_a_formula_a_figure_and_what_it_means_if_it_looks_otherwise(path):
    text = prose(path)
    assert re.search(r"\$\$.+?\$\$", text, re.DOTALL)
    assert "run.figure" in cells(path, "code")
    for part in ("**What you should see.**", "**If you don't.**", "what we chose"):
        assert text.count(part) == 1


@BY_LESSON
def test_a_guess_is_asked_for_before_the_run_and_compared_after_it(path):
    code = cells(path, "code")
    kept, run, compared = (
        next(i for i, source in enumerate(code) if words in source)
        for words in ("kit.keep_guess(", "kit.step.run(params)", "kit.compare_guess(")
    )
    assert kept < run < compared
    assert code[kept].startswith("guess = None  # ")
    about = [re.search(r'params, "([^"]+)"', code[i])[1] for i in (kept, compared)]
    assert about[0] == about[1]


@BY_LESSON
def test_it_has_two_or_three_exercises_untouched(path):
    code = cells(path, "code")
    asked = [source for source in code if source.startswith("answer = None  # ")]
    assert 2 <= len(asked) <= 3
    assert all(source.count("\n") == 1 for source in asked)
    # They come after the artifact, and change nothing of it.
    assert code.index(asked[0]) > code.index("run.figure")


@BY_LESSON
def test_what_is_the_kits_comes_from_one_place(path):
    code = "\n".join(cells(path, "code"))
    number = int(path.name[:2])
    imports = re.findall(r"^(?:from|import) phi_kit.*", code, re.MULTILINE)
    assert imports == [f"from phi_kit.course import lesson{number} as kit"]


@BY_LESSON
def test_it_links_to_one_source(path):
    assert len(re.findall(r"\]\(https?://", prose(path))) == 1


@BY_LESSON
def test_no_picture_lies_on_another_machine(path):
    text = "\n".join(cells(path))
    assert not re.search(r"!\[[^]]*\]\(https?:|<img[^>]+src=[\"']?https?:", text)


@BY_LESSON
def test_every_notebook_that_is_linked_is_there(path):
    for target in re.findall(r"\]\(([\w./-]+\.ipynb)\)", prose(path)):
        assert (path.parent / target).is_file()
