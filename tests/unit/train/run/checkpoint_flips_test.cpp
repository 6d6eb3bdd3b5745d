#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "diptych/io/files.h"
#include "diptych/train/run/checkpoint.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

void overwrite_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(CheckpointFlipsTest, EveryFlippedByteIsNoticed) {
  const TemporaryFolder run;
  TrainState state;
  state.step = 7;
  const std::filesystem::path folder = save_checkpoint(run.path(), state, {{"weight", at::arange(6, at::kFloat)}},
                                                       {{"step", at::full({1}, 7, at::kLong)}}, 1);
  for (const std::string name : {"trainable.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}) {
    const std::string whole = read_file(folder / name);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
      overwrite_bytes(folder / name, flipped);
      const std::string damage = checkpoint_damage(folder);
      EXPECT_FALSE(damage.empty()) << name << " byte " << i;
      if (name != "manifest.json") {
        EXPECT_TRUE(damage.starts_with(name)) << damage;
      }
    }
    overwrite_bytes(folder / name, whole);
    EXPECT_EQ(checkpoint_damage(folder), "");
  }
}

}  // namespace
}  // namespace diptych
