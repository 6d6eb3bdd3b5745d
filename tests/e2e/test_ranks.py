"""Training in several processes: the same rollouts, the same update within rounding, parts of checkpoints for any number
of ranks, and failures that name the rank."""

import array
import hashlib
import json
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import unittest
from unittest import mock

from support import BINARY, CONFIG, INTERRUPTED, MODEL, OK, PEER, REPOSITORY, EndToEndTest, end_process, metric_rows

RECIPE = "recipes/shapes_unigrpo.toml"
SMALL = ["run.threads=1", "prompts.per_step=4", "train.group_size=4", "eval.prompts=0", "optimizer.decay=constant",
         "train.record_every=1"]


def float_tensors(file):
    """{name: values} of the BF16 and F32 tensors of a safetensors file."""
    contents = file.read_bytes()
    length = struct.unpack_from("<Q", contents)[0]
    header = json.loads(contents[8:8 + length])
    values = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        numbers = array.array("H" if entry["dtype"] == "BF16" else "f", contents[begin:end])
        if entry["dtype"] == "BF16":
            numbers = array.array("f", array.array("I", [number << 16 for number in numbers]).tobytes())
        values[name] = numbers
    return values


def relative_change(values, others):
    """Norm of the difference by the norm of `others`."""
    return math.dist(values, others) / (math.hypot(*others) or 1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RanksTest(EndToEndTest):

    def start_ranks(self, world, run, *changes, own=None, recipe=RECIPE):
        """Starts the ranks as torchrun would; `own`: further changes of one rank."""
        port = free_port()
        processes = []
        for rank in range(world):
            environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
                           "MASTER_PORT": str(port)}
            if world != 2:  # as Kubernetes' operators leave it out
                environment["LOCAL_RANK"] = str(rank)
            of_kind = ["train", recipe, *SMALL] if recipe == RECIPE else ["sft", recipe]
            command = [BINARY, *of_kind, f"run.dir={run}", *changes, *(own or {}).get(rank, [])]
            with open(self.folder / f"rank{rank}.txt", "wb") as output:
                process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output,
                                           stderr=output, env=environment)
            self.addCleanup(end_process, process)
            processes.append(process)
        return processes

    def output_of(self, rank):
        return (self.folder / f"rank{rank}.txt").read_text(errors="replace")

    def train(self, world, name, *changes, recipe=RECIPE):
        run = self.folder / name
        for rank, process in enumerate(self.start_ranks(world, run, *changes, recipe=recipe)):
            self.assertEqual(process.wait(300), OK, self.output_of(rank))
        return run

    def assert_same_updates(self, run, expected):
        rows, others = metric_rows(run), metric_rows(expected)
        self.assertEqual(len(rows), len(others))
        for row, other in zip(rows, others):
            self.assertEqual({name for name in row if "time/" not in name}, {name for name in other if "time/" not in name})
            for name, value in other.items():
                if name.startswith(("time/", "gate/")):
                    continue
                # Losses are sums that cancel; everything else is far from 0 or exactly 0.
                self.assertAlmostEqual(row[name], value, delta=2e-5 + 2e-3 * abs(value), msg=name)

    def pictures(self, run, step=1):
        folder = run / "rollouts" / f"step_{step:06d}"
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("prompt*.png")}

    def test_ranks_make_the_same_rollouts_and_updates(self):
        alone = self.train(1, "one", "train.steps=3")
        expected = self.pictures(alone)
        self.assertGreaterEqual(len(expected), 16)
        for world in (2, 4):
            run = self.train(world, f"ranks{world}", "train.steps=3")
            pictures = self.pictures(run)
            # Rank 0 records what it sampled: every world-th prompt.
            own = {name: digest for name, digest in expected.items() if int(name[len("prompt")]) % world == 0}
            self.assertEqual(pictures, own)
            # Rewards of the first step come from equal weights, so they are equal to the last bit.
            for name in ("reward/mean", "reward/std", "reward/group_std", "think/length"):
                self.assertEqual(metric_rows(run)[0][name], metric_rows(alone)[0][name])
            self.assert_same_updates(run, alone)

    def test_refinements_and_adapters_are_dealt_too(self):
        for changes in (["rollout.episode=rounds:1"], ["lora.rank=2", "lora.alpha=4", "train.mini_batches=2"]):
            name = changes[0].replace(":", "")
            alone = self.train(1, f"one {name}", "train.steps=2", *changes)
            both = self.train(2, f"two {name}", "train.steps=2", *changes)
            self.assert_same_updates(both, alone)

    def test_evaluations_are_dealt(self):
        """Weights of the first are equal, so all that it leaves is, to the last bit."""
        changes = ["train.steps=1", "prompts.per_step=1", "train.group_size=2", "eval.prompts=5", "eval.edits=4",
                   "eval.refine=self", "eval.updates=4"]
        left = {}
        for world in (1, 2, 5):
            run = self.train(world, f"ranks{world}", *changes)
            row = metric_rows(run)[0]
            left[world] = ({name: value for name, value in row.items() if name.startswith("eval/")},
                           {file.name: file.read_bytes() for file in (run / "eval").glob("step_000000*")})
        self.assertGreaterEqual(set(left[1][1]), {"step_000000.png", "step_000000.jsonl", "step_000000_edits.png"})
        self.assertGreater(left[1][0]["eval/refine/stops"], 0)
        self.assertEqual(left[2], left[1])
        self.assertEqual(left[5], left[1])
        few = [*changes, "eval.prompts=1", "eval.refine=always", "eval.edits=0"]  # more ranks than prompts
        rows = [metric_rows(self.train(world, f"few{world}", *few))[0] for world in (1, 3)]
        self.assertEqual(*({name: value for name, value in row.items() if name.startswith("eval/")} for row in rows))
        # With averages of weights, none of which has moved.
        supervised = ["run.threads=1", "model=assets/shapes_base", "train.batch=2", "train.steps=1", "train.learning_rate=1e-30",
                      "train.ema_decay=0.5", "eval.prompts=3"]
        rows = [metric_rows(self.train(world, f"sft{world}", *supervised, recipe="recipes/shapes_sft.toml"))[0]
                for world in (1, 2)]
        self.assertIn("eval/reward", rows[0])
        self.assertEqual(*({name: value for name, value in row.items() if name.startswith("eval/")} for row in rows))

    def test_dealt_weights_train_alike(self):
        """With uneven packs, in both dtypes, and from dealt to whole weights and back."""
        changes = ["train.recompute_layers=true", "train.chains_per_pack=3", "eval.prompts=2", "eval.every=1"]
        rounded = [*changes, "run.dtype=bfloat16", "rollout.max_think_tokens=8"]
        whole = self.train(2, "whole", "train.steps=1", *rounded)
        dealt = self.train(2, "dealt", "train.steps=1", "train.shard_weights=true", *rounded)
        self.assert_same_updates(dealt, whole)
        self.run_program("export", dealt, "--out", self.folder / "exported")
        self.assertEqual((self.folder / "exported" / "model" / "ema.safetensors").read_bytes(),
                         (dealt / "model" / "ema.safetensors").read_bytes())
        mixed = self.train(3, "mixed", "train.steps=1", "train.shard_weights=true", *changes)
        self.train(1, "mixed", "train.steps=2", *changes)
        self.assert_same_updates(mixed, self.train(1, "alone", "train.steps=2", *changes))

    def test_what_dealt_weights_cannot_do(self):
        for change, name in (("train.recompute_layers=false", "train.recompute_layers"), ("lora.rank=2", "lora.rank"),
                             ("train.parameters=[\"*\"]", "train.parameters")):
            output = self.run_program("train", RECIPE, f"run.dir={self.folder / 'no'}", "train.recompute_layers=true",
                                      "train.shard_weights=true", change, status=CONFIG)
            self.assert_mentions(output, name, "train.shard_weights")

    def test_any_number_of_ranks_continues(self):
        whole = self.train(4, "whole", "train.steps=4")
        first = self.train(4, "first", "train.steps=2")
        files = sorted(file.name for file in (first / "checkpoints" / "step_000002").iterdir())
        self.assertEqual(files, ["manifest.json", *(f"optimizer.{rank}.safetensors" for rank in range(4)), "state.json",
                                 *(f"trainable.{rank}.safetensors" for rank in range(4))])
        for world in (1, 2, 4, 8):
            run = self.folder / f"on{world}"
            shutil.copytree(first, run)
            self.train(world, run.name, "train.steps=4")
            self.assert_same_updates(run, whole)
        # On as many ranks as before, bit for bit.
        digests = {(run / "model" / "ema.safetensors").read_bytes() for run in (whole, self.folder / "on4")}
        self.assertEqual(len(digests), 1)

    def test_a_killed_rank_is_named_and_the_run_continues(self):
        run = self.folder / "run"
        changes = ["train.steps=1000", "run.checkpoint_every=1", "run.peer_deadline=20"]
        processes = self.start_ranks(2, run, *changes)
        self.wait_until(lambda: (run / "checkpoints" / "step_000002").exists(), processes[0])
        processes[1].kill()
        self.assertEqual(processes[0].wait(60), PEER, self.output_of(0))
        self.assertIn("rank 1", self.output_of(0))
        processes = self.start_ranks(2, run, *changes)
        resumed = len(metric_rows(run))
        self.wait_until(lambda: len(metric_rows(run)) > resumed + 1, processes[0])
        processes[1].send_signal(signal.SIGTERM)  # one rank's stop stops all
        self.assertEqual([process.wait(60) for process in processes], [INTERRUPTED] * 2, self.output_of(0))
        steps = [row["step"] for row in metric_rows(run)]
        self.assertEqual(steps, list(range(1, len(steps) + 1)))

    def test_a_stopped_rank_is_named(self):
        run = self.folder / "run"
        processes = self.start_ranks(2, run, "train.steps=1000", "run.peer_deadline=4")
        self.wait_until(lambda: len(metric_rows(run)) > 1, processes[0])
        processes[1].send_signal(signal.SIGSTOP)
        self.assertEqual(processes[0].wait(60), PEER, self.output_of(0))
        self.assertIn("rank 1", self.output_of(0))

    def test_ranks_of_different_runs_are_told_apart(self):
        processes = self.start_ranks(3, self.folder / "run", "train.steps=2", own={1: ["run.seed=7"]})
        self.assertEqual([process.wait(60) for process in processes], [PEER] * 3, self.output_of(0))
        self.assertIn("recipe", self.output_of(0))
        self.assertIn("rank 1", self.output_of(0))

    def test_an_error_of_one_rank_ends_all(self):
        processes = self.start_ranks(2, self.folder / "run", "train.steps=2", own={1: ["model=no/such/folder"]})
        self.assertEqual([process.wait(60) for process in processes], [PEER, MODEL], self.output_of(0))
        for rank in (0, 1):
            self.assertIn("no/such/folder", self.output_of(rank))
        self.assertIn("rank 1", self.output_of(0))

    def test_supervised_training_in_several_processes(self):
        """Examples are dealt, losses averaged over the whole batch, averages of weights dealt like the masters."""
        recipe = "recipes/shapes_sft.toml"
        changes = ["run.threads=1", "model=assets/shapes_base", "train.batch=9", "train.learning_rate=1e-3",
                   "optimizer.warmup_steps=0", "optimizer.decay=constant", "train.ema_decay=0.5", "eval.prompts=2"]
        alone = self.train(1, "alone", "train.steps=3", *changes, recipe=recipe)
        rates = [row["eval/correct_explicit"] for row in metric_rows(alone) if "eval/correct_explicit" in row]
        self.assertEqual(len(rates), 1, "evaluated once, at the end")
        # Ranks with two packs and with one, then fewer ranks, with three and two, from their checkpoint.
        run = self.train(3, "dealt", "train.steps=2", "train.examples_per_pack=2", "train.recompute_layers=true", *changes,
                         recipe=recipe)
        self.train(2, "dealt", "train.steps=3", "train.examples_per_pack=2", *changes, recipe=recipe)
        for row, other in zip(metric_rows(run), metric_rows(alone), strict=True):
            for name in ("loss/cross_entropy", "loss/flow", "grad_norm/all"):
                self.assertAlmostEqual(row[name], other[name], delta=1e-3 * other[name], msg=name)
        base = float_tensors(REPOSITORY / "assets/shapes_base/ema.safetensors")
        averages, expected = (float_tensors(folder / "model/ema.safetensors") for folder in (run, alone))
        self.assertEqual(averages.keys(), expected.keys())
        moved = [name for name in expected if relative_change(expected[name], base[name]) > 1e-3]
        self.assertGreater(len(moved), 40)
        for name in moved:
            self.assertLess(relative_change(averages[name], expected[name]), 0.2 * relative_change(expected[name], base[name]),
                            name)
        with mock.patch.dict(os.environ, {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1",
                                          "MASTER_PORT": "29500"}):
            output = self.run_program("sft", "recipes/shapes_autoencoder.toml", f"run.dir={self.folder / 'no'}",
                                      status=CONFIG)
        self.assert_mentions(output, "expected one process")

    def test_more_ranks_than_examples(self):
        changes = ["run.threads=1", "model=assets/shapes_base", "train.batch=2", "train.steps=2", "eval.prompts=0"]
        run = self.train(3, "three", *changes, recipe="recipes/shapes_sft.toml")
        alone = self.train(1, "one", *changes, recipe="recipes/shapes_sft.toml")
        self.assertAlmostEqual(metric_rows(run)[1]["grad_norm/all"], metric_rows(alone)[1]["grad_norm/all"], delta=1e-3)
        rounded = ["run.dtype=bfloat16", "train.ema_decay=0.5", "run.checkpoint_every=1"]
        self.train(2, "rounded", *changes, *rounded, recipe="recipes/shapes_sft.toml")
        shutil.rmtree(self.folder / "rounded" / "model")
        self.train(1, "rounded", *changes, *rounded, recipe="recipes/shapes_sft.toml")
        self.assertTrue((self.folder / "rounded" / "model" / "ema.safetensors").exists())


