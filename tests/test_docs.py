"""The site builds without a warning, offline, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_needs_no_other_machine(tmp_path):
    pytest.importorskip("myst_nb", reason="pip install -e '.[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {str(p.relative_to(tmp_path)): p for p in tmp_path.rglob("*.html")}
    assert sum(name.startswith("_made/notebooks/0") for name in pages) == 7
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'(?:src|srcset)="https?:', text), name
        assert not re.search(r'<link[^>]+stylesheet[^>]+href="https?:', text), name
    # Formulas are MathML, and the schema is there for editors.
    assert "<math" in pages["_made/notebooks/03_filter_edge.html"].read_text()
    assert (tmp_path / "study.schema.json").is_file()


def test_every_page_that_the_index_names_is_there():
    text = (ROOT / "docs/index.md").read_text()
    named = re.findall(r"^[\w./-]+$", text, re.MULTILINE)
    pages = [name for name in named if not name.startswith("_made/")]
    assert len(pages) >= 10
    for name in pages:
        assert (ROOT / "docs" / f"{name}.md").is_file(), name


def test_the_transform_of_the_how_to_computes_its_answers():
    from phi_kit.data.records import Seed
    from phi_kit.domains import get

    page = (ROOT / "docs/how-to/own-transform.md").read_text()
    named = {}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], named)
    transform, verify = named["DOUBLED"], get("math").verifier
    (row,) = transform(Seed("math", "12 + 5 =", "17"), 7)
    assert (row.prompt, row.answer) == ("24 + 10 =", "34")
    assert verify(row, row.solution).right
    for prompt, gold in (("12 + 5 =", "19"), ("2 + 3 + 4 =", "9"), ("12 - 5 =", "7")):
        assert transform(Seed("math", prompt, gold), 7) == []
