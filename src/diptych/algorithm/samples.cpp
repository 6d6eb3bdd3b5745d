#include "diptych/algorithm/samples.h"

#include <stdexcept>

#include "diptych/base/text_format.h"

namespace diptych {

void require_one_per_sample(size_t samples, size_t entries, std::string_view what) {
  if (entries != samples) throw std::invalid_argument(cat(samples, " rewards, but ", entries, ' ', what));
}

std::vector<size_t> valid_samples(size_t samples, const std::vector<bool>& valid) {
  if (!valid.empty()) require_one_per_sample(samples, valid.size(), "validity flags");
  std::vector<size_t> members;
  for (size_t i = 0; i < samples; ++i) {
    if (valid.empty() || valid[i]) members.push_back(i);
  }
  return members;
}

}  // namespace diptych
