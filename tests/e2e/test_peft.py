"""Exported adapters in the hands of their real readers: the peft and safetensors packages."""

import site
import unittest
import warnings

from support import REPOSITORY, EndToEndTest

for packages in sorted((REPOSITORY / ".deps/test_venv").glob("lib/python3*/site-packages")):
    site.addsitedir(str(packages))
try:
    import peft
    import torch
    from safetensors.torch import load_file
except ImportError:
    peft = None

SETTINGS = ["run.threads=1", "prompts.per_step=2", "train.group_size=4", "train.steps=2", "eval.prompts=0",
            "train.gen_learning_rate=1e-3", "train.und_learning_rate=1e-3", "optimizer.warmup_steps=0"]
BASE = REPOSITORY / "assets/shapes_base"


def skeleton(weights):
    """Modules of the same names as the model's, linear layers where the weights are those of projections."""
    root = torch.nn.Module()
    for name, weight in weights.items():
        if not name.endswith("_proj.weight") and "_proj_moe_gen.weight" not in name or "vit_model" in name:
            continue
        *path, leaf = name.removesuffix(".weight").split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        bias = weights.get(name.removesuffix("weight") + "bias")
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        linear.weight.data.copy_(weight)
        module.add_module(leaf, linear)
    return root


@unittest.skipIf(peft is None, "the peft package is not installed; ./dev test installs it where pip has an index")
class PeftTest(EndToEndTest):

    def train(self, *changes):
        run = self.folder / "run"
        self.run_program("train", "recipes/shapes_unigrpo.toml", f"run.dir={run}", *SETTINGS, "lora.rank=3",
                         "lora.alpha=12", *changes)
        base = {name: tensor.float() for name, tensor in load_file(BASE / "ema.safetensors").items()}
        return run, base, load_file(run / "model" / "ema.safetensors")

    def test_peft_loads_the_adapter_and_merges_to_our_weights(self):
        run, base, merged = self.train()
        model = peft.get_peft_model(skeleton(base), peft.LoraConfig.from_pretrained(run / "adapter"))
        stored = load_file(run / "adapter" / "adapter_model.safetensors")
        loaded = peft.set_peft_model_state_dict(model, stored)
        self.assertEqual(loaded.unexpected_keys, [])
        self.assertEqual([key for key in loaded.missing_keys if "lora" in key], [])
        moved = 0
        for name, linear in model.merge_and_unload().named_modules():
            if not isinstance(linear, torch.nn.Linear):
                continue
            ours = merged[f"{name}.weight"] - base[f"{name}.weight"]
            theirs = linear.weight.detach() - base[f"{name}.weight"]
            self.assertTrue(torch.allclose(theirs, ours, rtol=0, atol=1e-6), name)
            moved += ours.abs().max() > 1e-4
        self.assertEqual(moved, 2 * 4 * 7)  # two experts, four layers, seven projections

    def test_peft_opens_the_folder_of_one_expert_without_a_warning(self):
        run, base, merged = self.train("lora.targets=['*moe_gen*', '!*mlp*']")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = peft.PeftModel.from_pretrained(skeleton(base), str(run / "adapter"))
        adapted = [name for name, module in model.named_modules() if hasattr(module, "lora_A")]
        self.assertEqual(len(adapted), 4 * 4)
        self.assertTrue(all("moe_gen" in name for name in adapted))
        untouched = [name for name in base if "moe_gen" not in name]
        self.assertTrue(all(torch.equal(merged[name], base[name]) for name in untouched))

    def test_the_merged_folder_has_the_names_and_shapes_of_the_base(self):
        _, base, merged = self.train()
        self.assertEqual({name: tensor.shape for name, tensor in merged.items()},
                         {name: tensor.shape for name, tensor in base.items()})


if __name__ == "__main__":
    unittest.main()
