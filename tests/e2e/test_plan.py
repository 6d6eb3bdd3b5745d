"""`diptych plan`: what a recipe needs, told without a card and without weights."""

import unittest

import support

RECIPES = support.REPOSITORY / "recipes"


class PlanTest(support.EndToEndTest):
    def test_shipped_model(self):
        output = self.run_program("plan", RECIPES / "shapes_unigrpo.toml")
        self.assert_mentions(output, "transformer", "KV cache", "in phase 'update'", "it fits", "denoising", "Not counted")

    def test_bagel_without_its_weights(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", "--like", "bagel-7b", "--gpu", "h200")
        self.assert_mentions(output, "14607260128", "6525625344", "it does not fit", "What to change first",
                             "In the host's memory instead: reference weights", "768 chains")

    def test_adapters_ranks_and_lengths(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", "run.dtype=bfloat16", "lora.rank=64",
                                  "train.recompute_layers=true", "rollout.chains_per_pack=4", "--like", "bagel-7b",
                                  "--gpu", "h200", "--ranks", "8", "--think-tokens", "200")
        self.assert_mentions(output, "each of 8 ranks", "adapters", "it fits", "and 200 in time", "96 chains", " min",
                             "In the host's memory instead, of each rank: ")

    def test_one_card_trains_the_generation_expert_in_full(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", "--like", "bagel-7b", "--gpu", "h200",
                                  "train.und_learning_rate=0", "train.gradient_dtype=bfloat16")
        self.assert_mentions(output, "it fits")

    def test_supervised_recipes(self):
        output = self.run_program("plan", RECIPES / "bagel_sft.toml", "--like", "bagel-7b", "--gpu", "h200",
                                  "--ranks", "8", "--think-tokens", "200")
        self.assert_mentions(output, "4 examples a rank and step", "moving average", "image encoding", "1024 x 1024 pixels",
                             "a thought of 200")
        self.assertNotIn("rollout", output.split("Peak")[0])
        alone = self.run_program("plan", RECIPES / "bagel_sft.toml", "--like", "bagel-7b", "--gpu", "h200",
                                 "train.examples_per_pack=8")
        self.assert_mentions(alone, "it does not fit", "train.examples_per_pack=", "--ranks=")
        self.assert_mentions(self.run_program("plan", RECIPES / "shapes_sft.toml", "model=assets/shapes_base"),
                             "it fits", "update")
        refused = self.run_program("plan", RECIPES / "shapes_unigrpo.toml", "--picture-pixels", "64", status=support.USAGE)
        self.assert_mentions(refused, "--picture-pixels", "kind rl", "rollout.image_size")

    def test_other_kinds_are_refused(self):
        self.assert_mentions(self.run_program("plan", RECIPES / "shapes_eval.toml", status=support.CONFIG), "kind", "sft")

    def test_refuses_what_training_refuses(self):
        recipe = RECIPES / "bagel_unigrpo.toml"
        for changes, key in ((["rollout.noise_level=0"], "rollout.noise_level"),
                             (["train.shard_weights=true", "train.recompute_layers=false"], "train.recompute_layers"),
                             (["train.shard_weights=true", "train.recompute_layers=true", "train.parameters=[\"*\"]"],
                              "train.parameters")):
            output = self.run_program("plan", recipe, "--like", "bagel-7b", *changes, status=support.CONFIG)
            self.assert_mentions(output, key)

    def test_no_model(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", f"model={self.folder}/none",
                                  status=support.MODEL)
        self.assert_mentions(output, f"{self.folder}/none", "--like bagel-7b")

    def test_unknown_names(self):
        recipe = RECIPES / "shapes_unigrpo.toml"
        self.assert_mentions(self.run_program("plan", recipe, "--gpu", "h300", status=support.USAGE), "h300", "h200")
        self.assert_mentions(self.run_program("plan", recipe, "--like", "bagel", status=support.USAGE), "bagel-7b")


if __name__ == "__main__":
    unittest.main()
