"""What a newcomer gets wrong: each mistake has its exit status and says what to mend."""

import os
import subprocess
import unittest

import support

RECIPES = support.REPOSITORY / "recipes"
MODEL = support.REPOSITORY / "assets/shapes_base"
NOBODY = 65534


class CommandLineErrors(support.EndToEndTest):
    def test_help_succeeds(self):
        self.assert_mentions(self.run_program("--help"), "sft", "shapes", "data")

    def test_no_command(self):
        self.run_program(status=support.USAGE)

    def test_unknown_command(self):
        output = self.run_program("trian", status=support.USAGE)
        self.assert_mentions(output, "trian", "did you mean 'train'?", "quickstart, recipe")
        self.assert_mentions(self.run_program("shapes", "shwo", status=support.USAGE), "did you mean 'show'?", "verify")

    def test_unknown_option(self):
        self.assert_mentions(self.run_program("shapes", "show", "--colour", status=support.USAGE), "--colour")
        for word in ("--run.seed=1", "-run.seed=1"):
            output = self.run_program("recipe", RECIPES / "shapes_unigrpo.toml", word, status=support.USAGE)
            self.assert_mentions(output, "without dashes: run.seed=1")

    def test_closed_streams_are_no_files_of_a_run(self):
        """The first files that it opens would get their numbers, and what is printed would go into them."""
        run = self.folder / "run"
        command = [support.BINARY, "train", RECIPES / "shapes_unigrpo.toml", f"run.dir={run}", "run.threads=1",
                   "train.steps=0", "eval.prompts=0"]
        done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *map(str, command)], cwd=support.REPOSITORY,
                              timeout=300, check=False)
        self.assertEqual(done.returncode, support.OK)
        self.assertRegex((run / "lock").read_text(), r"^\d+\n$")
        self.assertEqual((run / "metrics.jsonl").read_text(), "")

    def test_paths_that_are_no_folders(self):
        train = ("train", RECIPES / "shapes_unigrpo.toml", "train.steps=0", "eval.prompts=0", "run.threads=1")
        self.assert_mentions(self.run_program(*train, "run.dir=", status=support.IO), "the empty path")
        (self.folder / "link").symlink_to("nowhere")
        output = self.run_program(*train, f"run.dir={self.folder / 'link'}", status=support.IO)
        self.assert_mentions(output, "a link to nowhere, which does not exist")
        self.assert_mentions(self.run_program(*train, "model=", status=support.MODEL), "the path of a model folder")


    def test_numbers_out_of_range(self):
        for option in ("--temperature", "--top-p", "--guidance", "--image-guidance", "--guidance-renorm-min"):
            output = self.run_program("sample", MODEL, "--prompt", "a", option, "nan", status=support.USAGE)
            self.assert_mentions(output, option, "a number from", "nan")
        self.assert_mentions(self.run_program("serve", MODEL, "--read-timeout", "nan", status=support.USAGE), "nan")
        self.assert_mentions(self.run_program("launch", "--nproc", 2, "--grace", "nan", "doctor", status=support.USAGE),
                             "nan")

    def test_seeds_out_of_range(self):
        for seed in ("18446744073709551616", "-5", "1x", "nan"):
            output = self.run_program("sample", MODEL, "--prompt", "a", f"--seed={seed}", status=support.USAGE)
            self.assert_mentions(output, "--seed", "an integer from 0 to 9223372036854775807", seed)

    def test_prompts_that_are_no_text(self):
        for prompt, told in (("", "an empty one"), (" \t ", "blanks"), (os.fsdecode(b"a \xff cat"), "UTF-8")):
            output = self.run_program("sample", MODEL, "--prompt", prompt, "--out", self.folder, status=support.USAGE)
            self.assert_mentions(output, "--prompt", told)

    def test_grids_are_png_files(self):
        output = self.run_program("sample", MODEL, "--prompt", "a", "--out", self.folder, "--grid", "x.jpg",
                                  status=support.USAGE)
        self.assert_mentions(output, "--grid", ".png", "x.jpg")


