"""`diptych init --like` makes folders in BAGEL's layout, `diptych inspect` tells what a folder holds and lacks."""

import json
import shutil
import struct
import subprocess
import unittest

import support

# BAGEL-7B's layout and vocabulary at a scale of some megabytes.
SMALL = ["model.hidden=16", "model.heads=2", "model.kv_heads=1", "model.head_dim=8", "model.layers=1", "model.mlp=24",
         "model.max_latent_size=8", "model.vit.hidden=16", "model.vit.heads=2", "model.vit.mlp=24",
         "model.vit.layers=1", "model.vit_max_patches_per_side=4", "model.vit_transform.max_long=56",
         "model.vit_transform.min_short=28", "model.vae.channels=32", "model.vae_transform.max_long=64",
         "model.vae_transform.min_short=32"]
FILES = ["ae.safetensors", "config.json", "ema.safetensors", "generation_config.json", "llm_config.json", "merges.txt",
         "model.safetensors.index.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
         "vit_config.json", "vocab.json"]
FIXTURES = support.REPOSITORY / "tests/fixtures/bagel_tiny"


def header(file):
    """Name -> entry of a safetensors file."""
    contents = file.read_bytes()
    entries = json.loads(contents[8:8 + struct.unpack("<Q", contents[:8])[0]])
    entries.pop("__metadata__", None)
    return entries


class ModelFolderTest(support.EndToEndTest):
    def make(self, name="model", *overrides):
        folder = self.folder / name
        self.run_program("init", "--like", "bagel-7b", folder, *SMALL, *overrides)
        return folder

    def change_config(self, folder, key, value, name="llm_config.json"):
        file = folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))


