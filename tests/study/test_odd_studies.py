"""Study files, names and manifests that no one means: a message each, at once."""

import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import fake_study
import mangling
import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core.errors import PhiKitError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.study import config, runner
from phi_kit.study.report import study_report

ROOT = Path(__file__).resolve().parents[2]
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: 1, l: 2}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
OWN = "{verifier: numeric, sources: [{path: rows.csv}]}"
MATH = "domains: [math]\n"


def own(name):
    return f"domains: {{{name}: {OWN}}}\n"


def edge(*lines):
    return MATH + "filter_edge:\n" + "".join(f"  {line}\n" for line in lines)


SYNTAX = {
    "bomb": (BOMB, "line 5   has more than 20,000 keys and values, aliases written"),
    "merge bomb": (MERGES, "line 5   has more than 20,000 keys and values"),
    "small bomb": ("".join(BOMB.splitlines(True)[:5]), "line 5   has more than 20,000"),
    "lists": ("a: " + "[" * 5000 + "]" * 5000, "line 1   lists and mappings lie more"),
    "maps": ("".join(f"{' ' * i}a:\n" for i in range(400)), "line 40  lists and map"),
    "dashes": ("- " * 50_000 + "a", "line 1   lists and mappings lie more than 40"),
    "chain": (
        "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 99)),
        "line 40  lists and mappings lie more than 40 deep",
    ),
    "in itself": ("domains: &a [*a]", "line 1   *a stands inside what it names"),
    "bytes": ("# " + "x" * 200_000, "line 1   the file has more than 200,000 bytes"),
    "keys": ("".join(f"k{i}: 1\n" for i in range(15_000)), "line 10000 has more than"),
    "digits": (
        MATH + f"rng_seed: {'9' * 5000}",
        "line 2   a whole number of 5,000 dig",
    ),
    "hex": (MATH + f"rng_seed: 0x{'f' * 5000}", "line 2   a whole number of 5,002"),
    "64 bits": (MATH + f"rng_seed: {2**63}", "line 2   a whole number of 19 digits"),
    "NUL": (MATH + "model: a\0b", "line 2   is not YAML: the character '\\x00' cannot"),
    "escape": (MATH + "model: a\x1b[3m", "line 2   is not YAML: the character '\\x1b'"),
    "escaped": (MATH + 'model: "a\\0"', "line 2   '\\x00' is a control character"),
    "half": (MATH + 'model: "\\ud800"', "line 2   '\\ud800' is half a character"),
    "tab": (MATH + "filter_edge:\n\tsamples: 3", "line 3   is not YAML: "),
    "two": (MATH + "---\nmodel: x", "line 2   is not YAML: expected a single docum"),
    "directive": ("%YAML 1.1\n---\n" + MATH, "line 1   is not YAML: begins with a %"),
    "no end": ('model: "x', "line 1   is not YAML: while scanning a quoted scalar"),
    "no alias": ("model: *x", "line 1   is not YAML: found undefined alias 'x'"),
    "colons": ("a: b: c", "line 1   is not YAML: mapping values are not allowed here"),
    "a word": ("math", "line 1   the file should be a mapping of keys to values"),
    "a list": ("[math]", "line 1   the file should be a mapping of keys to values"),
    "a comment": ("# only this\n", "line 1   the file is empty"),
    "null": ("~", "line 1   the file is empty"),
    "python": (MATH + "model: !!python/name:os.system x", "line 2   the tag !!python/"),
    "a tag": (MATH + "model: !env KEY", "line 2   the tag !env means nothing here"),
    "a set": (MATH + "filter_edge: !!set {a}", "line 2   the tag !!set means nothing"),
    "binary": (MATH + "model: !!binary aGk=", "line 2   the tag !!binary means noth"),
    "no int": (MATH + "rng_seed: !!int x", "line 2   x is not a whole number"),
    "no digits": (MATH + "rng_seed: !!int", "line 2   nothing is not a whole number"),
    "a number as key": (MATH + "1: x", "line 2   the key 1 is a whole number; put it"),
    "true as key": (MATH + "true: x", "line 2   the key true is true or false; put"),
    "a list as key": (MATH + "[a]: x", "line 2   a key should be a word, not a list"),
    "a map as key": (MATH + "{a: b}: x", "line 2   a key should be a word, not a lis"),
    "no key": (MATH + ": x", "line 2   a key is missing"),
    "merged word": (edge("<<: 3"), "line 3   << should be followed by a mapping"),
    "long key": (MATH + f"{'k' * 500}: 1", f"line 2   {'k' * 60}…: unknown key"),
    "odd key": (MATH + '"a\\u2028b": 1', "line 2   a\\u2028b: unknown key"),
}
NAMES = {
    "a step": (own("06_expand_domains"), "domains.06_expand_domains: begins like the"),
    "the last step": (
        own("07_benchmark"),
        "domains.07_benchmark: begins like the fold",
    ),
    "the report": (own("report.html"), "domains.report.html: is the kit's own in a"),
    "spending": (own("spent.jsonl"), "domains.spent.jsonl: is the kit's own in a stu"),
    "trackers": (own("TensorBoard"), "domains.TensorBoard: is the kit's own in a stu"),
    "the base": (own("base"), "domains.base: is what step 6 calls the model without"),
    "hidden": (own(".lock"), "domains..lock: cannot be a folder's name; use letters"),
    "a newline": (own('"x\\n"'), "domains.x\\n: cannot be a folder's name; use letter"),
    "letters": (own("ä"), "domains.ä: cannot be a folder's name; use letters"),
    "up": (own("'../x'"), "domains.../x: cannot be a folder's name; use letters"),
    "long": (own("x" * 300), f"domains.{'x' * 60}…: is 300 characters long; up to 64"),
    "other case": (own("Math"), "domains.Math: is one of the kit's domains ('math',"),
    "both cases": (
        f"domains: {{abc: {OWN}, ABC: {OWN}}}",
        "domains: 'abc' and 'ABC' are one folder where case does not count",
    ),
    "together": (
        f"domains: {{{', '.join(f'a-domain-{i}: {OWN}' for i in range(20))}}}",
        "domains: have 229 characters together, and the merged adapter's folder",
    ),
    "no word": ("domains: [[math]]", "domains.0: should be the name of a domain"),
    "ledger": ("study: ledger.sqlite\n" + MATH, "study: 'ledger.sqlite' is the kit's"),
    "its log": ("study: Ledger.sqlite-WAL\n" + MATH, "study: 'Ledger.sqlite-WAL' is t"),
    "study newline": ('study: "x\\n"\n' + MATH, "study: 'x\\n' cannot be a folder's n"),
    "a file": ("study: demo.yaml\n" + MATH, "study: 'demo.yaml' reads like a study"),
    "a number": ("study: 3\n" + MATH, "study: 3 is no text; put it in quotes"),
    "nothing": ("study:\n" + MATH, "study: None is no text; put it in quotes"),
    "long study": (f"study: {'x' * 300}\n{MATH}", f"study: '{'x' * 59}… is 300 charac"),
    "device": ("study: nul\n" + MATH, "study: 'nul' is a device's name on Windows"),
}
BETWEEN = {
    "band": (
        edge("band_low: 0.8", "band_high: 0.5"),
        "line 3   filter_edge.band_low should be below band_high "
        "(it is 0.8; band_high is 0.5)",
    ),
    "one of them": (
        edge("samples: 4", "band_high: 0.05"),
        "line 4   filter_edge.band_low should be below band_high "
        "(it is 0.1; band_high is 0.05)",
    ),
    "samples": (
        edge("samples: 20"),
        "line 3   filter_edge.samples should not be above max_samples "
        "(it is 20; max_samples is 16)",
    ),
    "reference": (
        edge("reference2: x/y"),
        "line 3   filter_edge.reference2 is a second opinion: give a reference too "
        "(it is 'x/y'; reference is '')",
    ),
    "patience": (
        MATH + "probe_sft:\n  patience: 2\n",
        "line 3   probe_sft.patience needs eval_steps: how often to look "
        "(it is 2; eval_steps is 0)",
    ),
    "prices": (
        MATH + "endpoint:\n  budget_cost: 2\n",
        "line 3   endpoint.budget_cost needs price_in and price_out "
        "(it is 2; price_in is None; price_out is None)",
    ),
    "weights": (
        MATH + "collect_seeds:\n  sources: [{limit: 4, weight: 2}]\n",
        "line 2   collect_seeds.limit: weights divide a limit: give collect_seeds a "
        "limit too (it is None)",
    ),
    "columns": (
        "domains:\n  own:\n    verifier: exact\n    sources:\n"
        "      - {path: rows.csv, question: Q}\n",
        "line 5   domains.own.sources.0.file: there is no column 'Q'; known: question, "
        "answer",
    ),
    "a source": (
        MATH + "collect_seeds:\n  sources: [3]\n",
        "line 3   collect_seeds.sources.0.procedural: input should be a valid",
    ),
    "a path": (
        MATH + f"collect_seeds:\n  sources: [{{path: {'x' * 999}}}]\n",
        "line 2   collect_seeds: File name too long: ",
    ),
}
assert len(SYNTAX) + len(NAMES) + len(BETWEEN) >= 60


