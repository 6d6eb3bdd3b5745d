"""Training as a user runs it: it ends with numbers, survives SIGKILL bit for bit, and stops politely."""

import hashlib
import json
import random
import signal
import time
import unittest

import support

STEPS = 8
SMALL = [
    "prompts.per_step=4", "train.group_size=4", f"train.steps={STEPS}", "eval.prompts=8", "eval.every=4",
    "run.checkpoint_every=1", "run.keep_checkpoints=2", "run.threads=1",
]
KILLS = 6


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def curves(run):
    """Metric rows without what depends on the clock."""
    return [{key: value for key, value in row.items() if not key.startswith("time/")}
            for row in support.metric_rows(run)]


class Training(support.EndToEndTest):
    def small_run(self, name):
        return ["train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / name}", *SMALL]

    def final_state(self, name):
        checkpoint = self.folder / name / "checkpoints" / f"step_{STEPS:06d}"
        return [digest(checkpoint / file) for file in ("trainable.safetensors", "optimizer.safetensors")]

    def test_killed_run_continues_bit_for_bit(self):
        self.run_program(*self.small_run("whole"))
        chance = random.Random(20251121)
        for _ in range(KILLS):
            process = self.start_program(*self.small_run("killed"))
            time.sleep(chance.uniform(0.1, 2.5))
            self.stop_program(process, signal.SIGKILL)
        self.run_program(*self.small_run("killed"))
        self.assertEqual(self.final_state("killed"), self.final_state("whole"))
        self.assertEqual(curves(self.folder / "killed"), curves(self.folder / "whole"))

    def test_sigterm_leaves_a_run_that_continues(self):
        self.run_program(*self.small_run("whole"))
        process = self.start_program(*self.small_run("stopped"))
        self.wait_until(lambda: len(support.metric_rows(self.folder / "stopped")) >= 3, process)
        self.assertEqual(self.stop_program(process, signal.SIGTERM), support.INTERRUPTED)
        self.assert_mentions(self.background_output(), "interrupted", "the same command continues")
        self.run_program(*self.small_run("stopped"))
        self.assertEqual(self.final_state("stopped"), self.final_state("whole"))

    def test_quickstart_prints_table_and_pictures(self):
        run = self.folder / "quick"
        arguments = ["quickstart", f"run.dir={run}", *SMALL]
        output = self.run_program(*arguments)
        self.assert_mentions(output, "explicit prompts", "implicit prompts", "mean of both", "before_after.png", "finished")
        self.assertGreater((run / "before_after.png").stat().st_size, 1000)
        samples = [json.loads(line) for line in (run / "eval" / f"step_{STEPS:06d}.jsonl").read_text().splitlines()]
        self.assertEqual(len(samples), 16)
        self.assertTrue(all("thinking" in sample and "correct" in sample for sample in samples))
        self.assert_mentions(self.run_program(*arguments), "mean of both")

    def test_text_only_and_image_only(self):
        for weight in ("train.text_weight=0", "train.image_weight=0"):
            self.run_program(*self.small_run(weight), weight, "train.steps=2", "eval.prompts=0")
            rows = support.metric_rows(self.folder / weight)
            self.assertEqual([row["step"] for row in rows], [1, 2])

    def test_bagel_recipes_differ_in_values_only(self):
        """They run on the tiny model, given its folder, its size and a device that is here."""
        tiny = ["model=assets/shapes_base", "rollout.system_prompt=none", "run.device=cpu", "run.threads=1",
                "train.steps=2"]
        self.run_program("train", "recipes/bagel_unigrpo.toml", f"run.dir={self.folder / 'rl'}", *tiny,
                         "prompts.path=recipes/data/prompts_example.txt", "prompts.per_step=2", "train.group_size=3",
                         "rollout.image_size=64", "rollout.max_think_tokens=40", "rollout.updates=6")
        row = support.metric_rows(self.folder / "rl")[-1]
        self.assertEqual(row["update/applied"], 2)
        self.assertEqual(row["gate/first_image_ratio"], 0)
        self.assertLess(row["gate/image_max"], 1e-3)  # bfloat16, and yet who shares a pack changes nothing
        self.run_program("sft", "recipes/bagel_sft.toml", f"run.dir={self.folder / 'sft'}", *tiny, "train.batch=4")
        self.assertTrue((self.folder / "sft" / "model" / "ema.safetensors").exists())

    def test_edit_recipe_trains_and_evaluates_edits(self):
        run = self.folder / "edit"
        self.run_program("train", "recipes/shapes_edit.toml", f"run.dir={run}", "run.threads=1", "prompts.per_step=2",
                         "train.group_size=2", "train.steps=1", "eval.edits=7")
        rows = support.metric_rows(run)
        self.assertEqual([row["step"] for row in rows], [0, 1])
        for row in rows:
            self.assertIn("eval/edits/correct", row)
            self.assertNotIn("eval/correct_explicit", row)

    def test_damaged_checkpoint_falls_back(self):
        self.run_program(*self.small_run("run"))
        whole = self.final_state("run")
        weights = self.folder / "run" / "checkpoints" / f"step_{STEPS:06d}" / "trainable.safetensors"
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        self.assert_mentions(self.run_program(*self.small_run("run")), "trainable.safetensors")
        self.assertEqual(self.final_state("run"), whole)

    def test_a_signal_ends_a_step_under_way(self):
        """A step of many minutes is dropped between two packs, and the continuation does it again."""
        process = self.start_program(*self.small_run("run"), "prompts.per_step=20000", "eval.prompts=0",
                                     "rollout.chains_per_pack=4")
        self.wait_until(lambda: (self.folder / "run" / "metrics.jsonl").exists(), process)
        self.assertEqual(self.stop_program(process, signal.SIGTERM), support.INTERRUPTED)
        self.assert_mentions(self.background_output(), "asked to end, as soon as what is under way allows", "the state is saved")
        self.assertEqual(support.metric_rows(self.folder / "run"), [])
        self.assertEqual([path.name for path in (self.folder / "run" / "checkpoints").glob("step_*")], ["step_000000"])

    def test_one_folder_belongs_to_one_process(self):
        process = self.start_program(*self.small_run("run"))
        self.wait_until(lambda: support.metric_rows(self.folder / "run"), process)
        self.assert_mentions(self.run_program(*self.small_run("run"), status=support.IO), process.pid)

    def test_changed_recipe_is_named(self):
        self.run_program(*self.small_run("run"))
        output = self.run_program(*self.small_run("run"), "train.group_size=2", status=support.CONFIG)
        self.assert_mentions(output, "train.group_size")


