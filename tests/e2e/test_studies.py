"""studies/*.toml: every row is a recipe that can run, and studies/run.py runs, records and does not run again."""

import csv
import subprocess
import sys
import tomllib

import support

STUDIES = sorted((support.REPOSITORY / "studies").glob("*.toml"))
RUN = support.REPOSITORY / "studies" / "run.py"


def study(file):
    return tomllib.loads(file.read_text())


class StudiesTest(support.EndToEndTest):
    def run_study(self, *arguments):
        return subprocess.run([sys.executable, RUN, *map(str, arguments), "--binary", str(support.BINARY)],
                              cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)

    def rows(self, kind):
        with open(self.folder / "out" / f"unigrpo_{kind}.csv", newline="") as table:
            return list(csv.DictReader(table))

    def test_every_row_is_a_recipe(self):
        self.assertTrue(STUDIES)
        for file in STUDIES:
            content = study(file)
            for name, row in content["rows"].items():
                with self.subTest(f"{file.name}: {name}"):
                    done = subprocess.run([support.BINARY, "recipe", content["recipe"], *content["common"],
                                           *row["changes"]], cwd=support.REPOSITORY, capture_output=True, text=True,
                                          timeout=60, check=False)
                    self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_study_runs_once(self):
        file = support.REPOSITORY / "studies" / "unigrpo.toml"
        call = [file, "unigrpo", "text_only", "--seeds", "0", "--runs", self.folder / "runs", "--out",
                self.folder / "out", "--set", "train.steps=2", "eval.prompts=2", "prompts.per_step=2"]
        done = self.run_study(*call)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count(" train recipes/"), 2)
        self.assertEqual({(row["run"], row["test"]) for row in self.rows("tests")},
                         {(run, test) for run in ("unigrpo", "text_only") for test in study(file)["tests"]})
        self.assertEqual([(row["run"], row["step"]) for row in self.rows("curves")],
                         [("unigrpo", "20"), ("text_only", "20")])
        self.assertIn("| text_only | plain | 1 |", done.stdout)
        again = self.run_study(*call)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertNotIn(" train recipes/", again.stdout)
        self.assertEqual(len(self.rows("tests")), 4)

    def test_mistakes_are_named(self):
        done = self.run_study(support.REPOSITORY / "studies" / "unigrpo.toml", "unigrppo")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no row unigrppo", done.stderr)