@pytest.fixture
def load(tmp_path, monkeypatch):
    (tmp_path / "rows.csv").write_text("question,answer\n1 + 1,2\n")
    (tmp_path / "params").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHI_KIT_RUNS", raising=False)

    def read(text, *sets):
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (tmp_path / "params" / "demo.yaml").write_bytes(data)
        return config.load("demo", sets)

    return read


def faults(load, text, *sets):
    with pytest.raises(StudyError) as caught:
        load(text, *sets)
    said = str(caught.value)
    assert said.replace("\n", "").isprintable()
    assert max(map(len, said.splitlines())) < 500
    return said.splitlines()[1:]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SYNTAX, *BETWEEN])
def test_an_odd_file_is_a_line(load, name):
    text, said = (SYNTAX | BETWEEN)[name]
    began = time.monotonic()
    lines = faults(load, text)
    assert time.monotonic() - began < 20
    assert any(line.startswith(f"  {said}") for line in lines), lines
    # Where the rest can be read, it is: there may be more to say.
    assert name in ("a list as key", "no key") or len(lines) == 1, lines


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_is_a_sentence(load, name):
    text, said = NAMES[name]
    (line,) = faults(load, text)
    assert line.startswith(f"  line 1   {said}")


ENCODINGS = {
    "UTF-16": (
        "domains: [math]".encode("utf-16"),
        "line 1   is not UTF-8 text: invali",
    ),
    "Latin-1": ("domains: [math]\n# ä".encode("latin-1"), "line 2   is not UTF-8 text"),
    "cut": (MATH.encode() + "# ä".encode()[:-1], "line 2   is not UTF-8 text: unexpec"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_another_encoding_is_a_line(load, name):
    data, said = ENCODINGS[name]
    (line,) = faults(load, data)
    assert line.startswith(f"  {said}")


def test_all_faults_are_said_at_once_odd_ones_too(load):
    text = (
        "study: a b\nrng_seed: " + "9" * 99 + "\n1: x\nmodel: !x y\nmodel: z\n"
        "domains: [math, moth]\nfilter_edge:\n  samples: 0\n  wanted: .nan\n"
    )
    assert [line.split()[1] for line in faults(load, text)] == list("12345689")


def test_endless_faults_are_counted(load):
    lines = faults(load, MATH + "".join(f"k{i}: 1\n" for i in range(300)))
    assert len(lines) == 101
    assert lines[-1] == "  … and 200 more"


def test_what_is_odd_yet_right_is_read(load):
    text = (
        "\ufeffmodel: &name smollm2-135m\nstudy: 2026-01-01\n"
        "filter_edge: &edge\n  samples: 5\n  band_low: 0.2\n"
        "domains:\n  math:\n  puzzles:\n    filter_edge:\n"
        "      <<: *edge\n      samples: 6\n    benchmark:\n"
    )
    study = load(text.replace("    benchmark:\n", "").encode("utf-8"))
    assert study.name == "2026-01-01"
    found = {
        unit.domain: (unit.params.samples, unit.params.band_low)
        for unit in study.units()
        if unit.step == "filter_edge"
    }
    assert found == {"math": (5, 0.2), "puzzles": (6, 0.2)}


def test_a_merged_key_is_blamed_where_it_stands(load):
    text = (
        "filter_edge: &edge\n  samples: 5\n  nonsense: 1\n"
        "domains:\n  math:\n    probe_sft:\n      <<: *edge\n"
    )
    assert [line.partition(": ")[0] for line in faults(load, text)] == [
        "  line 2   domains.math.probe_sft.samples",
        "  line 3   domains.math.probe_sft.nonsense",
        "  line 3   filter_edge.nonsense",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (f"filter_edge.samples={'[' * 5000}", "filter_edge.samples: input should be"),
        (f"filter_edge.samples={'9' * 5000}", "filter_edge.samples: input should be"),
        ("filter_edge.samples={a: 1, a: 2}", "filter_edge.samples: input should be"),
        ("filter_edge.samples=!!int x", "filter_edge.samples: input should be"),
        ("x" * 3000, f"{'x' * 60}…: should read NAME=VALUE"),
        ("a\x1b.b.c=3", "a\\x1b.b.c: the study has no domain 'a\\x1b'"),
        ("domains=[[a]]", "domains: should be the name of a domain"),
        (f"study={'x' * 300}", f"study: '{'x' * 59}… is 300 characters long"),
        ("filter_edge.redo=true", "filter_edge.redo: belongs to the whole study"),
    ],
)
def test_an_odd_set_is_a_line(load, given, said):
    (line,) = faults(load, MATH, given)
    assert line.startswith(f"  --set    {said}")


@pytest.mark.parametrize("command", ["status", "run", "report"])
@pytest.mark.parametrize(
    "name", ["x" * 300, "a\0b", "~nobody-here/x.yaml", "/dev/zero", "/", "..", ""]
)
def test_a_study_that_no_disk_can_hold_is_a_message(load, command, name):
    done = CliRunner().invoke(app, [command, name], prog_name="phi-kit")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("phi-kit: there is no ")
    assert done.stderr.replace("\n", "").isprintable()


def test_an_export_of_what_no_disk_can_hold_is_a_message(load):
    words = ["export", "x" * 300, "--to", "out"]
    done = CliRunner().invoke(app, words, prog_name="phi-kit")
    assert done.exit_code == 1
    assert done.stderr.startswith("phi-kit: 06_expand_domains has n")


# --- manifests, from the command line ---

MANIFESTS = ["", "[]", "{}", "3", '{"result": 3}', '{"files": []}', '{"flow": [1]}']


@pytest.fixture
def project(project):
    for name in ("Pick", "Edge"):
        fake_study.run(getattr(fake_study, name)(study="toy"))
    return project


def toy():
    return config.load("params/toy.yaml", ["domains=[math]", "filter_edge.samples=4"])


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_broken_manifest_is_told_by_status_run_and_report(project, text):
    (project / "runs/toy/math/01_pick_domain/manifest.json").write_text(text)
    said = runner.status(toy())
    assert said[0].split()[3] == said[1].split()[3] == "stale"
    assert "01_pick_domain has no readable manifest" in "\n".join(said)
    # What reads it says so before a kernel starts.
    with pytest.raises(PhiKitError, match="01_pick_domain has no readable manifest"):
        runner.run_study(toy(), first="filter_edge", last="filter_edge")
    page = study_report.write("toy").read_text(encoding="utf-8")
    assert "Not shown: 01_pick_domain has no readable manifest" in page


def test_a_result_changed_by_hand_is_not_in_the_report(project):
    path = project / "runs/toy/math/01_pick_domain/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["result"]["items"] = 999_999
    path.write_text(json.dumps(manifest))
    page = study_report.write("toy").read_text(encoding="utf-8")
    assert "changed after the step had written it" in page
    assert "999" not in page


@pytest.mark.slow
def test_results_of_any_kind_make_a_page(runs):
    """Manifests without a checksum are taken as they are, whatever they say."""
    demo = fake_study.build(runs)
    values = [None, True, -1, 1e9, "x", [], [1], {}, {"a": []}, [["x"]], [{"n": "x"}]]
    rng = random.Random(1)
    for _ in range(30):
        for step, result in fake_study.RESULTS.items():
            odd = dict(result("math"))
            odd[rng.choice(list(odd))] = rng.choice(values)
            domain = "math" if step in fake_study.PER_DOMAIN else ""
            fake_study.write_manifest(demo / domain / step, odd)
        assert study_report.write("demo").is_file()


# --- where nothing can be written ---


def test_a_run_with_nothing_to_do_writes_nothing(project, monkeypatch):
    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", closed)
    monkeypatch.setattr(runner, "holding", closed)
    lines = []
    runner.run_study(toy(), last="filter_edge", say=lines.append)
    assert [line.endswith("nothing changed") for line in lines] == [True, True, False]


@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(30, "read-only")])
def test_a_report_into_a_closed_folder_is_a_message(runs, monkeypatch, error):
    fake_study.build(runs)

    def closed(self, *_, **__):
        if ".partial" in self.name:
            raise error
        return opened(self, *_, **__)

    opened = Path.open
    monkeypatch.setattr(Path, "open", closed)
    monkeypatch.setattr(Path, "unlink", closed)
    done = CliRunner().invoke(app, ["report", "demo"], prog_name="phi-kit")
    assert done.exit_code == 1
    assert done.stderr.startswith("phi-kit: cannot write here: ")


