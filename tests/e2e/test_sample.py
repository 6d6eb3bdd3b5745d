"""`diptych sample` on the shipped base, and `diptych recipe`."""

import json
import unittest

import png
import support

MODEL = support.REPOSITORY / "assets/shapes_base"
PROMPTS = ["a photo of three red circles", "a photo of a square right of a circle"]
SIDE = 32
GAP = 4
ENLARGED = 3  # each pixel of the grid, to reach at least 96 a side


class SampleTest(support.EndToEndTest):
    def sample(self, name, *arguments, prompts=PROMPTS):
        """Returns (output, lines of samples.jsonl with the pixels of their images)."""
        out = self.folder / name
        for prompt in prompts:
            arguments += ("--prompt", prompt)
        output = self.run_program("sample", MODEL, "--out", out, "--threads", 1, *arguments)
        samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
        for sample in samples:
            sample["pixels"] = png.read(out / sample["path"])
        return output, samples

    def test_writes_every_image(self):
        output, samples = self.sample("samples", "--count", 2, "--seed", 5)
        self.assertEqual([(s["prompt"], s["sample"], s["path"]) for s in samples],
                         [(PROMPTS[p], k, f"000{p}_{k}.png") for p in (0, 1) for k in (0, 1)])
        for sample in samples:
            self.assertEqual(sample["seed"], 5)
            self.assertIsInstance(sample["truncated"], bool)
            self.assertEqual((len(sample["pixels"]), len(sample["pixels"][0])), (SIDE, SIDE * png.CHANNELS))
            self.assert_mentions(output, sample["prompt"], sample["thinking"],
                                 self.folder / "samples" / sample["path"])

    def test_an_image_depends_on_seed_and_place_alone(self):
        _, both = self.sample("both", "--count", 2, "--seed", 1)
        _, one_by_one = self.sample("one_by_one", "--count", 2, "--seed", 1, "--batch", 1)
        self.assertEqual(both, one_by_one)
        _, first = self.sample("first", "--seed", 1, prompts=PROMPTS[:1])
        self.assertEqual(first, both[:1])
        _, other = self.sample("other", "--seed", 2, prompts=PROMPTS[:1])
        self.assertNotEqual(other[0]["pixels"], both[0]["pixels"])

    def test_the_grid_holds_a_row_of_images_per_prompt(self):
        grid = self.folder / "pictures/grid.png"
        _, samples = self.sample("samples", "--count", 3, "--grid", grid)
        rows = png.read(grid)
        step = SIDE * ENLARGED + GAP
        self.assertEqual((len(rows), len(rows[0]) // png.CHANNELS), (2 * step - GAP, 3 * step - GAP))
        for i, sample in enumerate(samples):
            cell = png.crop(rows, i % 3 * step, i // 3 * step, SIDE * ENLARGED, SIDE * ENLARGED)
            self.assertEqual([row[: png.CHANNELS] for row in cell[::ENLARGED]],
                             [row[: png.CHANNELS] for row in sample["pixels"]])

    def test_without_thinking_there_is_no_thought(self):
        output, samples = self.sample("samples", "--no-think")
        self.assertNotIn("thinking", output)
        self.assertNotIn("thinking", samples[0])

    def test_a_thought_at_the_cap_is_marked(self):
        output, samples = self.sample("samples", "--max-think-tokens", 1)
        self.assertTrue(samples[0]["truncated"])
        self.assert_mentions(output, "cut at --max-think-tokens")

    def test_prompts_come_from_a_file(self):
        file = self.folder / "prompts.txt"
        file.write_text("# two\n" + "\n".join(PROMPTS) + "\n")
        _, from_file = self.sample("file", "--prompts", file, prompts=[])
        _, given = self.sample("given")
        self.assertEqual(from_file, given)

    def test_a_second_call_replaces_the_list(self):
        self.sample("samples")
        _, samples = self.sample("samples", prompts=PROMPTS[:1])
        self.assertEqual(len(samples), 1)

    def test_errors_say_what_to_mend(self):
        def complaint(*arguments, status):
            return self.run_program("sample", *arguments, "--out", self.folder / "samples", status=status)

        self.assert_mentions(complaint(MODEL, status=support.USAGE), "either --prompt TEXT or --prompts FILE", "neither")
        self.assert_mentions(complaint(MODEL, "--prompt", "x", "--size", 40, status=support.USAGE), "--size",
                             "multiple of 16", "40")
        self.assert_mentions(complaint(MODEL, "--prompt", "x", "--steps", 0, status=support.USAGE), "--steps")
        self.assert_mentions(complaint(MODEL, "--prompt", "x", "--prompts", "y.txt", status=support.USAGE),
                             "--prompts")
        self.assert_mentions(complaint(self.folder / "none", "--prompt", "x", status=support.MODEL),
                             self.folder / "none")
        (self.folder / "file").write_text("")
        self.assert_mentions(self.run_program("sample", MODEL, "--prompt", "x", "--out", self.folder / "file/inside",
                                              status=support.IO), self.folder / "file/inside")


class RecipeTest(support.EndToEndTest):
    def test_every_shipped_recipe_prints_and_reads_back(self):
        for file in sorted((support.REPOSITORY / "recipes").glob("*.toml")):
            with self.subTest(recipe=file.name):
                printed = self.run_program("recipe", file)
                copy = self.write_recipe(file.name, printed)
                self.assertEqual(self.run_program("recipe", copy), printed)

    def test_overrides_and_comments_are_in_it(self):
        output = self.run_program("recipe", "recipes/shapes_unigrpo.toml", "train.group_size=5")
        self.assertRegex(output, r"(?m)^group_size = 5\b.*# chains per prompt")

    def test_an_unknown_kind_is_an_error(self):
        recipe = self.write_recipe("mine.toml", 'kind = "rll"\n')
        output = self.run_program("recipe", recipe, status=support.CONFIG)
        self.assert_mentions(output, recipe, "rl, sft, autoencoder", "rll")


if __name__ == "__main__":
    unittest.main()
