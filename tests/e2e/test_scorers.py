"""A run with the user's own prompts and the user's own program as its reward."""

import json
import signal
import unittest

import support

# Notes what it is asked, by rank; hangs when it has answered as many requests as the file `patience` says.
SCORER = """
import json, os, sys, time
folder = sys.argv[1]
patience = int(open(os.path.join(folder, "patience")).read())
for number, line in enumerate(sys.stdin):
    request = json.loads(line)
    with open(os.path.join(folder, "asked_" + os.environ["DIPTYCH_RANK"]), "a") as file:
        place = [name for name in os.environ if name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")]
        print(json.dumps([request["prompt"], request["metadata"]["colour"], place]), file=file)
    if number >= patience: time.sleep(600)
    print(json.dumps({"id": request["id"], "score": number % 7}))
"""
OWN = [{"prompt": "a photo of a red circle", "colour": "röt"}, {"prompt": "my cat", "colour": "white"}]
SMALL = ["run.threads=1", "train.steps=2", "prompts.per_step=2", "train.group_size=2", "rollout.max_think_tokens=8"]


class Scorers(support.EndToEndTest):
    def setUp(self):
        super().setUp()
        (self.folder / "scorer.py").write_text(SCORER)
        (self.folder / "own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in OWN))

        self.set_patience(1000)

    def set_patience(self, answers):
        (self.folder / "patience").write_text(str(answers))

    def command(self, *overrides):
        program = json.dumps(["python3", str(self.folder / "scorer.py"), str(self.folder)])
        return ["train", "recipes/shapes_unigrpo.toml", f"run.dir={self.folder / 'run'}", *SMALL, "reward.kind=command",
                f"reward.command.program={program}", "prompts.source=file", f"prompts.path={self.folder / 'own.jsonl'}",
                *overrides]

    def asked(self, rank):
        return [json.loads(line) for line in (self.folder / f"asked_{rank}").read_text().splitlines()]

    def test_own_prompts_alone_reach_the_scorer_of_each_rank(self):
        output = self.run_program("launch", "--nproc", 2, *self.command())
        self.assert_mentions(output, "no evaluation on the shapes world")
        self.assertNotIn("explicit", output)
        for rank in (0, 1):
            asked = self.asked(rank)
            self.assertEqual(asked[0][:2], list(OWN[0].values()), "the trial is the first line of the file")
            self.assertEqual(len(asked), 1 + 2 * 2, "the trial, and two samples of one prompt in two steps")
            for prompt, colour, place in asked:
                self.assertIn({"prompt": prompt, "colour": colour}, OWN)
                self.assertEqual(place, [])

    def test_an_evaluation_on_the_shapes_world_has_to_be_asked_for(self):
        output = self.run_program(*self.command("eval.prompts=1", "reward.kind=brightness"))
        self.assert_mentions(output, "not on your prompts: 2 times (before, after, and every eval.every steps) 2 pictures",
                             "step 0: correct explicit")

    def test_a_hung_scorer_does_not_hold_up_the_end(self):
        notes = self.folder / "asked_0"
        for answers, steps in ((0, 0), (7, 1)):  # in the trial, and in the second step
            self.set_patience(answers)
            process = self.start_program(*self.command())
            self.wait_until(lambda: notes.exists() and len(self.asked(0)) > answers, process)
            self.assertEqual(self.stop_program(process, signal.SIGTERM, timeout=30), support.INTERRUPTED)
            self.assertEqual(len(support.metric_rows(self.folder / "run")), steps)
            notes.unlink()
        self.set_patience(1000)
        self.run_program(*self.command())
        self.assertEqual([row["step"] for row in support.metric_rows(self.folder / "run")], [1, 2])


if __name__ == "__main__":
    unittest.main()