def test_a_folder_where_the_report_belongs_is_a_message(runs):
    fake_study.build(runs)
    (runs / "demo" / "report.html").mkdir()
    with pytest.raises(PhiKitError, match="cannot write here: Is a directory"):
        study_report.write("demo")
    assert not list((runs / "demo").glob(".*.partial"))


def test_a_step_that_runs_again_is_behind_no_more(project):
    fake_study.run(fake_study.Pick(study="toy", items=9))
    fake_study.run(fake_study.Bench(study="toy", domains=["math"]))
    kinds = [line.split()[-2] for line in runner.status(toy())[:3]]
    assert kinds == ["stale"] * 3
    lines = []
    runner.run_study(toy(), first="benchmark", say=lines.append)
    assert "math/03_filter_edge is not up to date" in "\n".join(lines)
    folder = RunFolder.of("toy", fake_study.PICK_DOMAIN, domain="math")
    old = RunFolder(folder.path.with_name("01_pick_domain.old"))
    assert old.manifest["params"]["items"] == 3


# --- mutations ---


def tried(texts, *, number, seed):
    """How many of so many mutations are faults, and the slowest one's seconds."""
    wrong, slowest = 0, 0.0
    for place in range(number):
        rng = random.Random(seed + place)
        data = mangling.mangled(rng.choice(texts), rng)
        Path("params/odd.yaml").write_bytes(data)
        said, began = "", time.monotonic()
        try:
            runner.status(config.load("odd"))
        except PhiKitError as error:
            said = str(error)
            wrong += 1
        except Exception as error:
            error.add_note(f"mutation {seed + place}")
            raise
        assert said.replace("\n", "").isprintable(), seed + place
        slowest = max(slowest, time.monotonic() - began)
    return wrong, slowest


@pytest.mark.parametrize(
    ("number", "seed"),
    [(100, 0), pytest.param(1000, 100, marks=pytest.mark.slow)],
)
def test_mutations_end_in_messages(load, number, seed):
    texts = [path.read_text() for path in (ROOT / "params").glob("*.yaml")]
    texts += [
        MATH + "rng_seed: 3\n",
        own("own"),
        *(text for text, _ in BETWEEN.values()),
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wrong, slowest = tried(texts, number=number, seed=seed)
    assert number / 2 < wrong < number
    assert slowest < 60
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1_000_000  # kilobytes


def test_a_bomb_takes_no_memory(load):
    """In a process of its own, which holds nothing else."""
    Path("params/demo.yaml").write_text(BOMB)
    code = (
        "import resource\nfrom pathlib import Path\nfrom phi_kit.study import "
        "yaml_lines\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert yaml_lines.read(Path('params/demo.yaml')).faults\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) < 50_000  # kilobytes
