"""What a machine is measured to be good at decides once, and is remembered."""

from __future__ import annotations

import json

import pytest
import torch

from phi_kit.models import product_rates as rates_module
from phi_kit.models.product_rates import ProductRates, known_rates, measure

FAST, SLOW = ProductRates(80.0, 160.0), ProductRates(80.0, 20.0)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine that remembers nothing yet; `rates` is what it would measure."""
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    rates_module.product_rates.cache_clear()

    def set_rates(rates):
        monkeypatch.setattr(rates_module, "measure", lambda: rates)
        rates_module.product_rates.cache_clear()  # as in a new process
        return rates_module.product_rates()

    yield set_rates
    rates_module.product_rates.cache_clear()


@pytest.mark.parametrize(
    ("rates", "pays"),
    [
        (FAST, True),
        (SLOW, False),
        (ProductRates(80.0, 0.0), False),  # PyTorch has no such product here
        (ProductRates(80.0, 90.0), False),  # too little for its rounding
    ],
)
def test_bf16_must_be_clearly_faster(rates, pays):
    assert rates.bf16_pays is pays


def test_it_is_measured_once_a_machine(machine):
    assert machine(FAST) == FAST
    assert machine(SLOW) == FAST


def test_another_processor_or_another_pytorch_is_measured_anew(machine, monkeypatch):
    machine(FAST)
    with monkeypatch.context() as patch:
        patch.setattr(rates_module, "_processor", lambda: {"model name": "another"})
        assert machine(SLOW) == SLOW
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert machine(SLOW) == SLOW


@pytest.mark.parametrize("text", ["", "[]", '{"rates": {"float32": 1}}'])
def test_a_damaged_note_is_written_anew(machine, tmp_path, text):
    machine(FAST)
    (file,) = (tmp_path / "cache").glob("product_rates_*.json")
    assert json.loads(file.read_text())["rates"] == FAST._asdict()
    file.write_text(text)
    assert machine(SLOW) == SLOW
    assert json.loads(file.read_text())["rates"] == SLOW._asdict()


def test_where_nothing_can_be_written_it_is_measured_again(machine, tmp_path):
    cache = tmp_path / "cache"
    cache.write_text("a file where the folder should be")
    assert machine(FAST) == FAST
    assert machine(SLOW) == SLOW


def test_known_rates_never_measure(machine):
    assert known_rates() == {}
    machine(FAST)
    assert known_rates() == {"float32": 80.0, "bf16": 160.0}


def test_a_measurement_is_short_and_leaves_the_threads_alone():
    import time

    threads = torch.get_num_threads()
    measure()  # the first one loads libraries
    began = time.process_time()
    rates = measure()
    assert time.process_time() - began < 2
    assert rates.float32 > 0
    assert rates.bf16 >= 0
    assert torch.get_num_threads() == threads


def test_without_bf16_products_there_is_nothing_to_measure(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    rates = measure()
    assert rates.float32 > 0
    assert rates.bf16 == 0
    assert not rates.bf16_pays
