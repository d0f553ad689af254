"""The report: whole or half a study in one file that needs nothing else."""

import base64
import json
import shutil
from html.parser import HTMLParser

import fake_study
import pytest

from phi_kit.core.errors import StudyError
from phi_kit.plots import row_flow
from phi_kit.study.report import (
    findings,
    published,
    step_facts,
    step_report,
    step_sentences,
    step_tables,
    study_report,
    table_form,
)

VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Text, tags and attributes of a page; refuses tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words, self.attributes = [], [], [], []
        self.elements = []
        self.feed(html)
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.elements.append((tag, attrs))
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def demo(runs):
    return fake_study.build(runs)


def page():
    return Page(study_report.write("demo").read_text(encoding="utf-8"))


def test_no_secret_and_no_machine_path_is_in_it(demo, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "sk-verysecret-0123")
    monkeypatch.setenv("HOME", "/home/somebody")
    params = {"study": "demo", "sources": [{"path": "/home/somebody/x.csv"}]}
    params |= {"note": f"sk-verysecret-0123 in {demo}"}
    fake_study.write_manifest(demo / "math/02_collect_seeds", {}, params=params)
    said = page().text
    assert "~/x.csv" in said
    for hidden in ("sk-verysecret", "/home/somebody", str(demo)):
        assert hidden not in said


def test_it_says_where_the_time_went(demo):
    # 12 steps by hand, 200.4 s each: of these 90 s sampling and 60.5 s training.
    assert (
        "sampling took 18 min 0 s, training 12 min 6 s, everything else 24.9 % of "
        "the time (0 s to start kernels)"
    ) in page().text
    fake_study.write_manifest(demo / "07_benchmark", {}, spent=None)
    assert "everything else" not in page().text


def test_a_whole_study_is_one_file_with_its_figures(runs):
    png = b"\x89PNG the bytes of a figure"
    folder = fake_study.build(runs, figure=png)
    shown = page()
    assert shown.tags.count("img") == 12
    for name, value in shown.attributes:
        if name == "src":
            head, code = value.split(",")
            assert head == "data:image/png;base64"
            assert base64.b64decode(code) == png
    assert [path.name for path in folder.glob("*report*")] == ["report.html"]


def test_a_figure_says_its_finding_and_its_svg_is_shown_where_there_is_one(demo):
    figure = row_flow.draw({"read": 3, "kept": 2, "dropped": {"sealed": 1}})
    folder = demo / "math/02_collect_seeds/figures"
    folder.mkdir()
    figure.savefig(folder / "flow.png", metadata={"Description": figure.words})
    (folder / "flow.svg").write_text(figure.svg())
    (image,) = [dict(attributes) for tag, attributes in page().elements if tag == "img"]
    assert image["alt"].replace("\u00a0", " ") == (
        "Which rows were kept, and why not the others? 2 of 3 rows kept (66.7 %). "
        "1 dropped: sealed."
    )
    assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"<?xml")


def test_a_figure_without_words_has_the_sentence_of_its_step(runs):
    fake_study.build(runs, figure=b"\x89PNG, and damaged beyond reading")
    words = [value for name, value in page().attributes if name == "alt"]
    assert any("Base gets 34.0" in said for said in words)
    assert all(said for said in words)


def test_the_question_and_the_answer_come_first(demo):
    text = page().text
    said = [
        "Does smollm2-135m answer held-out questions of math and puzzles better",
        "math Yes 34.0 % → 46.3 % +12.3 [+6.1 to +18.4] points, n = 120",
        "puzzles No: worse 31.0 % → 27.0 % −4.0 [−7.0 to −1.0] points, n = 120",
        "What it found, and how sure that is",
    ]
    places = [text.index(words) for words in said]
    assert places == sorted(places)


def test_every_step_says_a_sentence_with_its_numbers(demo):
    text = page().text
    for words in (
        "Base gets 34.0 % [27.0 to 41.0 %] of 120 items right; one constant answer per "
        "family would give 17.3 %.",
        "1,110 of 1,500 rows are kept (74.0 %); most others are dropped as: duplicate "
        "(240).",
        "380 of 710 seeds are teachable, 53.5 % [49.8 to 57.2 %]: what the student "
        "does not solve yet and a response shows.",
        "On 120 held-out items the arm 'teachable' stands highest: 46.0 % [39.0 to "
        "53.0 %], +12.3 [+6.1 to +18.4] points over base. The highest of 3 arms looks "
        "better than it is.",
        "The frozen data set has 963 rows: 380 organic, 463 synthetic, 120 self; 463 "
        "of 690 rewrites passed every check, 67.1 % [63.5 to 70.5 %].",
        "Trained alone and together: math 46.3 % alone, 47.5 % together, +1.2",
        "From base to the final adapter: math 34.0 % → 46.3 %, +12.3",
    ):
        assert words in text, words