class ExportTest(EndToEndTest):

    def test_exports_a_checkpoint_as_model_and_adapter(self):
        run, base = self.folder / "run", self.folder / "base"
        shutil.copytree(REPOSITORY / "assets/shapes_base", base)
        small = {"generation_config.json": '{"eos_token_id":[783, 781]}', "README.md": "the base's own words"}
        for name, text in small.items():
            (base / name).write_text(text)
        self.run_program("train", RECIPE, f"run.dir={run}", f"model={base}", *SMALL, "train.steps=2", "lora.rank=2",
                         "lora.alpha=4")
        printed = self.run_program("export", run)
        self.assert_mentions(printed, "step 2", f"{run}/export/model", f"{run}/export/adapter")
        for name in ("model/ema.safetensors", "adapter/adapter_model.safetensors"):
            self.assertEqual((run / "export" / name).read_bytes(), (run / name).read_bytes())
        for file in base.iterdir():  # which the model folder can take the place of
            same = (run / "export" / "model" / file.name).read_bytes() == file.read_bytes()
            self.assertEqual(same, file.name != "ema.safetensors", file.name)
        config = json.loads((run / "adapter" / "adapter_config.json").read_text())
        self.assertEqual((config["r"], config["lora_alpha"], config["peft_type"]), (2, 4, "LORA"))
        self.assertEqual(len(config["target_modules"]), 2 * 4 * 7)  # two experts, four layers

    def test_says_what_cannot_be_exported(self):
        self.assert_mentions(self.run_program("export", self.folder, status=CONFIG), "recipe.toml")


if __name__ == "__main__":
    unittest.main()
