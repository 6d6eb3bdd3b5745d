"""diptych judge agreement against the shipped model, served as a judge."""

import json
import unittest

import support

BASE = "assets/shapes_base"


class JudgeAgreementTest(support.EndToEndTest):
    def test_table_and_file(self):
        server = self.start_program("serve", BASE, "--port", 0, "--threads", 1)
        self.wait_until(lambda: "listening on" in self.background_output(), server)
        url = self.background_output().split("listening on ")[1].split()[0]
        file = self.folder / "agreement.json"
        output = self.run_program("judge", "agreement", "--url", f"{url}/v1", "--model", "any", "--pictures", 12,
                                  "--split", "validation", "--out", file)
        self.assert_mentions(output, "12 pictures of 4 prompts of the validation split", "0 failed", "Existence",
                             "Geometry", "balanced", "dvreward", "judge_holistic", "viescore", "right above wrong")
        report = json.loads(file.read_text())
        everything = report["questions"][0]
        self.assertEqual(everything["tag"], "all")
        self.assertEqual(everything["asked"], everything["answered"])
        self.assertEqual(everything["asked"], sum(row["asked"] for row in report["questions"][1:]))
        self.assertGreater(everything["balanced_accuracy"], 0.6)
        self.assertEqual([row["pairs"] for row in report["rewards"][:1]], [4])
        self.assertEqual(len(report["rewards"]), 5)

    def test_judge_is_required(self):
        self.assert_mentions(self.run_program("judge", "agreement", status=support.USAGE), "--url")


if __name__ == "__main__":
    unittest.main()
