"""A figure in a notebook, drawn just now or saved by a finished step."""

from phi_kit.core.figures import figure_description, image_html
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


def test_words_cannot_leave_their_attribute(tmp_path):
    figure = row_flow.draw({"read": 1, "kept": 1, "dropped": {}})
    figure.savefig(tmp_path / "plain.png")
    png = (tmp_path / "plain.png").read_bytes()
    assert figure_description(png) == ""
    assert '"><script>' not in image_html(png, words='"><script>')
