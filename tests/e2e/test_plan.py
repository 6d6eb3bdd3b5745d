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
        self.assert_mentions(output, "14,607,260,128", "6,525,625,344", "it does not fit", "What to change first",
                             "In the host's memory instead: reference weights", "768 chains",
                             "--ranks=2 ", ": more cards", " min\n")
        self.assertNotIn("TB of", output)
        advice = output.split("What to change first")[1].split("One step")[0]
        first, lesser = advice.split("Or, training less")
        self.assertNotIn("gradient_dtype", first)  # dealt gradients are float32 anyway
        self.assert_mentions(lesser, "lora.rank=64 lora.alpha=128", "trains adapters only", "train.und_learning_rate=0",
                             "trains the generation expert alone")

    def test_adapters_are_not_offered_to_adapters(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", "--like", "bagel-7b", "--gpu", "rtx4090",
                                  "lora.rank=64")
        self.assert_mentions(output, "No further change", "smaller pictures")
        self.assertNotIn("Or, training less", output)

    def test_ranks_without_work(self):
        plan = ("plan", RECIPES / "bagel_unigrpo.toml", "--like", "bagel-7b", "--ranks")
        self.assert_mentions(self.run_program(*plan, "64"), "32 of the 64 ranks have no prompts", "--ranks 32")
        self.assertNotIn("have no prompts", self.run_program(*plan, "32"))
        examples = self.run_program("plan", RECIPES / "bagel_sft.toml", "--like", "bagel-7b", "--ranks", "33")
        self.assert_mentions(examples, "1 of the 33 ranks have no examples")

    def test_pictures_that_are_refined(self):
        output = self.run_program("plan", RECIPES / "bagel_srr.toml", "--like", "bagel-7b", "--gpu", "h200")
        self.assert_mentions(output, "first pictures  ", "First pictures: 224 a rank", "refine.draws = 4")
        self.assertNotIn("Not counted either", output)
        mixed = self.run_program("plan", RECIPES / "bagel_srr.toml", "--like", "bagel-7b", "refine.mix_t2i=true")
        self.assert_mentions(mixed, "Not counted either: training on these 224 pictures")

    def test_a_host_with_little_memory(self):
        output = self.run_program("plan", RECIPES / "bagel_unigrpo.toml", "--like", "bagel-7b",
                                  "prompts.per_step=10000")
        self.assert_mentions(output, " TB of the one rank")

    def test_lengths_that_none_has(self):
        recipe = RECIPES / "bagel_unigrpo.toml"
        for tokens in "5000", "0":
            output = self.run_program("plan", recipe, "--like", "bagel-7b", "--think-tokens", tokens,
                                      status=support.USAGE)
            self.assert_mentions(output, "--think-tokens", "rollout.max_think_tokens = 1024", tokens)
        resized = self.run_program("plan", RECIPES / "bagel_sft.toml", "--like", "bagel-7b", "--picture-pixels", "77")
        self.assert_mentions(resized, "Pictures of 77 x 77 pixels are resized to 512 x 512")
        kept = self.run_program("plan", RECIPES / "bagel_sft.toml", "--like", "bagel-7b", "--picture-pixels", "512")
        self.assertNotIn("are resized", kept)

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
        model = self.run_program("plan", RECIPES / "shapes_model.toml", status=support.CONFIG)
        self.assert_mentions(model, "kind", "rl or sft", "diptych init")
        self.assertNotIn("quotes", model)

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