class InitLikeTest(ModelFolderTest):
    def test_a_model_is_not_replaced(self):
        folder = self.folder / "model"
        tiny = ["model.hidden=32", "model.heads=2", "model.kv_heads=1", "model.head_dim=16", "model.mlp=32", "model.layers=1"]
        self.run_program("init", "recipes/shapes_model.toml", folder, *tiny)
        before = (folder / "ema.safetensors").read_bytes()
        output = self.run_program("init", "recipes/shapes_model.toml", folder, *tiny, "seed=9", status=support.IO)
        self.assert_mentions(output, folder, "ema.safetensors", "another folder")
        self.assertEqual((folder / "ema.safetensors").read_bytes(), before)

    def test_the_folder_has_the_published_layout(self):
        folder = self.make()
        self.assertEqual(sorted(file.name for file in folder.iterdir()), FILES)
        llm = json.loads((folder / "llm_config.json").read_text())
        self.assertEqual(llm["vocab_size"], 152064)
        self.assertEqual(llm["max_position_embeddings"], 32768)
        special = json.loads(self.run_program("inspect", folder, "--json"))["tokenizer"]
        generation = json.loads((folder / "generation_config.json").read_text())
        self.assertEqual([llm["eos_token_id"], generation["eos_token_id"]], [special["im_end"]] * 2)
        transformer = header(folder / "ema.safetensors")
        self.assertEqual(transformer["language_model.lm_head.weight"]["shape"], [152064, 16])
        for name, entry in transformer.items():
            self.assertEqual(entry["dtype"], "F32" if name.endswith("pos_embed.pos_embed") else "BF16", name)
        autoencoder = header(folder / "ae.safetensors")
        self.assertEqual(len(autoencoder), 244)
        self.assertEqual({entry["dtype"] for entry in autoencoder.values()}, {"F32"})
        files = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
        self.assertEqual(files, {**dict.fromkeys(transformer, "ema.safetensors"),
                                 **dict.fromkeys(autoencoder, "ae.safetensors")})

    def test_the_seed_decides_every_byte(self):
        first, again, other = self.make("a"), self.make("b"), self.make("c", "seed=1")
        for name in FILES:
            self.assertEqual((first / name).read_bytes(), (again / name).read_bytes(), name)
        self.assertNotEqual((first / "ema.safetensors").read_bytes(), (other / "ema.safetensors").read_bytes())

    def test_what_a_killed_call_left_is_removed(self):
        killed = subprocess.Popen(["true"])
        killed.wait()
        folder = self.folder / "model"
        folder.mkdir()
        (folder / f"ema.safetensors.tmp-{killed.pid}-0").write_bytes(b"half of it")
        self.make()
        self.assertEqual(sorted(file.name for file in folder.iterdir()), FILES)

    def test_the_program_works_with_it(self):
        folder = self.make()
        output = self.run_program("sample", folder, "--prompt", "a red circle", "--size", 32, "--steps", 2,
                                  "--max-think-tokens", 4, "--out", self.folder / "samples")
        self.assert_mentions(output, "0000_0.png")
        # `verify` loads it too; the recorded values belong to another model.
        (self.folder / "checkpoint").symlink_to(folder)
        shutil.copy(FIXTURES / "01_text_prefill.safetensors", self.folder)
        output = self.run_program("verify", self.folder, status=support.MISMATCH)
        self.assert_mentions(output, "1 failed")

    def test_the_vocabulary_may_follow_the_tokenizer(self):
        folder = self.make("model", "model.vocabulary=0")
        rows = json.loads((folder / "llm_config.json").read_text())["vocab_size"]
        tokens = json.loads(self.run_program("inspect", folder, "--json"))["tokenizer"]["size"]
        self.assertEqual(rows, (tokens + 63) // 64 * 64)

    def test_errors_come_before_any_file(self):
        folder = self.folder / "model"

        def refused(status, *arguments):
            output = self.run_program("init", *arguments, status=status)
            self.assertFalse(folder.exists() and list(folder.iterdir()))
            return output

        self.assert_mentions(refused(support.USAGE, "--like", "bagel-8b", folder), "bagel-7b")
        self.assert_mentions(refused(support.USAGE, "--like", "bagel-7b"), "expected FOLDER")
        self.assert_mentions(refused(support.USAGE, "recipes/shapes_model.toml"), "expected RECIPE and FOLDER")
        like = ["--like", "bagel-7b", folder]
        self.assert_mentions(refused(support.CONFIG, *like, "model.layer=2"), "did you mean 'model.layers'")
        self.assert_mentions(refused(support.CONFIG, *like, "model.hidden=100"), "model.hidden = 100")
        self.assert_mentions(refused(support.CONFIG, *like, *SMALL, "model.vocabulary=64"), "model.vocabulary")
        # Position tables of 14,000 terabytes.
        self.assert_mentions(refused(support.IO, *like, "model.max_latent_size=1000000"), "of free disk space")


class InspectTest(ModelFolderTest):
    def test_a_complete_folder(self):
        folder = self.make()
        output = self.run_program("inspect", folder)
        self.assert_mentions(output, "1 layers, width 16", "vocabulary 152064", "im_start", "generation expert",
                             "position tables", "autoencoder", "Complete")
        facts = json.loads(self.run_program("inspect", folder, "--json"))
        self.assertTrue(facts["complete"])
        self.assertEqual(facts["config"]["vocabulary"], 152064)
        entries = [*header(folder / "ema.safetensors").values(), *header(folder / "ae.safetensors").values()]
        self.assertEqual(facts["tensors"], len(entries))
        self.assertEqual(facts["bytes"], sum(end - begin for begin, end in (e["data_offsets"] for e in entries)))
        experts = {part["name"]: part for part in facts["files"][0]["components"]}
        self.assertEqual(experts["generation expert"]["parameters"], experts["understanding expert"]["parameters"])

    def test_the_official_fixture_is_complete(self):
        self.assert_mentions(self.run_program("inspect", FIXTURES / "checkpoint"), "Complete")

    def test_differences_stand_below_the_table(self):
        folder = self.make()
        self.change_config(folder, "num_hidden_layers", 3)
        self.change_config(folder, "vocab_size", 1000)
        output = self.run_program("inspect", folder, status=support.MODEL)
        self.assert_mentions(output, "15 of 43", "58 differences",
                             "missing language_model.model.layers.{1-2}.mlp_moe_gen.up_proj.weight [24, 16]",
                             "misshapen language_model.lm_head.weight: expected [1000, 16], got [152064, 16]",
                             "1 problem, listed above")
        self.change_config(folder, "num_hidden_layers", 1)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "visual_und": False}))
        output = self.run_program("inspect", folder, status=support.MODEL)
        self.assert_mentions(output, "extra connector.fc1.bias [16]", "extra vit_pos_embed.pos_embed [16, 16]")

    def test_the_weights_say_how_large_an_image_may_be(self):
        folder = self.make()
        self.change_config(folder, "max_latent_size", 4, "config.json")
        output = self.run_program("inspect", folder)
        self.assert_mentions(output, "max_latent_size 4", "8 x 8 places", "at most 8 per side", "Complete")
        output = self.run_program("sample", folder, "--prompt", "a red circle", "--size", 128, "--steps", 2,
                                  "--no-think", "--out", self.folder / "samples")
        self.assert_mentions(output, "max_latent_size 4", "0000_0.png")

    def test_what_is_damaged_or_missing_is_told_beside_the_rest(self):
        folder = self.make()
        weights = folder / "ema.safetensors"
        weights.write_bytes(weights.read_bytes()[:100000])
        (folder / "llm_config.json").unlink()
        for name in ("tokenizer.json", "vocab.json"):
            (folder / name).unlink()
        output = self.run_program("inspect", folder, status=support.MODEL)
        self.assert_mentions(output, weights, "inside the", "llm_config.json", "vocab.json", "autoencoder",
                             "3 problems")
        facts = json.loads(self.run_program("inspect", folder, "--json", status=support.MODEL).split("\n}\n")[0] + "}")
        self.assertFalse(facts["complete"])
        self.assertEqual(len(facts["faults"]), 2)
        self.assertIn("ema.safetensors", facts["files"][0]["fault"])
        output = self.run_program("inspect", self.folder / "none", status=support.MODEL)
        self.assert_mentions(output, self.folder / "none", "no such folder")

    def test_a_file_by_itself(self):
        file = FIXTURES / "checkpoint/ae.safetensors"
        output = self.run_program("inspect", file)
        entries = header(file)
        self.assert_mentions(output, "encoder.conv_in.weight", "[32, 3, 3, 3]", "format: pt", "together")
        facts = json.loads(self.run_program("inspect", file, "--json"))
        offsets = {name: entry["data_offsets"][0] for name, entry in entries.items()}
        self.assertEqual([tensor["name"] for tensor in facts["tensors"]], sorted(offsets, key=offsets.get))
        for tensor in facts["tensors"]:
            self.assertEqual(tensor["shape"], entries[tensor["name"]]["shape"])
        self.run_program("inspect", support.REPOSITORY / "README.md", status=support.MODEL)

    def test_a_file_of_dtypes_that_nothing_here_computes_with(self):
        dtypes = {"F8_E8M0": 4, "F4": 2, "F6_E2M3": 3, "U4": 2}
        entries, end = {}, 0
        for dtype, size in dtypes.items():
            entries[dtype.lower()] = {"dtype": dtype, "shape": [4], "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(entries).encode()
        file = self.folder / "small.safetensors"
        file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
        self.assert_mentions(self.run_program("inspect", file), *dtypes, "[4]")
        facts = json.loads(self.run_program("inspect", file, "--json"))
        self.assertEqual([tensor["dtype"] for tensor in facts["tensors"]], list(dtypes))


class VariantTest(support.EndToEndTest):
    """One model, written as other libraries write it, paints the same picture."""

    def setUp(self):
        super().setUp()
        self.model = self.folder / "model"
        shutil.copytree(support.REPOSITORY / "assets/shapes_base", self.model)

    def change(self, name, change):
        file = self.model / name
        keys = json.loads(file.read_text())
        change(keys)
        file.write_text(json.dumps(keys))

    def picture(self):
        out = self.folder / "samples"
        shutil.rmtree(out, ignore_errors=True)
        output = self.run_program("sample", self.model, "--prompt", "a photo of three red circles", "--seed", 1, "--steps", 2,
                                  "--no-think", "--threads", 1, "--out", out)
        return (out / "0000_0.png").read_bytes(), output

    def test_the_picture_stays(self):
        plain, _ = self.picture()
        self.change("llm_config.json", lambda keys: keys.update(
            rope_parameters={"rope_type": "default", "rope_theta": keys.pop("rope_theta")}, dtype="bfloat16",
            layer_types=["full_attention"] * 4, sliding_window=8, use_sliding_window=False, rope_scaling=None))
        (self.model / "ema.safetensors").rename(self.model / "model.safetensors")
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
            (self.model / name).unlink()
        picture, output = self.picture()
        self.assertEqual(picture, plain)
        self.assert_mentions(output, "the weights are those of model.safetensors")


if __name__ == "__main__":
    unittest.main()
