"""Sphinx: the site of the documentation; `make docs` builds it, without a network.

The notebooks are shown as a run has executed them: `PHI_KIT_RUNS`, else `runs/` of
this checkout, study `quickstart`. One that no run has executed is shown without
outputs. Nothing here runs a notebook.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from latex2mathml.converter import convert  # noqa: E402

from phi_kit import __version__, steps  # noqa: E402
from phi_kit.core.files import write_atomic  # noqa: E402
from phi_kit.core.finished_run import RunFolder  # noqa: E402
from phi_kit.core.step_run import NOTEBOOK  # noqa: E402
from phi_kit.study.study_schema import study_schema  # noqa: E402

project, author = "phi_kit", "the phi_kit authors"
copyright = author
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_made/schema"]
html_theme = "furo"
html_title = f"phi_kit {__version__}"
html_extra_path = ["_made/schema"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
suppress_warnings = ["misc.highlighting_failure"]  # no lexer colours a CSV
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"


def make_pages():
    """The notebooks, the parameters' reference and the schema, from their sources."""
    made = HERE / "_made"
    for folder in ("notebooks", "schema"):
        (made / folder).mkdir(parents=True, exist_ok=True)
    rows = ["# Parameters", "", "Upper-case in a notebook, lower-case in a study file."]
    for step in steps.STEPS:
        run = RunFolder.of("quickstart", step, domain="math").path / NOTEBOOK
        source = ROOT / "notebooks" / f"{step}.ipynb"
        text = (run if run.is_file() else source).read_text(encoding="utf-8")
        write_atomic(made / "notebooks" / f"{step}.ipynb", text)
        rows += ["", f"## {step}", "", *parameter_table(json.loads(text), step)]
    write_atomic(made / "parameters.md", "\n".join(rows) + "\n")
    schema = json.dumps(study_schema(), indent=1)
    write_atomic(made / "schema" / "study.schema.json", schema)


def parameter_table(notebook, step):
    """Name, default and meaning of a step's parameters, as its notebook has them."""
    yield from ("| parameter | default | meaning |", "|---|---|---|")
    for cell in notebook["cells"]:
        lines = "".join(cell["source"]).splitlines()
        if "parameters" in cell["metadata"].get("tags", ()):
            for line in lines[:-1]:  # the last is ADVANCED
                name, _, rest = line.partition(":")
                default, _, meaning = rest.partition(" = ")[2].partition("  # ")
                yield f"| `{name}` | `{default}` | {meaning} |"
        elif cell["cell_type"] == "markdown":
            yield from (line for line in lines if line.startswith("| `"))


def visit_inline(self, node):
    """A formula in a line, as MathML, which browsers draw by themselves."""
    from docutils import nodes

    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node):
    """A formula of its own."""
    from docutils import nodes

    self.body.append(f"<p>{convert(node.astext(), display='block')}</p>")
    raise nodes.SkipNode


def setup(app):
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    make_pages()
