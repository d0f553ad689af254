import json
from itertools import islice
from types import SimpleNamespace

import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from phi_kit.core.errors import DataError
from phi_kit.data import hf_datasets
from phi_kit.data.dropped_rows import UnreadableRow
from phi_kit.data.read_sources import mix_sources, read_source, source_shares
from phi_kit.data.source_types import HubData, LocalFile, Procedural, Source, Task

ROWS = [{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(20)]


def source(**keys) -> Source:
    return TypeAdapter(Source).validate_python(keys)


def seeds(one: Source, families=()) -> list:
    return list(read_source(one, "math", families=families, rng_seed=7))


def write(path, lines: list) -> str:
    text = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("\n".join(text) + "\n")
    return str(path)


def test_a_few_bad_lines_go_along_with_their_numbers(tmp_path):
    lines = [ROWS[0], "{oops", "", "[1]", {"question": "lone"}, ROWS[1]]
    found = seeds(source(path=write(tmp_path / "a.jsonl", lines)))
    assert [isinstance(seed, UnreadableRow) for seed in found] == [0, 1, 1, 1, 0]
    assert [seed.detail for seed in found if isinstance(seed, UnreadableRow)] == [
        "line 2 is not JSON",
        "line 4 is not a JSON object",
        "row 4",
    ]
    assert found[1].prompt == "{oops"


@pytest.mark.parametrize("text", ["hello\nthere\n", "[1]\n[2]\n", "\x00"])
def test_what_is_no_jsonl_at_all_is_refused(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="cannot be read as jsonl: line 1 is not"):
        seeds(source(path=str(path)))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "a.jsonl"
    good = json.dumps(ROWS[0]).encode()
    path.write_bytes(
        b"\xef\xbb\xbf" + good + b"\n{\xff}\n" + b"[" * 10**5 + b"\n" + good
    )
    found = seeds(source(path=str(path)))
    assert [getattr(seed, "detail", "") for seed in found] == [
        "",
        "line 2 is not UTF-8",
        "line 3 is nested too deeply",
        "",
    ]


def test_csv_with_ragged_rows_and_an_open_quote(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('question,answer\na,1\nb,2,3\n"open,4\nc,007\n"x\ny",6\n')
    found = seeds(source(path=str(path)))
    assert [
        (s.prompt, s.answer) for s in found if not isinstance(s, UnreadableRow)
    ] == [
        ("a", "1"),
        ("c", "007"),
        ("x\ny", "6"),
    ]
    assert [s.prompt for s in found if isinstance(s, UnreadableRow)] == [
        "b,2,3",
        '"open,4',
    ]


def test_parquet_with_columns_of_all_kinds(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"question": ["a", None, "c"], "answer": [1.5, 2.0, None]})
    frame["options"] = [["x", "y"], ["z"], None]
    frame.to_parquet(path)
    found = seeds(source(path=str(path), extra={"choices": "options"}))
    said = [(seed.prompt, seed.answer) for seed in found]
    assert said == [
        ("a", "1.5"),
        ("", "2"),
        ("c", ""),
    ]
    assert found[0].facts == {"choices": {"A": "x", "B": "y"}}


def test_a_file_that_is_no_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_text("not at all")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        seeds(source(path=str(path)))


def test_a_folder_is_its_files_in_order(tmp_path):
    write(tmp_path / "b.jsonl", ROWS[:2])
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep/a.jsonl", ROWS[2:5])
    (tmp_path / "README.txt").write_text("not a source")
    one = source(path=str(tmp_path), limit=4)
    assert [seed.family for seed in seeds(one)] == ["b", "b", "a", "a"]
    before = one.digest()
    write(tmp_path / "b.jsonl", ROWS[:1])
    assert one.digest() != before


def test_a_wrong_column_is_named(tmp_path):
    path = write(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match="no column 'qestion'; did you mean 'question'"):
        seeds(source(path=path, question="qestion"))


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"limit": 3}, Procedural),
        ({"task": "leg_counting", "weight": 2.0}, Task),
        ({"hub": "openai/gsm8k", "config": "main"}, HubData),
    ],
)
def test_kinds_are_told_apart_by_their_key(keys, kind):
    assert isinstance(source(**keys), kind)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"task": "leg_countin"}, "did you mean 'leg_counting'"),
        ({"task": "xyz"}, "no task 'xyz'"),
        ({"task": "gcd", "config": {"max_valu": 3}}, "refuses this config"),
        ({"task": "gcd", "config": {"max_value": -3}}, "refuses this config"),
        ({"hub": "a/b/c"}, "owner/name"),
        ({"hub": "a/b", "path": "x"}, "Extra inputs"),
        ({"path": "none.jsonl"}, "no such file"),
        ({"path": "tests/data"}, "holds no file"),
        ({"limit": 0}, "greater than or equal"),
        ({"weight": 0.0}, "greater than 0"),
    ],
)
def test_faults_are_said_once(keys, said):
    with pytest.raises(ValidationError, match=said) as caught:
        source(**keys)
    assert len(caught.value.errors()) == 1


