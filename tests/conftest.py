"""What tests share: an empty runs folder, a tiny random model."""

import os

import pytest

# Nothing a test samples goes into, or comes from, a ledger that it has not made.
os.environ["PHI_KIT_LEDGER"] = "off"
# Begun last, these would keep one worker busy long after the others.
LONGEST = ("test_smoke_study", "test_replay_study")


def pytest_collection_modifyitems(items):
    """The longest files first; with --no-loadscope-reorder xdist keeps that."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _own_tree_untouched(tmp_path_factory):
    """What writes run folders says where; nothing goes into the tree it lies in."""
    stray = tmp_path_factory.mktemp("stray") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_KIT_RUNS", str(stray))
        yield
    assert not list(stray.rglob("manifest.json")), "a test writes outside its folder"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of run folders, and of a ledger."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("PHI_KIT_LEDGER", raising=False)
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def real_tokenizer():
    """The embedded model's tokenizer."""
    from tiny import tokenizer

    return tokenizer()


@pytest.fixture(scope="session")
def tiny_sizes(real_tokenizer):
    """Of a two-layer model that speaks the embedded model's tokens."""
    from tiny import sizes

    return sizes(real_tokenizer)


@pytest.fixture(scope="module")
def tiny(real_tokenizer):
    """A random two-layer Llama that speaks the embedded model's tokens."""
    from tiny import tiny_student

    return tiny_student(real_tokenizer)
