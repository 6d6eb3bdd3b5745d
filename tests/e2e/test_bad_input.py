"""Files that are damaged, endless or made to hurt: each is refused with its own exit status, by name and in words, and
no crash, endless wait or huge allocation comes first. tests/fuzz looks for more of them."""

import json
import pathlib
import resource
import shutil
import subprocess
import unittest

import support

MODEL = support.REPOSITORY / "assets/shapes_base"
CORPUS = support.REPOSITORY / "tests/fuzz/corpus"
LEVELS = 100_000  # of brackets, or parts of a key
LONG_PROMPT = ("red circle " * 1819)[:20_000].strip()
MOST_BYTES = 4 << 30  # of memory that a refusal may take, the libraries and their threads' stacks included


def nest(levels):
    return "[" * levels + "]" * levels


class BadInput(support.EndToEndTest):
    def refused(self, *arguments, status):
        """What the program says, which must be one error and no report of a bug."""
        output = self.run_program(*arguments, status=status, timeout=60)
        self.assertNotIn("bug in diptych", output)
        return output

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file

    def sample(self, *arguments, status, model=MODEL):
        return self.refused("sample", model, "--out", self.folder / "samples", *arguments, status=status)


class Prompts(BadInput):
    def test_numbers_that_no_double_holds(self):
        file = self.write("prompts.jsonl", '{"prompt": "a cat"}\n{"prompt": "a dog", "weight": 1e999}\n')
        self.assert_mentions(self.sample("--prompts", file, status=support.DATA), f"{file}:2", "1e999")

    def test_a_nest_of_brackets(self):
        file = self.write("prompts.jsonl", '{"prompt": "a cat", "tags": %s}\n' % nest(LEVELS))
        self.assert_mentions(self.sample("--prompts", file, status=support.DATA), f"{file}:1", "levels")

    def test_bytes_that_are_no_text(self):
        file = self.folder / "prompts.txt"
        file.write_bytes(b"a cat\n\xff\xfe\x00\n")
        self.assert_mentions(self.sample("--prompts", file, status=support.DATA), f"{file}:2", "UTF-8")

    def test_a_prompt_of_20000_characters_is_read(self):
        output = self.folder / "samples"
        self.run_program("sample", MODEL, "--prompt", LONG_PROMPT, "--no-think", "--out", output)
        (line,) = (output / "samples.jsonl").read_text().splitlines()
        self.assertEqual(json.loads(line)["prompt"], LONG_PROMPT)


class Recipes(BadInput):
    def test_a_key_of_endless_parts(self):
        for text in (f"[{'a.' * LEVELS}a]\n", f"{'a.' * LEVELS}a = 1\n", f"a = {nest(LEVELS)}\n"):
            recipe = self.write("mine.toml", "\n" + text)
            self.assert_mentions(self.refused("recipe", recipe, status=support.CONFIG), f"{recipe}:2", "valid TOML")

    def test_a_base_with_an_endless_name(self):
        recipe = self.write("mine.toml", f'base = "{"a" * 5000}"\n')
        self.assert_mentions(self.refused("recipe", recipe, status=support.CONFIG), f"{recipe}:1", "does not exist")


class Images(BadInput):
    def test_many_pixels_in_few_bytes(self):
        for name in ("png/large_and_empty", "jpeg/large_and_empty", "jpeg/large_progressive"):
            image = self.folder / pathlib.Path(name).name
            shutil.copy(CORPUS / name, image)
            examples = self.write("examples.jsonl", json.dumps({"prompt": "a", "image": image.name}) + "\n")
            output = self.check_within(examples, MOST_BYTES)
            self.assert_mentions(output, f"{examples}:1", image, "only")

    def check_within(self, file, most_bytes):
        """`diptych data check` with so much address space."""
        done = subprocess.run([support.BINARY, "data", "check", file], capture_output=True, text=True, timeout=60,
                              check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes)))
        self.assertEqual(done.returncode, support.DATA, done.stdout + done.stderr)
        return done.stdout

    def test_image_names_that_no_file_can_have(self):
        examples = self.write("examples.jsonl", json.dumps({"prompt": "a", "image": "a" * 5000}) + "\n")
        self.assert_mentions(self.refused("data", "check", examples, status=support.DATA), f"{examples}:1", "no file")


