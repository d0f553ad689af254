"""A process that samples on a real, tiny model and is killed while it does."""

import os
import time
from dataclasses import replace

import torch
from tiny import tiny_student
from transformers import AutoTokenizer

from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog
from phi_kit.models.chat_template import render

torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(catalog.resolve("smollm2-135m"))
STUDENT = tiny_student(tokenizer, identity="tiny/float64")
# In double precision no rounding tells one batch from another; and a tenth of
# the tokens end a turn, so that samples end one after the other.
STUDENT.model.double()
STUDENT.model.generation_config.eos_token_id = list(range(0, len(tokenizer), 10))

PROMPTS = [render(tokenizer, "Count.", f"What is {n} + {n}?") for n in range(8)]
LABELS, K = 6, 12
SAMPLES = LABELS * len(PROMPTS) * K


class Paying:
    """The tiny student; on file is what it was asked and what was taken of it."""

    name, identity = STUDENT.name, STUDENT.identity

    def __init__(self, log, pause):
        self.pause = pause
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def render(self, instruction, prompt, **how):
        return STUDENT.render(instruction, prompt, **how)

    def note(self, what, seeds):
        lines = "".join(f"{what} {seed}\n" for seed in seeds)
        os.write(self.log, lines.encode())

    def stream(self, asked, sampling):
        self.note("asked", [one.seed for one in asked])
        for place, sample in STUDENT.stream(asked, sampling):
            time.sleep(self.pause)
            yield place, sample
            self.note("taken", [asked[place].seed])


def sample(address, log, pause):
    """Everything there is to sample, with a pause of some seconds before each."""
    os.environ["PHI_KIT_LEDGER"] = address
    os.environ["PHI_KIT_HEADLESS"] = "1"
    paying = Paying(log, pause)
    for label in range(LABELS):
        how = replace(SamplingParams(max_tokens=24), temperature=1.0)
        draw(paying, PROMPTS, how, k=K, rng_seed=label, label=f"draw {label}")
