#include "diptych/parity/fixture.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

template <class Number>
std::vector<Number> flat_list(const Tensor& tensor, at::ScalarType type) {
  const Tensor flat = tensor.to(type).contiguous();
  const Number* first = flat.const_data_ptr<Number>();
  return {first, first + flat.numel()};
}

}  // namespace

Fixture::Fixture(const std::filesystem::path& path) : path_(path), tensors_(load_tensors(path)) {}

bool Fixture::exists(const std::filesystem::path& path) {
  std::filesystem::path inner_part = path;
  inner_part.replace_extension().concat(".0").concat(path.extension().string());
  std::filesystem::path outer_part = path;
  outer_part.concat(".0");
  return std::filesystem::exists(path) || std::filesystem::exists(inner_part) || std::filesystem::exists(outer_part);
}

const Tensor& Fixture::at(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end())
    throw Error(ExitCode::data, {path_.string(), "a tensor " + key, cat("none among ", tensors_.size(), " tensors"),
                                 "is the fixture folder complete and of this format?"});
  return found->second;
}

std::vector<int64_t> Fixture::integers(const std::string& key) const {
  return flat_list<int64_t>(at(key), at::kLong);
}

std::vector<std::vector<int64_t>> Fixture::integer_lists(const std::string& key, const std::string& lengths_key) const {
  std::vector<std::vector<int64_t>> lists;
  for (const Tensor& part : at(key).split_with_sizes(integers(lengths_key)))
    lists.push_back(flat_list<int64_t>(part, at::kLong));
  return lists;
}

std::vector<double> Fixture::numbers(const std::string& key) const {
  return flat_list<double>(at(key), at::kDouble);
}

double Fixture::number(const std::string& key) const {
  return at(key).item().toDouble();
}

std::set<std::string> Fixture::names(const std::string& prefix, const std::string& suffix) const {
  std::set<std::string> found;
  for (const auto& [key, tensor] : tensors_) {
    if (!key.starts_with(prefix)) continue;
    const size_t end = key.find('.', prefix.size());
    const std::string name = key.substr(prefix.size(), end == std::string::npos ? end : end - prefix.size());
    if (has(prefix + name + suffix)) found.insert(name);
  }
  return found;
}

}  // namespace diptych
