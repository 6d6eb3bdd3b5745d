#include "diptych/train/run/weights_checksum.h"

#include "diptych/io/files.h"
#include "diptych/model/folder/initialise.h"

namespace diptych {

namespace {

at::ScalarType integer_as_wide_as(const Tensor& tensor) {
  switch (tensor.element_size()) {
    case 2:
      return at::kShort;
    case 4:
      return at::kInt;
    default:
      return at::kLong;
  }
}

}  // namespace

uint64_t weights_checksum(Bagel& model) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> sums;
  for (const ParameterSlot& slot : all_slots(model))
    sums.push_back(slot.tensor->detach().view(integer_as_wide_as(*slot.tensor)).sum(at::kLong));
  const Tensor all = at::stack(sums).cpu();
  return hash_number({static_cast<const char*>(all.const_data_ptr()), all.nbytes()});
}

void check_same_weights(Bagel& model, ProcessGroup& ranks) {
  if (ranks.world() > 1) ranks.check_same("weights of the model", weights_checksum(model));
}

}  // namespace diptych
