"""`diptych data check`: the report, and the faults with their file and line."""

import json
import unittest

import support

EXAMPLES = support.REPOSITORY / "recipes/data"


class DataTest(support.EndToEndTest):
    def test_reports_on_the_shipped_examples(self):
        output = self.run_program("data", "check", EXAMPLES / "sft_example.jsonl")
        records = (EXAMPLES / "sft_example.jsonl").read_text().count("\n")
        self.assertRegex(output, rf"records +{records}\n")
        self.assertRegex(output, r"faults +0\n")

    def test_counts_prompts(self):
        lines = (EXAMPLES / "prompts_example.txt").read_text().splitlines()
        prompts = [line for line in lines if line.strip() and not line.startswith("#")]
        output = self.run_program("data", "check", EXAMPLES / "prompts_example.txt")
        self.assertRegex(output, rf"prompts +{len(prompts)}\n")

    def test_prompts_with_keys_for_rewards_are_fine(self):
        file = self.folder / "prompts.jsonl"
        file.write_text(json.dumps({"prompt": "a photo of two dogs", "tag": "counting",
                                    "include": [{"class": "dog", "count": 2}]}) + "\n")
        output = self.run_program("data", "check", file)
        self.assertRegex(output, r"records +1\n")
        self.assertRegex(output, r"with questions +0\n")
        self.assertRegex(output, r"warnings +0\n")
        self.assertRegex(output, r"faults +0\n")

    def test_names_file_and_line_of_every_fault(self):
        file = self.folder / "mine.jsonl"
        image = str(EXAMPLES / "three_red_circles.png")
        lines = [
            json.dumps({"prompt": "three red circles", "image": image}),
            json.dumps({"promt": "three red circles", "image": image}),
            json.dumps({"prompt": "three red circles", "image": "none.png"}),
            '{"prompt": "three red',
        ]
        file.write_text("\n".join(lines) + "\n")
        output = self.run_program("data", "check", file, status=support.DATA)
        self.assert_mentions(output, f"{file}:2", "'promt'", "did you mean 'prompt'?", f"{file}:3", "none.png",
                             f"{file}:4")
        self.assertRegex(output, r"faults +3\n")

    def test_a_missing_file_is_named(self):
        output = self.run_program("data", "check", self.folder / "none.jsonl", status=support.DATA)
        self.assert_mentions(output, self.folder / "none.jsonl")


if __name__ == "__main__":
    unittest.main()
