"""Parameters mean what they say, wherever they come from."""

import pytest
from pydantic import Field

from phi_kit.core.errors import StudyError
from phi_kit.core.params import StepParams
from phi_kit.core.step_table import Step


class Params(StepParams):
    STEP = Step(3, "filter_edge")
    rate: float = Field(1e-3, gt=0)
    use: bool = True
    sizes: list[int] = Field([])
    samples: int = Field(4, ge=1)
    limit: int | None = None


def read(**values):
    return Params.from_notebook(values)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("RATE", "1e-5", 1e-5),
        ("RATE", "2", 2.0),
        ("RATE", 1, 1.0),
        ("USE", "false", False),
        ("SIZES", "[1,2]", [1, 2]),
        ("SAMPLES", "8", 8),
        ("LIMIT", "null", None),
        ("LIMIT", None, None),
        ("STUDY", "1e-5", "1e-5"),  # a text stays a text
        ("MODEL", "no", "no"),
    ],
)
def test_text_from_papermill_means_what_it_says(name, text, value):
    assert getattr(read(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMPLES", True),
        ("SAMPLES", "true"),
        ("SAMPLES", 4.5),
        ("SAMPLES", 0),
        ("SAMPLES", None),
        ("SAMPLES", ""),
        ("SAMPLES", "[1"),
        ("RATE", True),
        ("RATE", "nan"),
        ("RATE", ".nan"),
        ("RATE", float("inf")),
        ("USE", 1),
        ("USE", "no"),
        ("SIZES", (1, 2)),
        ("SIZES", ["1"]),
        ("STUDY", "../up"),
        ("STUDY", ""),
        ("STUDY", "a/b/c"),
        ("RNG_SEED", -1),
    ],
)
def test_wrong_values_are_refused_and_named(name, value):
    with pytest.raises(StudyError, match=f"1 wrong parameter\n  - {name.lower()}"):
        read(**{name: value})


def test_all_faults_at_once():
    with pytest.raises(StudyError) as caught:
        read(SAMPELS=3, RATE=-1, USE="perhaps", STUDY="x y")
    text = str(caught.value)
    assert text.startswith("4 wrong parameters")
    assert "sampels: unknown parameter; did you mean 'samples'?" in text
    assert "rate: input should be greater than 0 (it is -1)" in text
    assert "03_filter_edge.ipynb" in text
    assert "nothing was started" in text


def test_only_upper_case_names_are_parameters():
    assert read(samples=9, In=[1], _X=1, _=2, SAMPLES=5).samples == 5


@pytest.mark.parametrize(
    "advanced",
    [
        {"RATE": 0.5, "use": False},
        '{RATE: 0.5, use: "false"}',
        {"rate": "0.5", "USE": 0 > 1},
    ],
)
def test_advanced_parameters_are_checked_like_the_others(advanced):
    params = read(SAMPLES=8, ADVANCED=advanced)
    assert (params.samples, params.rate, params.use) == (8, 0.5, False)
    assert params.changed() == ["rate", "use", "samples"]


def test_faults_of_advanced_parameters_stand_among_the_others():
    with pytest.raises(StudyError) as caught:
        read(SAMPLES=0, ADVANCED={"RATTE": 1, "USE": "perhaps"})
    text = str(caught.value)
    assert text.startswith("3 wrong parameters")
    assert "ratte: unknown parameter; did you mean 'rate'?" in text


def test_a_parameter_that_is_set_twice_is_refused():
    # `papermill -p RATE 1` beside an ADVANCED that a reader has edited.
    with pytest.raises(StudyError, match=r"in ADVANCED: RATE"):
        read(RATE=1.0, ADVANCED={"rate": 2.0})
    assert read(RATE=1.0, ADVANCED={}).rate == 1.0


@pytest.mark.parametrize("advanced", [3, "RATE", ["RATE"], None])
def test_advanced_is_a_dictionary(advanced):
    with pytest.raises(StudyError, match="should be a dictionary of parameters"):
        read(ADVANCED=advanced)
