"""AlphaGRPO as a user runs it: refinement, rounds, edits, and rewards from a served judge, which may die."""

import json
import signal
import unittest

import support
import test_training

SMALL = ["prompts.per_step=2", "train.group_size=3", "eval.prompts=0", "eval.edits=0", "run.checkpoint_every=1",
         "run.threads=1"]
QUICK_TO_FAIL = ["reward.judge.retries=1", "reward.judge.backoff_base_seconds=0.01", "reward.judge.timeout_seconds=20",
                 "reward.judge.breaker_rest_seconds=0.05", "reward.judge.give_up_seconds=20"]
BASE = "assets/shapes_base"


class ServedJudge(support.EndToEndTest):
    def serve(self, port=0):
        log = self.folder / "output.txt"
        before = len(log.read_text()) if log.exists() else 0
        process = self.start_program("serve", BASE, "--port", port, "--threads", 1)
        self.wait_until(lambda: "listening on" in log.read_text()[before:], process)
        url = log.read_text()[before:].split("listening on ")[1].split()[0]
        return process, url

    def judged(self, url, *overrides, status=support.OK):
        return self.run_program("train", "recipes/shapes_rt2i_judge.toml", f"run.dir={self.folder / 'run'}", *SMALL,
                                f'reward.judge.endpoints=["{url}/v1"]', *overrides, status=status)

    def test_rewards_of_a_served_judge(self):
        _, url = self.serve()
        for kind in ("dvreward", "scalar", "viescore", "judge_holistic"):
            self.judged(url, f"reward.kind={kind}", f"run.dir={self.folder / kind}", "train.steps=2",
                        "train.record_every=1", "reward.max_missing=1")
            row = support.metric_rows(self.folder / kind)[-1]
            self.assertGreater(row["judge/requests"], 0)
            self.assertEqual(row["judge/failed"], 0)
            lines = (self.folder / kind / "rollouts" / "step_000001.jsonl").read_text().splitlines()
            self.assertEqual(len(lines), 6)
            stages = [json.loads(line) for line in lines]
            self.assertTrue(all((self.folder / kind / "rollouts" / stage["image"]).exists() for stage in stages))
            if kind == "dvreward":
                self.assertEqual(row["reward/masked"], 0)
                self.assertTrue(all(0 <= check["value"] <= 1 for stage in stages for check in stage["checks"]
                                    if not check["name"].startswith("term/")))

    def test_a_dead_judge_stops_the_run_and_is_no_zero(self):
        output = self.judged("http://127.0.0.1:9", "train.steps=2", *QUICK_TO_FAIL, status=support.REWARD)
        self.assert_mentions(output, "missing")
        self.assertEqual(support.metric_rows(self.folder / "run"), [])

    def test_a_judge_that_dies_midway(self):
        server, url = self.serve()
        self.judged(url, "train.steps=2", "optimizer.decay=constant", *QUICK_TO_FAIL)
        self.stop_program(server, signal.SIGKILL)
        self.judged(url, "train.steps=4", "optimizer.decay=constant", *QUICK_TO_FAIL, status=support.REWARD)
        self.assertEqual([row["step"] for row in support.metric_rows(self.folder / "run")], [1, 2])
        self.serve(port=url.rsplit(":", 1)[1])
        self.judged(url, "train.steps=4", "optimizer.decay=constant", *QUICK_TO_FAIL)
        rows = support.metric_rows(self.folder / "run")
        self.assertEqual([row["step"] for row in rows], [1, 2, 3, 4])
        self.assertTrue(all(row["reward/masked"] == 0 for row in rows))


class Recipes(support.EndToEndTest):
    def train(self, recipe, name, *overrides):
        self.run_program("train", f"recipes/{recipe}.toml", f"run.dir={self.folder / name}", *SMALL, *overrides)
        return support.metric_rows(self.folder / name)

    def test_episodes_run_with_exact_ratios(self):
        for recipe in ("shapes_rt2i", "shapes_srr", "shapes_rounds", "shapes_edit"):
            for row in self.train(recipe, recipe, "train.steps=2"):
                self.assertEqual(row.get("gate/first_image_ratio", 0), 0, recipe)
                self.assertEqual(row.get("gate/first_text_ratio", 0), 0, recipe)

    def test_refinement_runs_continue_bit_for_bit(self):
        for recipe in ("shapes_srr", "shapes_rounds"):
            steps = ["train.steps=4", "optimizer.decay=constant"]
            self.train(recipe, f"{recipe}_whole", *steps)
            self.train(recipe, f"{recipe}_parts", "train.steps=2", "optimizer.decay=constant")
            self.train(recipe, f"{recipe}_parts", *steps)
            self.assertEqual(test_training.curves(self.folder / f"{recipe}_parts"),
                             test_training.curves(self.folder / f"{recipe}_whole"))

    def test_bagel_recipes_differ_in_values_only(self):
        """They run on the tiny model, given its folder, its size, a device that is here, and a reward without a judge."""
        tiny = [f"model={BASE}", "run.device=cpu", "rollout.system_prompt=none", "rollout.max_think_tokens=20", "rollout.image_size=32",
                "prompts.path=recipes/data/prompts_example.txt", "reward.kind=brightness", "train.steps=1",
                "train.gate_image=5"]
        for recipe in ("bagel_rt2i", "bagel_srr"):
            row = self.train(recipe, recipe, *tiny)[-1]
            self.assertEqual(row["update/applied"], 1, recipe)


class Evaluation(support.EndToEndTest):
    def test_modes_and_edits(self):
        for mode in ("none", "always", "self", "oracle"):
            output = self.run_program("eval", "recipes/shapes_eval.toml", "eval.prompts=8", "eval.edits=7",
                                      f"eval.refine={mode}", f"out={self.folder / mode}", "threads=1")
            self.assert_mentions(output, f"refinement: {mode}", "explicit prompts", "background")
            result = json.loads((self.folder / mode / "result.json").read_text())
            self.assertEqual("refinement" in result, mode != "none")
            if mode == "oracle":
                self.assertEqual(result["refinement"]["kept_right"], 1 if result["refinement"]["before"] > 0 else 0)
        self.assertTrue((self.folder / "self" / "edits.png").exists())


if __name__ == "__main__":
    unittest.main()