def test_a_verdict_says_what_would_settle_it(demo):
    text = page().text
    # An interval of 8.6 points over 120 items: half of it / 1.96 * 2.8.
    assert (
        "These 120 items show a difference of 6.1 points in four of five studies; one "
        "as large as was found here takes 3,149 items, one of 5 points 182."
    ) in text
    assert (
        "puzzles: teachable over random +1.2 [−3.1 to +5.5] 120 cannot tell 6.1" in text
    )
    assert "Every arm was trained once" not in text  # it does not say


def test_executed_notebooks_are_linked_where_they_are(demo):
    (demo / "math/02_collect_seeds/notebook.ipynb").write_text("{}")
    links = [value for name, value in page().attributes if name == "href"]
    assert "math/02_collect_seeds/notebook.ipynb" in links
    assert sum(link.endswith(".ipynb") for link in links) == 1


def test_it_says_how_to_cite_and_what_was_done(demo):
    text = page().text
    assert "@misc{demo, title = {The phi\\_kit study \\texttt{demo}}" in text
    assert "eprint = {2502.02737}" in text  # of the base model
    assert "(1,110)" not in text
    assert "were read from their sources (3,000)" in text
    assert "which left 2,220 seeds" in text


def test_it_needs_nothing_from_outside(demo):
    shown = page()
    assert not {"script", "link", "iframe"} & set(shown.tags)
    links = {value for name, value in shown.attributes if name == "href"}
    assert {link for link in links if link[0] != "#"} == set(published.SOURCES.values())


def test_links_inside_lead_somewhere(demo):
    attributes = page().attributes
    places = [value for name, value in attributes if name == "id"]
    inside = {
        value[1:] for name, value in attributes if name == "href" and value[0] == "#"
    }
    assert inside <= set(places)
    assert len(places) == len(set(places))
    assert len(inside) > 12


def test_the_verdicts_come_first_with_interval_and_n(demo):
    text = page().text
    said = [
        "On held-out math the final adapter is better than base: +12.3 points, "
        "95 % interval +6.1 to +18.4, n = 120.",
        "On held-out math the final adapter is better than step 4's adapter of the "
        "student's own right responses, which had the probe's tokens only: it learnt "
        "more than that form, or learnt it in a longer run: +8.1 points",
        "On held-out math the final adapter is better than base with worked examples "
        "in its prompt: +8.1 points, 95 % interval +2.2 to +14.0, n = 120.",
        "On held-out puzzles the final adapter is worse than base: −4.0 points, "
        "95 % interval −7.0 to −1.0, n = 120.",
        "In math, training on teachable seeds beat training on random ones: +12.3",
        "In puzzles, this run cannot tell whether teachable seeds teach more or less "
        "than random ones: +1.2 points, 95 % interval −3.1 to +5.5, n = 120.",
    ]
    places = [text.index(sentence) for sentence in said]
    assert places == sorted(places)
    assert places[-1] < text.index("Where does the base model stand?")


def test_rows_are_accounted_for(demo):
    text = page().text
    assert "1,110 kept + 390 dropped = 1,500 read" in text
    assert "duplicate 240 16.0 %" in text
    assert "do not add up" not in text


