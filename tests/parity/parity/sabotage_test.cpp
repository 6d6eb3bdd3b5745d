// The comparison itself: what is wrong must be found and named.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/io/files.h"
#include "diptych/parity/verify.h"
#include "diptych/tensor/load.h"
#include "support/expect_error.h"
#include "support/fixtures.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, Tensor>;

// A fixture folder of links, some files of which are replaced.
class Sabotage : public ::testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    for (const fs::path& sub : {fs::path(), fs::path("checkpoint")}) {
      fs::create_directories(folder() / sub);
      for (const auto& entry : fs::directory_iterator(original() / sub))
        if (!entry.is_directory()) fs::create_symlink(entry.path(), folder() / sub / entry.path().filename());
    }
  }

  static fs::path original() { return fs::absolute(fixture_folder() / "bagel_tiny"); }
  fs::path folder() const { return temporary_.path() / "fixtures"; }

  template <class Change>
  void change(const std::string& file, const Change& change) {
    Tensors tensors = load_tensors(original() / file);
    change(tensors);
    std::vector<NamedTensor> list;
    for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
    fs::remove(folder() / file);
    save_tensors(folder() / file, list);
  }

  ItemResult result(const std::string& item) { return verify_folder(folder(), at::kFloat, {item}).at(0); }

  void expect_failure(const std::string& item, const std::string& text) {
    const ItemResult found = result(item);
    EXPECT_EQ(found.status, ItemStatus::failed) << item;
    EXPECT_NE((found.where + " " + found.detail).find(text), std::string::npos)
        << item << ": '" << text << "' missing in: " << found.where << " " << found.detail;
  }

 private:
  TemporaryFolder temporary_;
};

// Adds 1 % of the largest magnitude to one element.
void nudge(Tensors& tensors, const std::string& key) {
  Tensor flat = tensors.at(key).clone().flatten();
  flat[flat.numel() / 2] += 1e-2 * flat.abs().max();
  tensors.at(key) = flat.view_as(tensors.at(key));
}

TEST_F(Sabotage, OneWrongNumberIsNamed) {
  const std::pair<std::string, std::string> files[] = {
      {"01 text prefill", "01_text_prefill"},      {"02 decode", "02_decode"},
      {"03 vit prefill", "03_vit_prefill"},        {"04 autoencoder", "04_vae"},
      {"05 clean latent", "05_vae_image_prefill"}, {"06 velocity t2i", "06_velocity_t2i"},
      {"06 velocity edit", "06_velocity_edit"},    {"07 sampling", "07_ode"},
      {"08 edit context", "08_edit_context"},      {"09 training loss", "09_train"},
      {"15 joint update", "15_joint_update"},      {"15 guided update", "15_joint_update_guided"}};
  for (const auto& [item, name] : files) {
    const std::string file = name + ".safetensors";
    std::string last;
    change(file, [&](Tensors& tensors) {
      for (const auto& [key, tensor] : tensors)
        if (key.find("out.") != std::string::npos && tensor.is_floating_point() && tensor.numel() > 1) last = key;
      nudge(tensors, last);
    });
    expect_failure(item, last);
  }
}

TEST_F(Sabotage, WrongGradientsAreNamed) {
  const std::string key = "language_model.model.norm_moe_gen.weight";
  const std::pair<std::string, std::string> files[] = {{"09 training gradients", "09_train_grads"},
                                                       {"14 denoise gradients", "14_denoise_grads"},
                                                       {"15 full gradients", "15_joint_update_grads_full"},
                                                       {"15 guided gradients", "15_joint_update_grads_guided"}};
  for (const auto& [item, name] : files) {
    const std::string file = name + ".safetensors";
    change(file, [&](Tensors& tensors) { nudge(tensors, key); });
    expect_failure(item, key);
    change(file, [&](Tensors& tensors) { tensors.erase(key); });
    expect_failure(item, key + ": a gradient, but none is stored");
    change(file, [&](Tensors& tensors) { tensors["no.such.weight"] = at::ones({2}); });
    expect_failure(item, "no.such.weight");
  }
}

TEST_F(Sabotage, WrongIntegersAndMasksAreNamed) {
  change("09_train.safetensors", [](Tensors& tensors) {
    Tensor& mask = tensors.at("out.attention_mask");
    mask[mask.size(0) - 1][0].logical_not_();
  });
  expect_failure("09 training loss", "out.attention_mask");
  change("09_dropout_layouts.safetensors", [](Tensors& tensors) {
    Tensor& positions = tensors.at("vae.packed_position_ids");
    positions[0] += 1;
  });
  expect_failure("09 dropped segments", "vae.packed_position_ids");
  change("12_resize_pixels.safetensors", [](Tensors& tensors) {
    Tensor& pixels = tensors.at("rgba.out");
    pixels[0][0][0] = (pixels[0][0][0].item<int>() + 1) % 256;
  });
  expect_failure("12 resize pixels", "rgba.out");
}

TEST_F(Sabotage, AWrongModelIsFound) {
  // The norms of queries and keys exchanged: the smallest of the usual mistakes that bfloat16 must still show.
  change("checkpoint/ema.safetensors", [](Tensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      const size_t place = name.find("q_norm");
      if (place != std::string::npos) std::swap(tensor, tensors.at(std::string(name).replace(place, 1, "k")));
    }
  });
  const std::set<std::string> independent = {"04 autoencoder",  "09 dropped segments", "10 tokenizer",
                                             "11 resize rules", "12 resize pixels",    "13 components"};
  for (const ItemResult& result : verify_folder(folder()))
    EXPECT_EQ(result.status, independent.contains(result.item) ? ItemStatus::passed : ItemStatus::failed)
        << result.item;
}

TEST_F(Sabotage, AbsentAndDamagedFiles) {
  fs::remove(folder() / "13_components.safetensors");
  EXPECT_EQ(result("13 components").status, ItemStatus::absent);
  fs::remove(folder() / "12_resize_pixels.safetensors");
  write_file_atomic(folder() / "12_resize_pixels.safetensors", "not a file of tensors");
  expect_failure("12 resize pixels", "12_resize_pixels.safetensors");
  change("05_vae_image_prefill.safetensors", [](Tensors& tensors) { tensors.erase("in.packed.eps"); });
  expect_failure("05 clean latent", "in.packed.eps");
}

TEST_F(Sabotage, GradientsInParts) {
  const Tensors all = load_tensors(original() / "09_train_grads.safetensors");
  std::vector<NamedTensor> parts[2];
  for (const auto& [name, tensor] : all) parts[name.size() % 2].push_back({name, tensor});
  fs::remove(folder() / "09_train_grads.safetensors");
  save_tensors(folder() / "09_train_grads.safetensors.0", parts[0]);
  save_tensors(folder() / "09_train_grads.safetensors.1", parts[1]);
  EXPECT_EQ(result("09 training gradients").status, ItemStatus::passed);
}

TEST_F(Sabotage, FolderWithoutItems) {
  expect_error([&] { verify_folder(folder() / "checkpoint"); }, ExitCode::data, {"none of the files"});
}

}  // namespace
}  // namespace diptych
