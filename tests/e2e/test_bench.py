"""diptych bench prints its rows; what they say is never tested."""

import json
import unittest

import support

MODEL = support.REPOSITORY / "tests/fixtures/bagel_tiny/checkpoint"


class BenchTest(support.EndToEndTest):
    def test_one_part(self):
        file = self.folder / "bench.json"
        output = self.run_program("bench", "--only", "vit", "--quick", "--model", MODEL, "--json", file)
        self.assert_mentions(output, "gemm", "fp32", "vit", "images/s", "GFLOP/s", "% of GEMM")
        self.assertNotIn("denoise", output)
        rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
        self.assertEqual(list(rows), ["gemm", "gemm of the model", "vit"])
        self.assertGreater(rows["vit"]["flops_per_second"], 0)

    def test_all_parts(self):
        output = self.run_program("bench", "--quick", "--model", MODEL)
        self.assert_mentions(output, "autoencoder encode", "vit", "prefill", "edit_context", "decode", "tokens/s", "denoise",
                             "replay", "update", "chains/s", "step", "judge 16", "judge 64",
                             "% of places")

    def test_unknown_part(self):
        self.assert_mentions(self.run_program("bench", "--only", "vitt", status=support.USAGE), "vitt")


if __name__ == "__main__":
    unittest.main()
