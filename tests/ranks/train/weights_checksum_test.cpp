#include "diptych/tensor/torch.h"

#include "diptych/train/run/weights_checksum.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/model/folder/initialise.h"
#include "support/tiny_model.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

/** Flips the lowest bit of a weight. */
void corrupt(const Tensor& tensor, int64_t place) {
  static_cast<char*>(tensor.data_ptr())[place * static_cast<int64_t>(tensor.element_size())] ^= 1;
}

/** The last rank but one has a weight with one bit flipped, of the expert that does not train or of the autoencoder. */
std::string compare_weights(const ProcessPlace& place, at::ScalarType dtype, bool of_autoencoder) {
  at::set_num_threads(1);
  ProcessGroup ranks(place, std::chrono::seconds(60));
  Bagel model = tiny_bagel(dtype);
  check_same_weights(model, ranks);
  if (place.rank == 1)
    of_autoencoder ? corrupt(*autoencoder_slots(model).back().tensor, 0)
                   : corrupt(model.decoder.layers[1].und.down.weight, 77);
  try {
    check_same_weights(model, ranks);
  } catch (const Error& error) {
    ranks.barrier("the group is still whole");
    return error.what();
  }
  return "nothing was found";
}

TEST(WeightsChecksumTest, ACorruptedRankIsNamed) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const bool of_autoencoder : {false, true}) {
      ForkedRanks ranks(3, [&](const ProcessPlace& place) { return compare_weights(place, dtype, of_autoencoder); });
      for (int rank = 0; rank < 3; ++rank) {
        const std::string said = ranks.end_of(rank).output;
        EXPECT_NE(said.find("the same weights of the model on all ranks"), std::string::npos) << said;
        EXPECT_NE(said.find("rank 1 has checksum"), std::string::npos) << said;
      }
    }
}

}  // namespace
}  // namespace diptych