def test_every_step_shows_its_numbers(demo):
    text = page().text
    for words in (
        "one_digit_sums 1 40 61.0 % [54.0 to 68.0 %] 17.0 %",
        "all – 120 34.0 % [27.0 to 41.0 %] 17.3 %",
        "120 dev, 120 test",
        "pass rates from 10 to 75 %",
        "Responses in the style 'steps'",
        "worked 500 470 30 wrong",
        "teacher 240 200 2 language switch, 8 truncated, 30 wrong",
        "few-shot, for the arm own 2,130 215 15 not in style, 1,900 wrong",
        "samples 231 rounds 3 answers it gave as a reference 9 seeds its budget left "
        "unasked 12 tokens 90,210 price 1.23",
        "without a response to learn from 40 seeds, in no arm; teachable is what the "
        "student does not solve yet and a response shows",
        "240 inside, 140 below",
        "truncated samples 3.1 %",
        "random control 391 48,200 4,010",
        "frontier 120 16.9 % [14.3 to 19.8 %] 10.0 %",
        "by fresh samples 380 34.0 % [27.0 to 41.0 %]",
        "without gold, answered 31 of 40",
        "with gold, sure and wrong 3 of 36 [2.9 to 21.8 %]",
        "few-shot base baseline – – – 4.6 120 35.0 % [28.0 to 42.0 %] 17.0 % 41.0 % "
        "8.0 % +1.2 [−3.1 to +5.5] +1.2 – cannot tell",
        "own arm 21 36.2 48,310 – 120",
        "teachable arm 380 2 48,310 – 120 46.0 % [39.0 to 53.0 %] 17.0 % 47.0 % 1.0 % "
        "+12.3 [+6.1 to +18.4] +6.3 < .001 better",
        "learning rate 0.001",
        "new_numbers 400 371 92.8 % [89.8 to 94.9 %]",
        "organic 380 39.5 %",
        "math puzzles 120 32.2 % [25.2 to 39.2 %] 17.0 % +1.2 [−3.1 to +5.5] "
        "cannot tell",
        "math 120 46.3 % 47.5 % +1.2 [−3.1 to +5.5] cannot tell",
        "math, pass@1 120 × 4 34.0 % → 46.3 % 17.3 % +12.3 [+6.1 to +18.4] "
        "better 38.2 %, +8.1 [+2.2 to +14.0] 38.2 %, +8.1 [+2.2 to +14.0] "
        "41.0 % → 47.0 % 8.0 % → 1.0 % 61 → 25",
        "puzzles, sums 120 31.0 % → 27.0 % 17.3 % −4.0 [−7.0 to −1.0] worse",
        "One constant answer per family gives 17.3 %, the adapter 46.3 %.",
        "LiveCodeBench 8/24-1/25 53.8 53.1 DeepSeek-R1-Distill-Llama-70B 57.5 report",
        "the kit’s own choice",
        "math/03_filter_edge 3 min 20 s 1 min 30 s / 1 min 0 s 2026-03-01T10:20:30Z",
        "torch 2.13",
    ):
        assert words in text


def test_without_its_figure_a_step_still_asks_its_question(demo):
    text = page().text
    assert all(question in text for _, question in step_report.WORDS.values())


def test_text_is_escaped(demo):
    raw = study_report.write("demo").read_text(encoding="utf-8")
    assert "Letter &lt;puzzles&gt;" in raw
    assert "<puzzles>" not in raw
    assert "after &lt;answer&gt;" in raw


def test_hostile_names_stay_text(demo):
    bad = '"><script>alert(1)</script>'
    result = {"sources": {bad: 3}, "note": bad}
    flow = {"read": 4, "kept": 3, "dropped": {bad: 1}}
    fake_study.write_manifest(
        demo / "math/02_collect_seeds", result, flow=flow, params={bad: bad}
    )
    assert "script" not in page().tags


@pytest.mark.parametrize("gone", fake_study.RESULTS)
def test_a_missing_step_is_named_and_the_rest_is_there(demo, gone):
    for folder in demo.glob(f"**/{gone}"):
        shutil.rmtree(folder)
    text = page().text
    assert "10 of 12" in text or "11 of 12" in text
    assert f"{gone} has no manifest" in text


def test_only_one_unfinished_step(runs):
    (runs / "demo/math/01_pick_domain").mkdir(parents=True)
    text = page().text
    assert "0 of 7 steps finished" in text
    assert "No verdict yet" in text
    assert "phi-kit run params/demo.yaml" in text


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"result": 3}', '{"result": null}'])
def test_a_damaged_manifest_is_no_crash(demo, text):
    for path in demo.glob("**/manifest.json"):
        path.write_text(text)
    assert "No verdict yet" in page().text


@pytest.mark.slow
def test_results_may_lack_anything(demo):
    def holes(value):
        """Every result with one key left out, at any depth."""
        if isinstance(value, dict):
            for key in value:
                yield {name: it for name, it in value.items() if name != key}
                yield {**value, key: None}
                for inner in holes(value[key]):
                    yield {**value, key: inner}
        elif isinstance(value, list) and value:
            for inner in holes(value[-1]):
                yield [*value[:-1], inner]

    checked = 0
    for number, result in enumerate(fake_study.RESULTS.values(), 1):
        for broken in holes(result("math")):
            step_tables.of_step(number, broken)
            step_facts.of_step(number, broken)
            step_sentences.of_step(number, broken, {})
            findings.on_benchmarks(table_form.listed(broken, "scores"))
            findings.teachable_or_random("math", broken)
            findings.after_merging(table_form.listed(broken, "retention"))
            checked += 1
    assert checked > 100


