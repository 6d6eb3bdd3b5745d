#!/usr/bin/env python3
"""Trains random recipes for three steps each and reports those that end as no recipe should.

Values of keys are drawn, edges included, over the shipped shapes recipes, made as small as they run. A recipe may be
refused (exit 3) or may train; reported with its overrides is what else happens: a crash or exit 70, an error that blames
the numbers or the reward, a value in the metrics that is not finite, a skipped update, a step that updates nothing and
does not say so, a run that learns nothing although its steps updated.

    DIPTYCH_BINARY=build/release/diptych python3 tests/stress/random_recipes.py --recipes 200 --seed 0
"""

import argparse
import collections
import json
import pathlib
import random
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import fault_runs  # noqa: E402
import support  # noqa: E402

STEPS = 3
SCORER = support.REPOSITORY / "tests/stress/unsteady_scorer.py"
SMALL = ["prompts.per_step=1", "train.group_size=2", "rollout.updates=4", "rollout.window_range=[0,3]",
         "rollout.window_size=2", "rollout.max_think_tokens=12", "refine.initial_images=2", "refine.draws=1",
         "eval.prompts=0", "eval.edits=0", "run.threads=1", "train.record_every=2",
         f"reward.command.program=[\"python3\",\"{SCORER}\"]", f"train.steps={STEPS}"]
RECIPES = ["shapes_unigrpo", "shapes_rounds", "shapes_edit", "shapes_srr", "shapes_rt2i"]
REWARDS = ["shapes_soft", "shapes_mixed", "shapes_strict", "brightness", "command"]

# A list is drawn from; where the recipe does not make sense, it is refused.
VALUES = {
    "prompts.per_step": [1, 2, 3],
    "rollout.episode": ["t2i", "think", "edit_think", "reflect", "rounds:1", "rounds:3"],
    "rollout.system_prompt": ["none", "bagel", "draw it", ""],
    "rollout.max_think_tokens": [1, 2, 40],
    "rollout.temperature": [0, 0.01, 0.5, 2, 100],
    "rollout.top_p": [0, 1e-9, 0.5, 1],
    "rollout.top_k": [0, 1, 2, 1000000],
    "rollout.updates": [3, 5, 8],
    "rollout.updates_are_points": [True, False],
    "rollout.timestep_shift": [0.001, 0.1, 0.3, 0.301, 0.5, 1, 3, 20, 1000],
    "rollout.noise_level": [0, 0.01, 0.5, 1, 1.4, 3],
    "rollout.window_range": [[0, 1], [0, 3], [1, 3], [1, 2], [2, 4], [0, 4]],
    "rollout.window_size": [1, 2, 3],
    "rollout.guidance.text_scale": [1, 1.5, 4],
    "rollout.guidance.image_scale": [1, 2],
    "rollout.guidance.interval": [[0, 1], [0.4, 1], [0.5, 0.5], [0, 0]],
    "rollout.guidance.renorm": ["global", "channel", "text_channel"],
    "rollout.guidance.renorm_min": [0, 0.5, 1],
    "rollout.edit_guidance.text_scale": [1, 2],
    "rollout.edit_guidance.image_scale": [1, 2],
    "rollout.chains_per_pack": [1, 3],
    "reward.kind": [*REWARDS, "shapes_edit", "shapes_edit_strict", "format_think", "format_think_answer"],
    "reward.terms": [["command:0"], ["brightness:0"], ["command:0.5"], ["brightness:-1"], ["format_think:0"],
                     ["brightness:0.5", "command:0"], ["shapes_strict:0", "brightness:1e6"]],
    "reward.format_weight": [0, 0.5, 1e6],
    "reward.format_rule": ["think", "think_answer"],
    "reward.max_missing": [0.5, 1],
    "train.group_size": [2, 3],
    "train.mini_batches": [1, 2, 3],
    "train.epochs": [1, 2, 3],
    "train.und_learning_rate": [0, 1e-9, 1e-4, 1e-2],
    "train.gen_learning_rate": [0, 1e-9, 1e-3, 1e-2],
    "train.text_weight": [0, 1e-6, 1, 1000],
    "train.image_weight": [0, 1e-6, 1, 1000],
    "train.velocity_mse_weight": [0, 1e-3, 1],
    "train.velocity_mse_reduction": ["mean", "sum"],
    "train.latent_kl_weight": [0, 1e-3, 1],
    "train.text_kl_weight": [0, 0.01, 1],
    "train.text_clip_low": [0, 0.2, 1],
    "train.text_clip_high": [0, 0.3, 1e6],
    "train.image_clip_low": [0, 1e-5, 1],
    "train.image_clip_high": [0, 1e-5, 1e6],
    "train.scale_with_geometry": [True, False],
    "train.ratio_norm": [True, False],
    "train.inverse_dt": [True, False],
    "train.text_ratio": ["token", "sequence"],
    "train.text_aggregation": ["sequence_mean", "token_mean"],
    "train.advantage_std": ["group", "round"],
    "train.normalise_each_reward": [True, False],
    "train.advantage_epsilon": [0, 1e-4, 1],
    "train.text_advantage_clamp": [0, 0.1, 5],
    "train.image_advantage_clamp": [0, 0.1, 5],
    "train.context_gradient": ["full", "detached"],
    "train.old_logprob": ["replay", "rollout"],
    "train.window_start": ["random", "first"],
    "train.chains_per_pack": [1, 2, 32],
    "train.recompute_layers": [True, False],
    "train.shard_weights": [True, False],
    "train.gradient_dtype": ["float32", "bfloat16"],
    "train.record_every": [0, 1],
    "train.parameters": [["*"], ["llm2vae*"], ["vae2llm*"], ["*lm_head*"], ["*moe_gen*"], ["*q_proj*", "!*moe_gen*"],
                         ["*layers.*", "!*layers.0.*"], ["time_embedder*"]],
    "lora.rank": [1, 4],
    "lora.alpha": [0, 1, 64],
    "lora.targets": [["*q_proj*"], ["*_moe_gen"], ["*mlp*"]],
    "optimizer.beta1": [0, 0.9, 0.9999999],
    "optimizer.beta2": [0, 0.999, 0.9999999],
    "optimizer.epsilon": [1e-30, 1e-8, 1],
    "optimizer.weight_decay": [0, 0.01, 1],
    "optimizer.max_grad_norm": [0, 1e-6, 1, 1e9],
    "optimizer.warmup_steps": [0, 1, 2, 20, 2**63 - 1],
    "optimizer.decay": ["constant", "cosine"],
    "refine.initial_images": [1, 3],
    "refine.initial_episode": ["t2i", "think"],
    "refine.selection": ["worst", "first"],
    "refine.rectification": ["off", "code", "paper"],
    "refine.draws": [1, 2],
    "refine.mix_t2i": [True, False],
    "refine.credit": ["improvement", "final"],
    "refine.stop_bonus": [0, 0.5, 1e6],
    "refine.false_stop_cost": [0, 0.5, 1e6],
    "refine.perfect": [0, 0.5, 1],
    "run.dtype": ["float32", "bfloat16"],
    "run.checkpoint_every": [0, 1],
    "eval.prompts": [1],
    "eval.edits": [1],
    "eval.every": [0, 1],
    "eval.updates": [0, 1, 3],
    "eval.guidance": [1, 2],
    "eval.refine": ["none", "always", "self", "oracle"],
    "eval.refine_rounds": [1, 2],
}
# Of what makes a step or its losses what they are, more is drawn than of the rest.
OFTEN = ["rollout.episode", "reward.kind", "reward.terms", "rollout.noise_level", "rollout.timestep_shift",
         "train.text_weight", "train.image_weight", "train.normalise_each_reward", "train.parameters"]


