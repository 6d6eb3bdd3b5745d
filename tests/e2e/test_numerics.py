"""Rewards that are no numbers, or too large: masked, or named."""

import json
import unittest

import support

CHAINS = 6
SMALL = [
    "prompts.per_step=2", "train.group_size=3", "train.steps=6", "train.max_skipped=3", "eval.prompts=1",
    "train.record_every=1", "rollout.max_think_tokens=20", "run.checkpoint_every=1", "run.keep_checkpoints=9",
    "run.threads=1", "reward.kind=command",
]
# Scores the bytes of the picture. The file `mode` says how it misbehaves; the first line is diptych's own trial.
SCORER = """
import json, pathlib, sys
mode = pathlib.Path(sys.argv[1])
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    score = sum(pathlib.Path(request["image"]).read_bytes()) % 97 / 97
    asked = mode.read_text() if number > 0 else ""
    if asked == "nan sometimes" and number % 6 == 3: score = float("nan")
    if asked == "nan after the evaluation" and number > 2: score = float("nan")
    if asked == "too large to add up": score = (1 + score / 2) * 1e308
    print(json.dumps({"id": request["id"], "score": score}), flush=True)
"""


class Numerics(support.EndToEndTest):
    def train(self, name, mode, status=support.OK):
        scorer = self.folder / "scorer.py"
        scorer.write_text(SCORER)
        (self.folder / "mode").write_text(mode)
        program = json.dumps(["python3", str(scorer), str(self.folder / "mode")])
        return self.run_program("train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / name}", *SMALL,
                                f"reward.command.program={program}", status=status)

    def chains(self, name, step):
        lines = (self.folder / name / "rollouts" / f"step_{step:06d}.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def weights(self, name, step):
        return (self.folder / name / "checkpoints" / f"step_{step:06d}" / "trainable.safetensors").read_bytes()

    def test_a_reward_that_is_no_number_is_masked_and_not_zero(self):
        self.train("run", "nan sometimes")
        for row in support.metric_rows(self.folder / "run")[1:]:
            self.assertAlmostEqual(row["reward/masked"], 1 / CHAINS)
            chains = self.chains("run", row["step"])
            missing = [chain for chain in chains if not chain["valid"]]
            self.assertEqual((len(chains), len(missing)), (CHAINS, 1))
            self.assertEqual(missing[0]["advantage"], 0)
            self.assertIn("NaN", missing[0]["reply"])
            rewards = [chain["reward"] for chain in chains if chain["valid"]]
            self.assertAlmostEqual(row["reward/mean"], sum(rewards) / len(rewards))

    def test_a_reward_that_fails_in_the_first_step_costs_nothing(self):
        self.train("whole", "")
        self.assert_mentions(self.train("run", "nan after the evaluation", status=support.REWARD), "NaN")
        self.train("run", "")
        self.assertEqual(self.weights("run", 6), self.weights("whole", 6))
        steps = [row["step"] for row in support.metric_rows(self.folder / "run")]
        self.assertEqual(steps, list(range(7)))

    def test_rewards_too_large_to_average_are_named(self):
        output = self.train("run", "too large to add up", status=support.NUMERICS)
        self.assert_mentions(output, "expected a reward of at most 1e+100", "is saved")
        self.assertFalse((self.folder / "run" / "model").exists())
        self.train("run", "")
        self.assertEqual([row["step"] for row in support.metric_rows(self.folder / "run")], list(range(7)))


if __name__ == "__main__":
    unittest.main()
