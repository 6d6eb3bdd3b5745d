"""`diptych report` on runs that the program itself made: whole, still being written, damaged, and compared."""

import html.parser
import shutil
import unittest

import support

SMALL = ["prompts.per_step=4", "train.group_size=4", "train.steps=4", "train.record_every=2", "eval.prompts=8",
         "run.threads=1"]
NOTES = '<ul class="notes">'  # what the page says of missing or damaged parts
EMPTY_ELEMENTS = {"meta", "img", "path", "circle"}


class Page(html.parser.HTMLParser):
    """Elements that are left open, and whatever is loaded from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.faults = []
        self.pictures = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)
        self.pictures += tag == "img"
        for name, value in attributes:
            if name in ("src", "href") and not value.startswith(("data:image/", "#")):
                self.faults.append(f"{tag} {name}={value}")
        if tag in ("script", "link", "iframe", "object"):
            self.faults.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY_ELEMENTS and (not self.open or self.open.pop() != tag):
            self.faults.append(f"</{tag}> at {self.getpos()}")


class ReportTest(support.EndToEndTest):
    def quickstart(self, name, *overrides):
        run = self.folder / name
        output = self.run_program("quickstart", f"run.dir={run}", *SMALL, *overrides)
        return run, output

    def check_page(self, file):
        text = file.read_text()
        page = Page(text)
        self.assertEqual((page.open, page.faults), ([], []))
        return text, page

    def assert_shows(self, page, *texts):
        """assert_mentions without the whole page in its message."""
        self.assertEqual([text for text in texts if text not in page], [])

    def test_quickstart_ends_with_a_whole_report(self):
        run, output = self.quickstart("run")
        self.assert_mentions(output, run / "report.html")
        text, page = self.check_page(run / "report.html")
        self.assertFalse(NOTES in text)
        self.assertFalse("Other metrics" in text)
        self.assert_shows(text, "4 of 4 steps", "Held-out pictures strictly correct", 'id="health"', "reward/mean",
                          "16 held-out prompts", "Step 1", "Step 2", "Step 4", "Best", "advantage", "und_learning_rate = ")
        # Both pictures of each of 16 prompts, and those of four groups of four chains in two recorded steps.
        self.assertGreaterEqual(page.pictures, 2 * 16 + 2 * 16)
        self.assertEqual(text.count("</figcaption></figure>"), 2 * 16)

    def test_runs_are_compared_and_damage_is_told(self):
        first, _ = self.quickstart("first")
        second = self.folder / "second"
        shutil.copytree(first, second)
        recipe = second / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1", 1))
        with open(second / "metrics.jsonl", "a") as metrics:
            metrics.write('nonsense\n{"step": 5, "reward/me')  # the last line is still being written
        shutil.rmtree(second / "rollouts/step_000002")
        page = self.folder / "pages/both.html"
        self.assert_mentions(self.run_program("report", first, second, "--out", page), page)
        text, _ = self.check_page(page)
        self.assert_shows(text, "Recipe keys that differ (1)", "run.seed", NOTES,
                          "second: metrics.jsonl:6 is no JSON object", "All right", "All wrong")
        self.assertFalse("metrics.jsonl:7" in text)
        self.assert_mentions(self.run_program("report", first, second), first / "comparison.html")

    def test_supervised_runs_have_curves(self):
        run = self.folder / "autoencoder"
        self.run_program("sft", "recipes/shapes_autoencoder.toml", "model=assets/shapes_base", f"run.dir={run}",
                         "train.steps=3", "train.batch=2", "run.threads=1")
        self.run_program("report", run)
        text, _ = self.check_page(run / "report.html")
        self.assert_shows(text, "Training of the autoencoder", "loss/total", "3 of 3 steps")
        self.assertFalse(NOTES in text)

    def test_another_folder_is_an_error(self):
        self.assert_mentions(self.run_program("report", self.folder, status=support.DATA), self.folder, "a run folder")
        self.assert_mentions(self.run_program("report", status=support.USAGE), "run is required")
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
