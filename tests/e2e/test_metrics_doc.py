"""docs/metrics.md names every metric that the training commands write, and no other."""

import fnmatch
import re
import unittest

import support

DOCUMENT = support.REPOSITORY / "docs/metrics.md"
RECIPES = support.REPOSITORY / "recipes"
BASE_MODEL = support.REPOSITORY / "assets/shapes_base"


def documented_names():
    """Names and patterns such as `eval/family/*` in the first column of tables that are headed `metric`."""
    names = set()
    in_metric_table = False
    for line in DOCUMENT.read_text().splitlines():
        if not line.startswith("|"):
            in_metric_table = False
        elif line.startswith("| metric |"):
            in_metric_table = True
        elif in_metric_table:
            names.update(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return names


@unittest.skipUnless(BASE_MODEL.exists(), "assets/shapes_base is not there")
class MetricsDocumentTest(support.EndToEndTest):
    def written_names(self, command, recipe, *overrides):
        run = self.folder / recipe
        self.run_program(command, RECIPES / f"{recipe}.toml", f"run.dir={run}", f"model={BASE_MODEL}", "run.threads=1",
                         "train.steps=2", *overrides)
        rows = support.metric_rows(run)
        self.assertEqual(rows[-1]["step"], 2)
        return {name for row in rows for name in row} - {"step"}

    def judged_names(self):
        server = self.start_program("serve", BASE_MODEL, "--port", 0, "--threads", 1)
        self.wait_until(lambda: "listening on" in self.background_output(), server)
        url = self.background_output().split("listening on ")[1].split()[0]
        return self.written_names("train", "shapes_rt2i_judge", "prompts.per_step=2", "train.group_size=3",
                                  "eval.prompts=0", f'reward.judge.endpoints=["{url}/v1"]')

    def test_document_and_runs_agree(self):
        written = (self.written_names("sft", "shapes_autoencoder", "train.batch=2") |
                   self.written_names("sft", "shapes_sft", "train.batch=2", "eval.prompts=6") |
                   # The soft reward, so that the few chains have a spread.
                   self.written_names("train", "shapes_unigrpo", "prompts.per_step=2", "train.group_size=4",
                                      "reward.kind=shapes_soft", "eval.prompts=6", "eval.edits=7") |
                   self.written_names("train", "shapes_srr", "prompts.per_step=2", "train.group_size=4",
                                      "eval.prompts=6", "eval.refine=self") |
                   # Prompts whose pictures are often right, so that some reviews see a perfect one.
                   self.written_names("train", "shapes_rounds", "prompts.per_step=6", "train.group_size=6",
                                      "eval.prompts=0") |
                   self.judged_names())
        documented = documented_names()
        undocumented = [name for name in written if not any(fnmatch.fnmatchcase(name, known) for known in documented)]
        self.assertEqual(sorted(undocumented), [])
        self.assertEqual(sorted(name for name in documented if not fnmatch.filter(written, name)), [])


if __name__ == "__main__":
    unittest.main()
