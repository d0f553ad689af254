"""A figure in a notebook, drawn just now or saved by a finished step."""

from phi_kit.core.figures import figure_description, figure_html
from phi_kit.core.step_run import SavedFigure
from phi_kit.plots import row_flow


def test_a_saved_figure_is_shown_with_the_words_it_was_drawn_with(tmp_path):
    figure = row_flow.draw({"read": 3, "kept": 2, "dropped": {"sealed": 1}})
    path = tmp_path / "flow.png"
    figure.savefig(path, metadata={"Software": None, "Description": figure.words})
    page = SavedFigure(path)._repr_html_()
    assert figure_description(path.read_bytes()) == figure.words
    assert f'alt="{row_flow.TITLE}' in page
    assert "width:768px" in page
    assert "min-width:600px" in page


def test_an_svg_is_as_wide_as_its_png_and_has_a_caption():
    figure = row_flow.draw({"read": 3, "kept": 2, "dropped": {"sealed": 1}})
    page = figure_html(figure.svg().encode(), words="w", caption="two <b> kept")
    assert "data:image/svg+xml;base64," in page
    assert "width:768px" in page
    assert "<figcaption>two &lt;b&gt; kept</figcaption></figure>" in page
    assert "<figcaption>" not in figure_html(b"", words="w")


def test_words_cannot_leave_their_attribute(tmp_path):
    figure = row_flow.draw({"read": 1, "kept": 1, "dropped": {}})
    figure.savefig(tmp_path / "plain.png")
    png = (tmp_path / "plain.png").read_bytes()
    assert figure_description(png) == ""
    assert '"><script>' not in figure_html(png, words='"><script>')
