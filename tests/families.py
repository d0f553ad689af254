"""Chat templates of real model families, on tokenizers built right here.

A family is its template text, the ids of its special tokens and the tokens its
generation_config stops at. The tokenizer is byte-level with no merges: any text
comes back as it went in, one token a byte; the special tokens are the real ones
at their real ids. What the families' own vocabularies do to ordinary words is
not covered, and neither is SentencePiece (Gemma's own).

Where the texts come from (the model repositories themselves are not read here):

- qwen2_5, qwen3, llama3, llama3_2, gemma2 (`gemma`), gemma3, deepseek_r1_distill:
  the folder `trl/chat_templates` of TRL 1.16.0 on PyPI (Apache-2.0), which keeps
  the models' original templates;
- phi4: `unsloth/chat_templates.py` of unsloth 2026.10.9 on PyPI (Apache-2.0);
- phi4_mini: tokenizer_config.json of microsoft/Phi-4-mini-instruct (MIT) as public
  copies quote it;
- phi4_reasoning: put together from the model's fixed system message (MIT; in
  axolotl 0.19.0 on PyPI as `phi_4.jinja`) and the turns of phi4; that the
  template drops a system turn of the caller's is what several public
  descriptions say. Whether `<think>` is one token there could not be checked;
- smollm3, deepseek_v3_1: `models/templates` of llama.cpp, in llama-cpp-python 0.3.36
  on PyPI (MIT); the first is Unsloth's edit of the model's own (Apache-2.0), which
  leaves out the line with today's date;
- smollm2: what the embedded model's own file carries; no copy here.

Ids: the added tokens of the published tokenizer files. `stops` is
generation_config.json's `eos_token_id`, as published. Phi-4-mini's, Gemma's,
Llama's, SmolLM3's and DeepSeek-V3.1's could not be compared with the hub from here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

TEMPLATES = Path(__file__).with_name("templates")
BYTES = 300  # ids of the byte tokens begin here, past every low special id


@dataclass(frozen=True)
class Family:
    template: str
    special: dict[str, int]
    eos: str
    stops: tuple[int, ...]
    end: str
    bos: str | None = None
    pad: str | None = None
    adds_bos: bool = False
    embeddings: int = 0
    plain: dict[str, int] = field(default_factory=dict)  # added, but ordinary text


PHI4 = {
    "<|endoftext|>": 100257,
    "<|im_start|>": 100264,
    "<|im_end|>": 100265,
    "<|im_sep|>": 100266,
    "<|dummy_85|>": 100349,
}
LLAMA3 = {
    "<|begin_of_text|>": 128000,
    "<|end_of_text|>": 128001,
    "<|finetune_right_pad_id|>": 128004,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eom_id|>": 128008,
    "<|eot_id|>": 128009,
}
QWEN = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}
GEMMA = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3}

FAMILIES = {
    "phi-4": Family(
        "phi4",
        PHI4,
        eos="<|im_end|>",
        stops=(100257, 100265),
        end="<|im_end|>",
        bos="<|endoftext|>",
        pad="<|dummy_85|>",
        embeddings=100352,
    ),
    "phi-4-mini": Family(
        "phi4_mini",
        {
            "<|endoftext|>": 199999,
            "<|assistant|>": 200019,
            "<|end|>": 200020,
            "<|user|>": 200021,
            "<|system|>": 200022,
        },
        eos="<|endoftext|>",
        stops=(200020, 199999),
        end="<|end|>",
        bos="<|endoftext|>",
        pad="<|endoftext|>",
        embeddings=200064,
    ),
    "phi-4-reasoning": Family(
        "phi4_reasoning",
        PHI4,
        eos="<|im_end|>",
        stops=(100257, 100265),
        end="<|im_end|>",
        bos="<|endoftext|>",
        pad="<|dummy_85|>",
        embeddings=100352,
    ),
    "qwen2.5": Family(
        "qwen2_5",
        QWEN,
        eos="<|im_end|>",
        stops=(151645, 151643),
        end="<|im_end|>",
        pad="<|endoftext|>",
        embeddings=151936,
    ),
    "qwen3": Family(
        "qwen3",
        QWEN,
        eos="<|im_end|>",
        stops=(151645, 151643),
        end="<|im_end|>",
        pad="<|endoftext|>",
        embeddings=151936,
        plain={"<think>": 151667, "</think>": 151668},
    ),
    "llama-3": Family(
        "llama3",
        LLAMA3,
        eos="<|eot_id|>",
        stops=(128001, 128009),
        end="<|eot_id|>",
        bos="<|begin_of_text|>",
        adds_bos=True,
        embeddings=128256,
    ),
    "llama-3.2": Family(
        "llama3_2",
        LLAMA3,
        eos="<|eot_id|>",
        stops=(128001, 128008, 128009),
        end="<|eot_id|>",
        bos="<|begin_of_text|>",
        pad="<|finetune_right_pad_id|>",
        adds_bos=True,
        embeddings=128256,
    ),
    "gemma-2": Family(
        "gemma2",
        GEMMA | {"<start_of_turn>": 106, "<end_of_turn>": 107},
        eos="<eos>",
        stops=(1, 107),
        end="<end_of_turn>",
        bos="<bos>",
        pad="<pad>",
        adds_bos=True,
        embeddings=256000,
    ),
    "gemma-3": Family(
        "gemma3",
        GEMMA | {"<start_of_turn>": 105, "<end_of_turn>": 106},
        eos="<eos>",
        stops=(1, 106),
        end="<end_of_turn>",
        bos="<bos>",
        pad="<pad>",
        adds_bos=True,
        embeddings=262144,
    ),
    "deepseek-r1": Family(
        "deepseek_r1_distill",
        {
            "<｜end▁of▁sentence｜>": 151643,
            "<｜User｜>": 151644,
            "<｜Assistant｜>": 151645,
            "<｜begin▁of▁sentence｜>": 151646,
        },
        eos="<｜end▁of▁sentence｜>",
        stops=(151643,),
        end="<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        pad="<｜end▁of▁sentence｜>",
        adds_bos=True,
        embeddings=151936,
        plain={"<think>": 151648, "</think>": 151649},
    ),
    "smollm3": Family(
        "smollm3",
        {
            "<|begin_of_text|>": 128000,
            "<|finetune_right_pad_id|>": 128004,
            "<|im_start|>": 128011,
            "<|im_end|>": 128012,
        },
        eos="<|im_end|>",
        stops=(128012,),
        end="<|im_end|>",
        bos="<|begin_of_text|>",
        pad="<|finetune_right_pad_id|>",
        embeddings=128256,
        plain={"<think>": 128002, "</think>": 128003},
    ),
    "deepseek-v3.1": Family(
        "deepseek_v3_1",
        {
            "<｜begin▁of▁sentence｜>": 0,
            "<｜end▁of▁sentence｜>": 1,
            "<｜User｜>": 128803,
            "<｜Assistant｜>": 128804,
        },
        eos="<｜end▁of▁sentence｜>",
        stops=(1,),
        end="<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
        adds_bos=True,
        embeddings=129280,
        plain={"<think>": 128798, "</think>": 128799},
    ),
}


# Its tokenizer is the real one.
SMOLLM2 = Family(
    "",
    {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2},
    eos="<|im_end|>",
    stops=(2,),
    end="<|im_end|>",
    bos="<|im_start|>",
    pad="<|endoftext|>",
    embeddings=49152,
)


def tokenizer_of(family, *, template=None, special=None):
    """A family's template and special tokens on a byte-level tokenizer."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    marks = family.special | (special or {})
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: BYTES + i for i, letter in enumerate(letters)}
    vocab |= marks | family.plain
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in marks])
    backend.add_tokens([AddedToken(t, normalized=False) for t in family.plain])
    if family.adds_bos:
        backend.post_processor = TemplateProcessing(
            single=f"{family.bos} $A", special_tokens=[(family.bos, marks[family.bos])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=family.eos,
        bos_token=family.bos,
        pad_token=family.pad or family.eos,
        chat_template=template
        or (TEMPLATES / f"{family.template}.jinja").read_text(encoding="utf-8"),
        clean_up_tokenization_spaces=False,
    )


def student_of(name, **changes):
    """A student of a family, all tokenizer: its model only counts embeddings."""
    from phi_kit.inference.local.model import LocalModel

    family = FAMILIES.get(name, SMOLLM2)
    if name == "smollm2":
        from transformers import AutoTokenizer

        from phi_kit.models import catalog

        tokenizer = AutoTokenizer.from_pretrained(catalog.resolve("smollm2-135m"))
    else:
        tokenizer = tokenizer_of(
            family, template=changes.get("template"), special=changes.get("special")
        )
    stops = changes.get("stops", family.stops)
    shape = (changes.get("embeddings", family.embeddings), 1)
    embeddings = SimpleNamespace(weight=SimpleNamespace(shape=shape))
    model = SimpleNamespace(
        generation_config=SimpleNamespace(eos_token_id=list(stops)),
        get_input_embeddings=lambda: embeddings,
    )
    return LocalModel(name, model, tokenizer)
