"""What tests share: an empty runs folder, a tiny random model."""

import pytest


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder of run folders."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def real_tokenizer():
    """The embedded model's tokenizer."""
    import tiny_model

    return tiny_model.tokenizer()


@pytest.fixture(scope="module")
def tiny(real_tokenizer):
    """A random two-layer Llama that speaks the embedded model's tokens."""
    import tiny_model

    return tiny_model.student(real_tokenizer)