def test_a_task_by_name_carries_its_entry():
    found = seeds(source(task="leg_counting", config={"max_instances": 2}, limit=3))
    assert [seed.source for seed in found] == ["reasoning-gym/leg_counting"] * 3
    assert found[0].facts["task"] == "leg_counting"
    assert found[0].facts["entry"]["answer"] == found[0].answer


def test_weights_share_the_limit():
    some = [Procedural(weight=w) for w in (3.0, 1.0, 1.0)]
    assert source_shares(some, 10) == [6, 2, 2]
    assert source_shares(some, 7) == [4, 2, 1]
    assert sum(source_shares(some, 1)) == 1


def test_a_mix_is_drawn_by_hash(tmp_path):
    path = write(tmp_path / "a.jsonl", ROWS)
    some = [source(path=path, weight=3.0), source(task="gcd", weight=1.0)]

    def draw(rng_seed: int) -> list:
        def opened(one):
            return read_source(one, "math", families=(), rng_seed=rng_seed)

        return [
            seed.prompt for _, seed in mix_sources(some, 12, opened, rng_seed=rng_seed)
        ]

    asked = [row["question"] for row in ROWS]
    first = draw(7)
    assert first == draw(7) != draw(8)
    assert len(first) == 12
    kept = [prompt for prompt in first if prompt in asked]
    assert len(kept) == 9
    assert kept == sorted(kept, key=asked.index)
    assert kept != asked[:9]


@pytest.fixture
def online(monkeypatch, tmp_path):
    """A hub that answers; its data set lies in a local folder."""
    write(tmp_path / "train.jsonl", ROWS)
    hf_datasets.pin_revision.cache_clear()
    info = SimpleNamespace(sha="a" * 40, card_data={"license": "mit"})
    asked = []
    import datasets

    real = datasets.load_dataset

    def load(name, config, *, split, revision):
        asked.append((name, config, split, revision))
        return real(str(tmp_path), split=split, cache_dir=str(tmp_path / ".cache"))

    def dataset_info(self, name, revision, timeout):
        return info

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    monkeypatch.setattr("datasets.load_dataset", load)
    yield asked
    hf_datasets.pin_revision.cache_clear()


def test_a_hub_data_set_is_pinned(online):
    one = source(hub="openai/gsm8k", config="main", limit=3)
    found = seeds(one)
    assert online == [("openai/gsm8k", "main", "train", "a" * 40)]
    assert one.digest() == "a" * 40
    assert [seed.prompt for seed in found] == [row["question"] for row in ROWS[:3]]
    assert {seed.licence for seed in found} == {"mit"}
    assert {seed.source for seed in found} == {"openai/gsm8k:main:train"}


def test_a_local_folder_of_the_same_shape(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder / "train.jsonl", ROWS)
    hf_datasets.pin_revision.cache_clear()
    one = source(hub=str(folder), limit=5, answer_after="")
    assert [seed.answer for seed in seeds(one)] == ["1", "2", "3", "4", "5"]
    assert len(one.digest()) == 16


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and an empty cache."""
    hf_datasets.pin_revision.cache_clear()

    def dataset_info(self, name, revision, timeout):
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", dataset_info)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    yield tmp_path
    hf_datasets.pin_revision.cache_clear()


def test_offline_is_one_clear_message(offline):
    with pytest.raises(DataError, match="the hub is not reached") as caught:
        seeds(source(hub="openai/gsm8k"))
    assert "hub: ./folder" in caught.value.todo


def test_offline_takes_what_the_cache_knows(offline):
    refs = offline / "datasets--openai--gsm8k/refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("b" * 40)
    assert source(hub="openai/gsm8k").digest() == "b" * 40
    assert source(hub="openai/gsm8k", revision="c" * 40).digest() == "c" * 40


@pytest.mark.slow
def test_every_task_of_reasoning_gym_makes_items():
    from reasoning_gym.factory import DATASETS

    # A composite needs a config; two take minutes for one item.
    names = sorted(set(DATASETS) - {"composite", "acre", "knight_swap"})
    assert len(names) > 100
    for name in names:
        found = seeds(source(task=name, limit=3))
        assert len(found) == 3, name
        assert all(seed.prompt for seed in found), name


def test_splits_of_a_task_share_nothing():
    from phi_kit.data.generators import generate_items

    family = source(task="chain_sum").family()
    train, dev = (
        {
            s.prompt
            for s in islice(generate_items("math", family, rng_seed=7, split=x), 300)
        }
        for x in ("train", "dev")
    )
    assert len(train & dev) < 15


def test_local_file_names_its_files(tmp_path):
    path = write(tmp_path / "a.jsonl", ROWS)
    assert LocalFile(path=path).files() == [tmp_path / "a.jsonl"]
