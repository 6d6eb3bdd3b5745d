"""The shapes world from the command line: what `show` draws, `verify` confirms, and `eval` counts."""

import re
import unittest

import png
import support

SCENE = 32  # pixels per side
GAP = 8  # between the scenes of a contact sheet


class ShapesTest(support.EndToEndTest):
    def show(self, *arguments):
        """Returns the rows of the contact sheet as (prompt, first scene as a PNG file)."""
        sheet = self.folder / "sheet.png"
        output = self.run_program("shapes", "show", "--out", sheet, "--scale", 1, *arguments)
        prompts = re.findall(r"^ +prompt +(.+)$", output, re.MULTILINE)
        pixels = png.read(sheet)
        self.assertEqual(len(pixels), len(prompts) * (SCENE + GAP) - GAP)
        scenes = []
        for row in range(len(prompts)):
            scene = self.folder / f"scene_{row}.png"
            png.write(scene, png.crop(pixels, 0, row * (SCENE + GAP), SCENE, SCENE))
            scenes.append(scene)
        return list(zip(prompts, scenes))

    def test_verify_confirms_what_show_draws(self):
        for prompt, scene in self.show("--seed", 3):
            output = self.run_program("shapes", "verify", scene, "--prompt", prompt)
            self.assert_mentions(output, "verdict: correct")

    def test_verify_explains_what_is_wrong(self):
        image = support.REPOSITORY / "recipes/data/three_red_circles.png"
        self.run_program("shapes", "verify", image, "--prompt", "a photo of three red circles")
        output = self.run_program("shapes", "verify", image, "--prompt", "a photo of three blue circles",
                                  status=support.MISMATCH)
        self.assert_mentions(output, "fault: ", "blue", "verdict: wrong")

    def test_the_seed_decides_the_sheet(self):
        sheets = []
        for name, seed in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
            self.run_program("shapes", "show", "--out", self.folder / name, "--seed", seed, "--split", "validation")
            sheets.append((self.folder / name).read_bytes())
        self.assertEqual(sheets[0], sheets[1])
        self.assertNotEqual(sheets[0], sheets[2])

    def test_errors_name_what_would_do(self):
        output = self.run_program("shapes", "show", "--out", self.folder / "x.png", "--split", "tests",
                                  status=support.USAGE)
        self.assert_mentions(output, "train, validation or test", "tests")
        image = support.REPOSITORY / "recipes/data/three_red_circles.png"
        output = self.run_program("shapes", "verify", image, "--prompt", "a photo of a zeppelin", status=support.DATA)
        self.assert_mentions(output, "zeppelin", "diptych shapes show")
        output = self.run_program("shapes", "verify", self.folder / "none.png", "--prompt", "a red circle",
                                  status=support.IO)
        self.assert_mentions(output, "none.png")


class Evaluation(support.EndToEndTest):
    def evaluate(self, *overrides, status=support.OK):
        return self.run_program("eval", "recipes/shapes_eval.toml", "eval.prompts=4", "eval.edits=0", "threads=1",
                                *overrides, status=status)

    def test_no_thoughts_no_row_of_them(self):
        self.assertIn("thoughts that ask for it", self.evaluate())
        self.assertNotIn("thoughts that ask for it", self.evaluate("rollout.episode=t2i"))

    def test_pictures_that_the_verifier_cannot_look_at(self):
        output = self.evaluate("rollout.image_size=64", status=support.CONFIG)
        self.assert_mentions(output, "rollout.image_size", "expected 32", "got 64")

    def test_a_reward_for_edits_scores_no_prompts(self):
        output = self.evaluate("reward.kind=shapes_edit", status=support.CONFIG)
        self.assert_mentions(output, "eval.prompts", "shapes_edit", "got 4")
        self.assertIn("Edits", self.evaluate("reward.kind=shapes_edit", "eval.prompts=0", "eval.edits=2"))


if __name__ == "__main__":
    unittest.main()
