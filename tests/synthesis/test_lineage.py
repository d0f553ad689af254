"""Family trees: where a row comes from, and what came of a seed."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core import step_table
from phi_kit.core.errors import DataError
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed, to_frame
from phi_kit.synthesis.gates import DroppedRow, MixRow, dropped_frame, numbered
from phi_kit.synthesis.lineage import Lineage

FIRST = Seed("math", "What is 3 + 4?", "7", source="mine.csv", licence="MIT")
OTHER = Seed("math", "What is 1 + 1?", "2", source="yours.csv")


def child(parent, prompt, answer, by):
    return Seed(
        "math",
        prompt,
        answer,
        parent=parent.id,
        source=f"transform/{by}",
        licence="MIT",
    )


STORY = child(FIRST, "Ada has 3 and gets 4. Sum?", "7", "story")
AGAIN = child(STORY, "Tom has 3 and gets 4. Sum?", "7", "paraphrase")
LOST = child(FIRST, "What is 4 + 3?", "7", "swap")


def saved(where, study="s", domain="math"):
    """A study's folders of steps 2, 3 and 5 with these rows."""

    def step(kind, **tables):
        params = type(
            "Params",
            (StepParams,),
            {
                "__annotations__": {"domain": str},
                "domain": domain,
                "STEP": step_table.Step(kind.number, kind.name),
                "__module__": __name__,
            },
        )(study=study)
        with open_run(params) as run:
            for name, table in tables.items():
                run.save_rows(table, name)

    rows = numbered(
        [
            MixRow(FIRST, "3 + 4 = 7\nAnswer: 7", "organic", ""),
            MixRow(OTHER, "1 + 1 = 2\nAnswer: 2", "organic", ""),
            MixRow(STORY, "3 + 4 = 7\nAnswer: 7", "synthetic", "story"),
            MixRow(AGAIN, "It is 7.\nAnswer: 7", "synthetic", "paraphrase"),
        ]
    )
    frame = to_frame(
        [row.seed for row in rows],
        row_id=[row.id for row in rows],
        completion=[row.completion for row in rows],
        kind=[row.kind for row in rows],
        by=[row.by for row in rows],
    )
    gone = MixRow(LOST, "7", "synthetic", "swap")
    reason = Reason("duplicate", detail="of another")
    responses = pd.DataFrame(
        [[AGAIN.id, "teacher", "big", "It is 7.\nAnswer: 7", "right"]],
        columns=["seed_id", "source", "model", "text", "verdict"],
    )
    seeds = to_frame([FIRST, OTHER])
    step(step_table.COLLECT_SEEDS, rows=seeds)
    step(step_table.FILTER_EDGE, rows=seeds)
    dropped = dropped_frame([DroppedRow(gone, "duplicate", reason)])
    step(step_table.SYNTHESIZE, rows=frame, dropped=dropped, responses=responses)
    return frame


def test_a_row_says_where_it_comes_from_up_to_its_source(runs):
    frame = saved(runs)
    lineage = Lineage.of("s", "math")
    told = str(lineage.why(frame.row_id[3])).split("\n")
    assert told[0] == f"{frame.row_id[3]}: {AGAIN.prompt} -> 7"
    assert "synthetic; kept" in told[1]
    assert "paraphrase" in told[2]
    assert "teacher big, right by the verifier" in told[3]
    assert f"from {STORY.id}: {STORY.prompt}" in told[4]
    assert f"from {FIRST.id}: What is 3 + 4? -> 7" in told[5]
    assert told[6].endswith("source: mine.csv, licence MIT")
    assert len(told) == 7
    html = lineage.why(AGAIN.id[:6])._repr_html_()
    assert html.startswith("<pre>")
    assert "-&gt;" in html


def test_a_dropped_row_says_why(runs):
    saved(runs)
    told = str(Lineage.of("s", "math").why(LOST.id))
    assert "dropped: duplicate (of another)" in told
    assert "source: mine.csv" in told


def test_what_came_of_a_seed_or_a_source_is_found_to_the_last(runs):
    saved(runs)
    lineage = Lineage.of("s", "math")
    for name in (FIRST.id, "mine.csv"):
        found = lineage.descendants(name)
        assert found.id.tolist() == [FIRST.id, STORY.id, AGAIN.id, LOST.id]
        assert found.fate.tolist() == ["kept", "kept", "kept", "duplicate"]
    assert lineage.descendants(STORY.id).id.tolist() == [STORY.id, AGAIN.id]
    assert lineage.descendants("nobody").empty


def test_an_id_that_no_row_has_is_named(runs):
    saved(runs)
    with pytest.raises(DataError, match="no row of step 5 has the id 'zzzz'"):
        Lineage.of("s", "math").why("zzzz")


def test_the_command_looks_through_all_studies(runs):
    saved(runs, study="one", domain="math")
    frame = saved(runs, study="two", domain="puzzles")
    call = CliRunner().invoke
    done = call(app, ["why", frame.row_id[2]])
    assert done.exit_code == 0, done.output
    assert "one/math" in done.output
    assert "mine.csv" in done.output
    done = call(app, ["why", FIRST.id, "two", "--down"])
    assert "two/puzzles: 4 rows come from" in done.output
    assert "one/math" not in done.output
    done = call(app, ["why", "zzzz"])
    assert done.exit_code == 1
    assert "no row of step 5" in done.output
    done = call(app, ["why", "nothing.csv", "--down"])
    assert done.exit_code == 1
