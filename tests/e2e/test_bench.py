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
        self.assert_mentions(output, "autoencoder encode", "vit", "prefill", "edit_context", "decode", "tokens/s",
                             "denoise", "sample", "replay", "exchange", "optimizer", "update", "chains/s", "step",
                             "judge 16", "judge 64", "% of places")

    def published(self, *arguments):
        """The output and the document of a run at the sizes of a published model, all of them made small."""
        file = self.folder / "bench.json"
        sizes = ["hidden=64", "layers=1", "heads=2", "kv_heads=1", "head_dim=32", "mlp=64", "vocabulary=1000",
                 "vit.hidden=32", "vit.mlp=32", "vit.heads=2", "vit.layers=2", "vae.channels=32"]
        output = self.run_program("bench", "--like", "bagel-7b", "--quick", "--device", "cpu", "--json", file,
                                  *arguments, *(f"model.{size}" for size in sizes))
        return output, json.loads(file.read_text())

    def test_a_published_model_made_small(self):
        """Random weights in memory, and the phases of training by the names of their full sizes."""
        output, document = self.published("--dtype", "float32")
        self.assert_mentions(output, "like bagel-7b", "bandwidth", "GB/s", "token steps/s", "% of bandwidth")
        self.assertIn("model.hidden=64", document["changes"])
        rows = {row["name"]: row for row in document["rows"]}
        self.assertEqual(list(rows), [
            "gemm", "gemm of the model", "bandwidth",
            "denoise 512 px by 4", "denoise 512 px by 4 ragged", "denoise 1024 px by 2", "denoise 1024 px by 2 ragged",
            "decode by 2", "decode by 4", "decode by 2 ragged",
            "autoencoder 512 px encode", "autoencoder 512 px decode",
            "autoencoder 1024 px encode", "autoencoder 1024 px decode", "vit 512 px", "vit 1024 px",
            "lora 512 px replay", "lora 512 px optimizer", "lora 512 px update",
            "lora 1024 px replay", "lora 1024 px optimizer", "lora 1024 px update",
            "gen expert 1024 px replay", "gen expert 1024 px optimizer", "gen expert 1024 px update recomputed",
            "unigrpo 1024 px sample", "unigrpo 1024 px replay", "unigrpo 1024 px exchange", "unigrpo 1024 px optimizer",
            "unigrpo 1024 px update recomputed", "unigrpo 1024 px step recomputed",
            "unigrpo 1024 px update", "unigrpo 1024 px step"])
        self.assertEqual(rows["decode by 2"]["limit"], "bandwidth")
        self.assertNotIn("peak_bytes", rows["lora 512 px update"])  # known of GPUs alone
        self.assertGreater(rows["unigrpo 1024 px step"]["planned_bytes"],
                           rows["unigrpo 1024 px optimizer"]["planned_bytes"])

    def test_a_published_model_is_measured_in_its_own_dtype(self):
        output, document = self.published("--only", "vit")
        self.assert_mentions(output, "bfloat16 on cpu", " bf16 ")
        self.assertEqual(document["dtype"], "bfloat16")

    def test_profile(self):
        output, document = self.published("--only", "denoise", "--dtype", "float32", "--profile")
        self.assert_mentions(output, "aten::")
        self.assertNotIn("USDT", output)  # nothing that the profiler says of itself
        profile = document["rows"][-1]["profile"]
        longest = [line["seconds"] for line in profile["lines"]]
        self.assertEqual(longest, sorted(longest, reverse=True))
        self.assertGreater(min(line["calls"] for line in profile["lines"]), 0)
        self.assertNotIn("idle_share", profile)  # of GPUs alone

    def test_sizes_need_a_published_model(self):
        self.assert_mentions(self.run_program("bench", "model.layers=2", status=support.USAGE), "--like")

    def test_unknown_part(self):
        self.assert_mentions(self.run_program("bench", "--only", "vitt", status=support.USAGE), "vitt")


if __name__ == "__main__":
    unittest.main()