class ModelFolders(BadInput):
    def broken_model(self, name, change):
        """A copy of the shipped model whose file `name` has what `change` makes of its bytes."""
        model = self.folder / "model"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(MODEL, model)
        (model / name).write_bytes(change((model / name).read_bytes()))
        return self.sample("--prompt", "a cat", status=support.MODEL, model=model)

    def test_damaged_weights(self):
        for change in (
                lambda data: (2**63).to_bytes(8, "little") + data[8:],  # a header longer than the file
                lambda data: data.replace(b'"data_offsets":[0,', b'"data_offsets":[4,', 1),  # an overlap or a hole
                lambda data: data.replace(b'"dtype":"BF16"', b'"dtype":"BF17"', 1),
                lambda data: data[:-1]):
            self.assert_mentions(self.broken_model("ema.safetensors", change), "ema.safetensors")

    def test_weights_that_are_files_of_another_kind(self):
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
        for contents, told in ((pointer, "git lfs pull"), (b"<!DOCTYPE html><html>", "a text file"),
                               (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "a PNG image")):
            output = self.broken_model("ema.safetensors", lambda data, contents=contents: contents)
            self.assert_mentions(output, "ema.safetensors", told)

    def test_a_cut_configuration(self):
        output = self.broken_model("config.json", lambda data: data[:20])
        self.assert_mentions(output, "config.json:2", "valid JSON", "cut off")
        # As in the first published revision; BAGEL-7B's sizes do not fit these weights.
        output = self.broken_model("config.json", lambda data: b"BAGEL-7B-MoT")
        self.assert_mentions(output, "config.json", "warning", "BAGEL-7B")

    def test_damaged_tokenizer(self):
        nested = lambda data: data.rstrip()[:-1] + b', "x": ' + nest(LEVELS).encode() + b"}"
        self.assert_mentions(self.broken_model("vocab.json", nested), "vocab.json", "levels")
        self.assert_mentions(self.broken_model("merges.txt", lambda data: data + b"\xff\n"), "merges.txt line")


class RunFolders(BadInput):
    COMMAND = ["prompts.per_step=1", "train.group_size=2", "train.steps=1", "eval.prompts=0", "run.threads=1",
               "rollout.max_think_tokens=4", "run.checkpoint_every=1"]

    def train(self, *overrides, status=support.OK):
        return self.run_program("train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / 'run'}",
                                *self.COMMAND, *overrides, status=status)

    def test_damaged_metrics_stop_the_continuation(self):
        self.train()
        metrics = self.folder / "run" / "metrics.jsonl"
        metrics.write_text("{\n" + metrics.read_text())
        self.assert_mentions(self.train(status=support.DATA), f"{metrics}:1")

    def test_a_run_of_another_recipe_is_left_alone(self):
        self.train()
        before = {file: file.read_bytes() for file in (self.folder / "run").rglob("*") if file.is_file()}
        output = self.refused("sft", "recipes/shapes_sft.toml", f"run.dir={self.folder / 'run'}",
                              f"model={MODEL}", status=support.CONFIG)
        self.assert_mentions(output, "kind")
        for file, content in before.items():
            if file.name != "lock":
                self.assertEqual(file.read_bytes(), content, file)

    def test_two_kinds_of_runs_in_one_folder(self):
        process = self.start_program("train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / 'run'}",
                                     *self.COMMAND, "train.steps=100000")
        self.wait_until(lambda: support.metric_rows(self.folder / "run"), process)
        output = self.refused("sft", "recipes/shapes_sft.toml", f"run.dir={self.folder / 'run'}", f"model={MODEL}",
                              status=support.IO)
        self.assert_mentions(output, "in use by process", process.pid)
        self.assertIsNone(process.poll())

    def test_training_on_a_prompt_of_20000_characters(self):
        prompts = self.write("prompts.txt", LONG_PROMPT + "\n")
        self.train("prompts.source=file", f"prompts.path={prompts}", "reward.kind=brightness")
        self.assertEqual(support.metric_rows(self.folder / "run")[-1]["step"], 1)


if __name__ == "__main__":
    unittest.main()
