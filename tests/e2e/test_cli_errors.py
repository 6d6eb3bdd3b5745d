"""What a newcomer gets wrong: each mistake has its exit status and says what to mend."""

import unittest

import support

RECIPES = support.REPOSITORY / "recipes"


class CommandLineErrors(support.EndToEndTest):
    def test_help_succeeds(self):
        self.assert_mentions(self.run_program("--help"), "sft", "shapes", "data")

    def test_no_command(self):
        self.run_program(status=support.USAGE)

    def test_unknown_command(self):
        self.assert_mentions(self.run_program("trian", status=support.USAGE), "trian")

    def test_unknown_option(self):
        self.assert_mentions(self.run_program("shapes", "show", "--colour", status=support.USAGE), "--colour")


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


if __name__ == "__main__":
    unittest.main()
