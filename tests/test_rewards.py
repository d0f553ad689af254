"""Verifiers as rewards: what a trainer gets for what a model says."""

from itertools import islice

import pytest

from phi_kit import domains, rewards
from phi_kit.core.errors import StudyError
from phi_kit.data.generators import generate_items


def some(name, family, n=4):
    (one,) = domains.get(name).in_style("steps").chosen([family])
    return list(islice(generate_items(name, one, rng_seed=3, split="train"), n))


def test_right_is_one_wrong_nought_and_an_unreadable_gold_nothing():
    reward = rewards.of("math")
    said = ["2 + 2 = 4\nAnswer: 4", "Answer: 5", "Answer: 4", ""]
    golds = ["4", "4", "proof", "4"]
    assert reward(["q"] * 4, said, answer=golds) == [1.0, 0.0, None, 0.0]
    assert reward.__name__ == "math_verifier"
    with pytest.raises(StudyError, match="did you mean 'math'"):
        rewards.of("maths")


def said(text):
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(
    ("name", "family"), [("math", "sum-2"), ("stem", "facts-1"), ("safety", "asked")]
)
def test_messages_and_what_a_verifier_needs_are_handed_on(name, family):
    """As TRL calls it: with every column of the data set, and more of its own."""
    seeds = some(name, family)
    data = rewards.prompts_of(seeds, name)
    assert data[0]["prompt"][1] == {"role": "user", "content": seeds[0].prompt}
    right = [said(f"So.\nAnswer: {seed.answer}") for seed in seeds]
    columns = {key: data[key] for key in ("answer", "extra")}
    found = rewards.of(name)(data["prompt"], right, trainer_state=None, **columns)
    assert found == [1.0] * len(seeds)
    none = [said("I like trains.")] * len(seeds)
    assert set(rewards.of(name)(data["prompt"], none, **columns)) <= {0.0}


@pytest.mark.slow
def test_a_short_grpo_run_is_rewarded(tiny, tmp_path):
    """TRL's own trainer, on the tiny model: every completion gets its reward."""
    from trl import GRPOConfig, GRPOTrainer

    seeds = some("math", "sum-1", 8)
    seen = []
    reward = rewards.of("math")

    def told(prompts, completions, **columns):
        found = reward(prompts, completions, **columns)
        seen.extend(found)
        return found

    config = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        num_generations=2,
        max_completion_length=8,
        learning_rate=1e-3,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=tiny.model,
        processing_class=tiny.tokenizer,
        reward_funcs=[reward, told],
        args=config,
        train_dataset=rewards.prompts_of(seeds, "math"),
    )
    trainer.train()
    assert len(seen) >= 8
    assert set(seen) <= {0.0, 1.0}
    log = trainer.state.log_history
    assert any("rewards/math_verifier/mean" in line for line in log), log