class TrainingErrors(support.EndToEndTest):
    def train(self, *overrides, status):
        return self.run_program("train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / 'run'}", *overrides,
                                status=status)

    def test_missing_model(self):
        self.assert_mentions(self.train("model=nowhere", status=support.MODEL), "nowhere", "model folder")

    def test_missing_prompts(self):
        output = self.train("prompts.source=file", "prompts.path=none.txt", "reward.kind=brightness",
                            status=support.DATA)
        self.assert_mentions(output, "none.txt")

    def test_reward_that_cannot_score_a_file(self):
        output = self.train("prompts.source=file", "prompts.path=recipes/data/prompts_example.txt",
                            status=support.CONFIG)
        self.assert_mentions(output, "reward.kind")

    def test_window_outside_the_grid(self):
        self.assert_mentions(self.train("rollout.window_size=9", status=support.CONFIG), "rollout.window_range")

    def test_combinations_that_would_not_train_as_asked(self):
        """Each is refused before the run folder is made, so that the corrected command starts at once."""
        wrong = {
            "rollout.temperature": ["rollout.temperature=0"],
            "rollout.top_p": ["rollout.top_p=0"],
            "rollout.top_k": ["rollout.top_k=1"],
            "lora.targets": ["lora.rank=4", "lora.targets=[]"],
            "train.mini_batches": ["prompts.per_step=2", "train.mini_batches=3"],
            "reward.kind": ["reward.kind=shapes_edit"],
            "eval.prompts": ["rollout.episode=edit", "prompts.source=shapes_edits", "reward.kind=shapes_edit"],
            "rollout.image_size: expected 32": ["rollout.image_size=64"],
            "rollout.image_size: expected a multiple of 16": ["reward.kind=brightness", "rollout.image_size=40",
                                                              "eval.prompts=0"],
        }
        for named, overrides in wrong.items():
            with self.subTest(overrides=overrides):
                self.assert_mentions(self.train(*overrides, status=support.CONFIG), named)
                self.assertFalse((self.folder / "run").exists())

    def test_a_stand_in_for_a_reward_is_named(self):
        output = self.train("reward.kind=brightness", "rollout.episode=t2i", "eval.prompts=0", "prompts.per_step=2",
                            "train.group_size=2", "train.steps=1", "run.threads=1", status=support.OK)
        self.assert_mentions(output, 'warning: reward.kind = "brightness"', "stand-in")

    def test_damaged_model(self):
        model = self.folder / "model"
        model.mkdir()
        for file in (support.REPOSITORY / "assets/shapes_base").iterdir():
            (model / file.name).write_bytes(file.read_bytes())
        weights = model / "ema.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        self.assert_mentions(self.train(f"model={model}", status=support.MODEL), "ema.safetensors")
        self.assertFalse((self.folder / "run").exists())


if __name__ == "__main__":
    unittest.main()