def override(key, value):
    return f"{key}={value if isinstance(value, str) and value else json.dumps(value)}"


def draw(chance):
    """A recipe file and overrides."""
    recipe = chance.choice(RECIPES)
    keys = {key for key in OFTEN if chance.random() < 0.2}
    keys.update(chance.sample(sorted(VALUES), chance.randint(1, 9)))
    drawn = {key: chance.choice(VALUES[key]) for key in sorted(keys)}
    # What most would be refused for.
    if drawn.get("train.mini_batches", 1) > drawn.get("prompts.per_step", 1):
        drawn["prompts.per_step"] = drawn["train.mini_batches"]
    if drawn.get("train.shard_weights"):
        drawn["train.recompute_layers"] = True
        drawn.pop("lora.rank", None)
    if drawn.get("run.dtype") == "bfloat16":  # it rounds more than the clip of another geometry allows
        drawn.pop("train.scale_with_geometry", None)
    if "rollout.episode" in drawn:
        edits = drawn["rollout.episode"].startswith("edit")
        drawn["prompts.source"] = "shapes_edits" if edits else "shapes"
        if edits != drawn.get("reward.kind", "").startswith("shapes_edit"):
            drawn["reward.kind"] = "shapes_edit" if edits else chance.choice(REWARDS)
    return recipe, [override(key, value) for key, value in drawn.items()]


def faults_of(status, output, run):
    """Why the outcome of a run is none that a recipe should have; empty if it is."""
    if status == support.CONFIG:
        return []
    if status not in (support.OK, support.REWARD):
        return [f"exit status {status}"]
    found = []
    if status == support.REWARD and "of them missing" not in output:
        found.append("exit status 8, not for missing rewards")
    text = (run / "metrics.jsonl").read_text() if (run / "metrics.jsonl").exists() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        found += [f"step {row['step']}: {name} is not finite" for name, value in row.items() if value is None]
        if row.get("update/skipped", 0) > 0:
            found.append(f"step {row['step']}: skipped updates")
        silent = row.get("update/applied", 0) == 0 and not re.search(rf"step {row['step']}: .*nothing", output)
        if row["step"] > 0 and silent:
            found.append(f"step {row['step']}: no update, and not said")
        norms = [value for name, value in row.items() if name.startswith("grad_norm/")]
        if norms and not any(norms) and "every gradient was 0" not in output:
            found.append(f"step {row['step']}: every gradient was 0, and not said")
    if status == support.OK and len([row for row in rows if row["step"] > 0]) != STEPS:
        found.append(f"{len(rows)} rows of metrics")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first recipe; the next has the next")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="diptych_recipes_"))
    outcomes, failures = collections.Counter(), 0
    for seed in range(options.seed, options.seed + options.recipes):
        recipe, overrides = draw(random.Random(seed))
        run = folder / "run"
        status, output = fault_runs.run([support.BINARY, "train", f"recipes/{recipe}.toml", *SMALL, *overrides,
                                         f"run.dir={run}"])
        found = faults_of(status, output, run)
        outcomes[status] += 1
        if found:
            failures += 1
            print(f"\nseed {seed}: {'; '.join(found)}\n  {recipe} {' '.join(map(repr, overrides))}")
            print("  " + "\n  ".join(output.strip().splitlines()[-6:]), flush=True)
        shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(folder)
    for status, count in sorted(outcomes.items()):
        print(f"{count:5d} recipes ended with {status}")
    print(f"seeds {options.seed} to {options.seed + options.recipes - 1}: {failures} faults")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