def without(value, names):
    """A result without some keys, at any depth."""
    if isinstance(value, list):
        return [without(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: it for key, it in value.items() if key not in names}
    return {key: without(it, names) for key, it in kept.items()}


def test_a_study_of_before_responses_is_shown_as_it_was(demo):
    """Its manifests know neither responses nor the controls that came with them."""
    scores = fake_study.RESULTS["07_benchmark"]("")["scores"]
    new = {"responses", "teachable_places", "style", "lenient", "truncated", "form"}
    new |= {"teachable_vs_own", "teachable_vs_few_shot"}
    new |= {key for key in scores[0] if "own" in key or "few_shot" in key}
    new |= {"base_lenient", "final_lenient"}
    for path in demo.rglob("manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["result"] = without(manifest["result"], new)
        path.write_text(json.dumps(manifest))
    text = page().text
    assert "12 of 12" in text
    assert "cannot be shown" not in text
    for word in (
        "Responses in",
        "few-shot base, final",
        "leniently",
        "cut off",
        "–, –",
    ):
        assert word not in text
    assert "better 8.0 % → 1.0 % 61 → 25" in text


def test_a_teacher_without_a_price(demo):
    result = fake_study.RESULTS["03_filter_edge"]("math")
    result["responses"]["teacher"]["cost"] = None
    fake_study.write_manifest(demo / "math/03_filter_edge", result)
    assert "tokens 90,210 price not known" in page().text


def test_unknown_values_of_a_step_are_listed_not_lost(demo):
    folder = demo / "07_benchmark"
    fake_study.write_manifest(folder, {"scale_decision": "do not scale", "seeds": 3})
    text = page().text
    assert "scale decision do not scale" in text
    assert "seeds 3" in text


def test_rows_that_do_not_add_up_are_called_out(demo):
    flow = {"read": 10, "kept": 3, "dropped": {"duplicate": 2}}
    fake_study.write_manifest(demo / "math/02_collect_seeds", {}, flow=flow)
    assert "The reasons do not add up (5 rows)" in page().text


def test_domains_follow_the_order_of_the_study(demo):
    path = demo / "06_expand_domains/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["params"]["domains"] = ["puzzles", "math"]
    path.write_text(json.dumps(manifest))
    assert list(study_report.read("demo").domains) == ["puzzles", "math"]


@pytest.mark.parametrize("name", ["dmo", "", "../demo", ".", "nothing-like-it"])
def test_no_such_study(demo, name):
    with pytest.raises(StudyError) as caught:
        study_report.write(name)
    assert "phi-kit run" in str(caught.value)
    if name == "dmo":
        assert "did you mean 'demo'?" in str(caught.value)


def test_an_empty_folder_is_no_study(runs):
    (runs / "demo").mkdir()
    with pytest.raises(StudyError):
        study_report.write("demo")


def test_no_runs_folder_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "none"))
    with pytest.raises(StudyError):
        study_report.write("demo")


def test_writing_again_gives_the_same_bytes(demo):
    assert (
        study_report.write("demo").read_bytes()
        == study_report.write("demo").read_bytes()
    )


def test_without_a_verdict_the_interval_decides():
    assert findings.verdict({"low": 0.01, "high": 0.2}) == "better"
    assert findings.verdict({"low": -0.3, "high": -0.01}) == "worse"
    assert findings.verdict({"low": -0.3, "high": 0.1}) == "cannot tell"
    assert findings.verdict({}) == "cannot tell"


def test_a_reader_is_warned_where_the_students_own_responses_are_few():
    few = {"arms": [{"arm": "own", "rows": 21, "passes": 36.2}]}
    (found,) = findings.teachable_or_random("math", few)
    assert "only 21 different ones, each seen about 36 times" in found.text
    many = {"arms": [{"arm": "own", "rows": findings.FEW_OWN, "passes": 2.0}]}
    assert findings.teachable_or_random("math", many) == []


def test_own_in_step_7_is_the_probes_adapter_and_a_finding_says_so():
    row = {"domain": "math", "n": 9, "verdict": "better", "delta": 0.1}
    for low, high in ((0.01, 0.2), (-0.2, -0.01), (-0.1, 0.1)):
        over = {"over_own": 0.1, "over_own_low": low, "over_own_high": high}
        _, found = findings.on_benchmarks([row | over])
        assert "step 4's adapter" in found.text
        assert "the probe's tokens" in found.text


def test_published_table():
    frame = published.frame()
    assert len(frame) == len(published.TABLE) == 7
    assert set(frame["source"]) == set(published.SOURCES)
    first = frame.iloc[0]
    assert (first["benchmark"], first["-plus"]) == ("AIME 2024", 81.3)
    assert first["compared with"] == "o1-mini 63.6"
    assert "no comparison" in published.NOTE
