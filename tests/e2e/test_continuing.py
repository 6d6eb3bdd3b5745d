"""Runs that are asked to end while others keep them waiting, and runs that start from another."""

import json
import socket
import unittest

import support

SMALL = ["prompts.per_step=2", "train.group_size=2", "rollout.max_think_tokens=20", "run.threads=1",
         "train.parameters=[\"*.layers.0.self_attn.q_proj*\"]"]


class Continuing(support.EndToEndTest):
    def train(self, *overrides, recipe="shapes_unigrpo", run="run", status=support.OK):
        return self.run_program("train", f"recipes/{recipe}.toml", f"run.dir={self.folder / run}", *SMALL, *overrides,
                                status=status)

    def start(self, recipe, *overrides):
        return self.start_program("train", f"recipes/{recipe}.toml", f"run.dir={self.folder / 'run'}", *SMALL,
                                  *overrides)

    def checkpoints(self, run="run"):
        return sorted(folder.name for folder in (self.folder / run / "checkpoints").glob("step_*"))

    def test_a_signal_waits_for_no_judge(self):
        """The judge takes requests and never answers; its first one comes while the model still paints."""
        with socket.create_server(("127.0.0.1", 0)) as judge:
            judge.settimeout(300)
            process = self.start("shapes_rt2i_judge", "prompts.per_step=200", "rollout.chains_per_pack=1",
                                 "eval.prompts=0", "eval.edits=0", "reward.judge.timeout_seconds=3600",
                                 "reward.judge.give_up_seconds=3600",
                                 f'reward.judge.endpoints=["http://127.0.0.1:{judge.getsockname()[1]}/v1"]')
            connection, _ = judge.accept()
            with connection:
                self.assertEqual(self.stop_program(process, timeout=120), support.INTERRUPTED)
        self.assertEqual(self.checkpoints(), ["step_000000"])

    def test_a_signal_ends_an_evaluation_which_is_made_up_for(self):
        process = self.start("shapes_unigrpo", "train.steps=1", "eval.prompts=10000", "rollout.chains_per_pack=4")
        self.wait_until((self.folder / "run" / "recipe.toml").exists, process)
        self.assertEqual(self.stop_program(process), support.INTERRUPTED)
        self.assertEqual(support.metric_rows(self.folder / "run"), [])
        self.train("train.steps=1", "eval.prompts=2")
        rows = support.metric_rows(self.folder / "run")
        self.assertEqual([row["step"] for row in rows], [0, 1])
        self.assertTrue(all("eval/reward" in row for row in rows))

    def test_a_run_is_mended_and_forked_and_its_report_says_so(self):
        few = ["eval.prompts=0", "train.steps=1"]
        self.train(*few)
        self.assert_mentions(self.train("eval.prompts=0", "train.steps=2", "train.gen_learning_rate=1e-6"),
                             "from step 1 on", "train.gen_learning_rate", "changes.jsonl")
        output = self.train(*few, "run.seed=9", status=support.CONFIG)
        self.assert_mentions(output, "run.seed: 0 -> 9", "run.from=")
        self.assert_mentions(self.train("eval.prompts=0", "train.steps=3", f"run.from={self.folder / 'run'}",
                                        "run.seed=9", run="fork"), "starting from the checkpoint of step 2")
        self.assertEqual([row["step"] for row in support.metric_rows(self.folder / "fork")], [3])
        lines = (self.folder / "fork" / "changes.jsonl").read_text().splitlines()
        self.assertIn({"step": 2, "key": "run.seed", "before": "0", "after": "9"}, map(json.loads, lines))
        self.run_program("report", self.folder / "fork")
        self.assert_mentions((self.folder / "fork" / "report.html").read_text(), "Changed on the way",
                             "from step 2 run.seed 0 → 9")

    def test_another_kind_of_run_is_said_in_one_line(self):
        self.train("eval.prompts=0", "train.steps=1")
        output = self.run_program("sft", "recipes/shapes_sft.toml", "model=assets/shapes_base",
                                  f"run.dir={self.folder / 'run'}", status=support.CONFIG)
        self.assert_mentions(output, 'a run of kind "sft"', 'one of kind "rl"')
        self.assertLess(len(output.splitlines()[-1]), 300)


if __name__ == "__main__":
    unittest.main()
