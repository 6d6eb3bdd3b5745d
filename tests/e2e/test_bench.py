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
        self.assertEqual(list(rows), ["gemm", "gemm of the model", "bandwidth", "vit"])
        self.assertGreater(rows["vit"]["flops_per_second"], 0)

    def test_all_parts(self):
        output = self.run_program("bench", "--quick", "--model", MODEL)
        self.assert_mentions(output, "autoencoder encode", "vit", "prefill", "edit_context", "decode", "tokens/s", "denoise",
                             "replay", "update", "chains/s", "step", "judge 16", "judge 64",
                             "% of places")

    def test_a_published_model_made_small(self):
        """Random weights in memory, and the phases of training by the names of their full sizes."""
        file = self.folder / "bench.json"
        sizes = ["hidden=64", "layers=1", "heads=2", "kv_heads=1", "head_dim=32", "mlp=64", "vocabulary=1000",
                 "vit.hidden=32", "vit.mlp=32", "vit.heads=2", "vit.layers=2", "vae.channels=32"]
        output = self.run_program("bench", "--like", "bagel-7b", "--quick", "--json", file,
                                  *(f"model.{size}" for size in sizes))
        self.assert_mentions(output, "like bagel-7b", "bandwidth", "GB/s", "denoise 512 px", "denoise 1024 px", "decode by",
                             "% of bandwidth", "lora 512 px update", "gen expert 1024 px update", "unigrpo 1024 px step")
        document = json.loads(file.read_text())
        self.assertIn("model.hidden=64", document["changes"])
        rows = {row["name"]: row for row in document["rows"]}
        self.assertEqual(rows["decode by 2"]["limit"], "bandwidth")
        self.assertNotIn("peak_bytes", rows["lora 512 px update"])  # known of GPUs alone

    def test_sizes_need_a_published_model(self):
        self.assert_mentions(self.run_program("bench", "model.layers=2", status=support.USAGE), "--like")

    def test_unknown_part(self):
        self.assert_mentions(self.run_program("bench", "--only", "vitt", status=support.USAGE), "vitt")


if __name__ == "__main__":
    unittest.main()