class StandardOutput(support.EndToEndTest):
    def test_a_full_disk_is_told(self):
        for arguments in (["recipe", RECIPES / "shapes_sft.toml"], ["inspect", MODEL], ["--help"], ["--version"],
                          ["plan", RECIPES / "shapes_unigrpo.toml"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([support.BINARY, *arguments], cwd=support.REPOSITORY, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, support.IO, arguments)
            self.assert_mentions(done.stderr, "standard output could not be written")

    def test_a_reader_that_goes_is_no_error(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([support.BINARY, "recipe", RECIPES / "shapes_sft.toml"], stdout=write,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        os.close(write)
        self.assertIn(done.returncode, (support.OK, -13))  # 13: SIGPIPE
        self.assertEqual(done.stderr, "")


class RecipeErrors(support.EndToEndTest):
    def broken(self, text, *overrides):
        """The complaint about the shapes recipe with `text` after it."""
        self.recipe = self.write_recipe("mine.toml", f'base = "{RECIPES}/shapes_sft.toml"\n{text}\n')
        return self.run_program("sft", self.recipe, f"run.dir={self.folder}/run", *overrides, status=support.CONFIG)

    def test_missing_recipe(self):
        output = self.run_program("sft", self.folder / "none.toml", status=support.CONFIG)
        self.assert_mentions(output, self.folder / "none.toml", "does not exist")

    def test_damaged_recipe(self):
        output = self.broken("[train\nsteps = 3")
        self.assert_mentions(output, f"{self.recipe}:2", "valid TOML")

    def test_unknown_key(self):
        output = self.broken("[train]\nlearning_rat = 0.1")
        self.assert_mentions(output, f"{self.recipe}:3", "unknown 'train.learning_rat'", "train.learning_rate")

    def test_unknown_section(self):
        output = self.broken("[trian]")
        self.assert_mentions(output, f"{self.recipe}:2", "unknown 'trian'", "did you mean 'train'")

    def test_wrong_type(self):
        output = self.broken('[train]\nsteps = "many"')
        self.assert_mentions(output, f"{self.recipe}:3: train.steps", "an integer", "many")

    def test_value_out_of_range(self):
        output = self.broken("[train]\ntext_dropout = 1.5")
        self.assert_mentions(output, f"{self.recipe}:3: train.text_dropout", "from 0 to 1", "1.5")

    def test_unknown_choice(self):
        output = self.broken('[optimizer]\ndecay = "cosin"')
        self.assert_mentions(output, f"{self.recipe}:3: optimizer.decay", "constant, cosine", "cosin")

    def test_unknown_key_in_override(self):
        output = self.broken("", "train.step=3")
        self.assert_mentions(output, "override 'train.step=3'", "did you mean 'train.steps'")

    def test_override_without_value(self):
        self.assert_mentions(self.broken("", "train.steps"), "train.steps", "section.name=value")


class FolderErrors(support.EndToEndTest):
    def sft(self, *overrides, status):
        return self.run_program("sft", RECIPES / "shapes_sft.toml", "train.steps=1", *overrides, status=status)

    def make_model(self):
        model = self.folder / "model"
        self.run_program("init", RECIPES / "shapes_model.toml", model)
        return model

    def test_missing_model(self):
        output = self.sft(f"run.dir={self.folder}/run", f"model={self.folder}/none", status=support.MODEL)
        self.assert_mentions(output, self.folder / "none")

    def test_damaged_model(self):
        model = self.make_model()
        weights = model / "ema.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        output = self.sft(f"run.dir={self.folder}/run", f"model={model}", status=support.MODEL)
        self.assert_mentions(output, weights)

    def test_incomplete_model(self):
        model = self.make_model()
        (model / "llm_config.json").unlink()
        output = self.sft(f"run.dir={self.folder}/run", f"model={model}", status=support.MODEL)
        self.assert_mentions(output, model / "llm_config.json")

    def test_missing_training_data(self):
        output = self.sft(f"run.dir={self.folder}/run", f"model={self.make_model()}", "data.source=jsonl",
                          f"data.path={self.folder}/none.jsonl", status=support.DATA)
        self.assert_mentions(output, self.folder / "none.jsonl")

    def test_run_folder_that_cannot_be_made(self):
        # A file stands in its way, since permissions do not hold back root.
        (self.folder / "taken").write_text("")
        output = self.sft(f"run.dir={self.folder}/taken/run", f"model={self.make_model()}", status=support.IO)
        self.assert_mentions(output, self.folder / "taken")

    def test_paths_that_are_no_model_folder(self):
        run = self.folder / "run"
        run.mkdir()
        (run / "recipe.toml").write_text('kind = "rl"\n')
        sample = lambda path: self.run_program("sample", path, "--prompt", "a", "--out", self.folder / "samples",
                                               status=support.MODEL)
        self.assert_mentions(sample(run), "a run folder", f"diptych export {run}")
        (run / "model").mkdir()
        self.assert_mentions(sample(run), "a run folder", f"use {run}/model")
        output = self.run_program("eval", RECIPES / "shapes_eval.toml", f"model={run}", status=support.MODEL)
        self.assert_mentions(output, "a run folder", f"use {run}/model")
        self.assert_mentions(sample(MODEL / "ema.safetensors"), "a file", "the folder that holds it")
        adapter = self.folder / "adapter"
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text("{}")
        self.assert_mentions(sample(adapter), "a folder of PEFT adapters, which are not read", "merged model")

    def test_relative_paths_name_the_current_folder(self):
        for command, recipe in (("train", "shapes_unigrpo"), ("sft", "shapes_sft"), ("eval", "shapes_eval")):
            output = self.run_program(command, RECIPES / f"{recipe}.toml", "model=assets/none", cwd=self.folder,
                                      status=support.MODEL)
            self.assert_mentions(output, "assets/none", "no such folder", f"the current folder, {self.folder}")
        output = self.run_program("doctor", "--no-training", cwd=self.folder, status=support.MISMATCH)
        self.assert_mentions(output, f"the current folder, {self.folder}")

    def test_export_of_no_run(self):
        output = self.run_program("export", "nope", cwd=self.folder, status=support.CONFIG)
        self.assert_mentions(output, "nope: expected the folder of a training run, got no such folder", self.folder)

    def test_folders_that_may_not_be_entered(self):
        locked = self.folder / "locked"
        locked.mkdir(mode=0o000)
        self.addCleanup(locked.chmod, 0o700)
        self.folder.chmod(0o755)
        out = self.folder / "samples"
        out.mkdir()
        out.chmod(0o777)
        user = {"user": NOBODY} if os.geteuid() == 0 else {}  # permissions do not hold back root
        for arguments, status in ((["sample", locked / "m", "--prompt", "a", "--out", out], support.IO),
                                  (["data", "check", locked / "x.jsonl"], support.IO),
                                  (["recipe", locked / "x.toml"], support.CONFIG)):
            try:
                done = subprocess.run([support.BINARY, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                                      text=True, timeout=60, check=False, **user)
            except PermissionError:
                self.skipTest("another user cannot start the program here")
            if done.returncode in (126, 127):
                self.skipTest("another user cannot load the program's libraries here")
            self.assertEqual(done.returncode, status, done.stderr)
            self.assert_mentions(done.stderr, arguments[-1] if status == support.CONFIG else locked, "ermission",
                                 "check the permissions")
            self.assertNotIn("does not exist", done.stderr)


if __name__ == "__main__":
    unittest.main()
