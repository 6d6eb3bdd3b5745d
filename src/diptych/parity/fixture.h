#pragma once
// The tensors of one fixture file, read by key.

#include <filesystem>
#include <set>

#include "diptych/tensor/load.h"

namespace diptych {

/** A file of a fixture folder, or its parts NAME.0, NAME.1, ... as one set. */
class Fixture {
 public:
  /** Throws Error(model) if the file is absent or damaged. */
  explicit Fixture(const std::filesystem::path& path);

  /** Whether the file or its first part is there. */
  static bool exists(const std::filesystem::path& path);

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  bool has(const std::string& key) const { return tensors_.contains(key); }

  /** The tensor of that key; Error(data) with file and key if there is none. */
  const Tensor& at(const std::string& key) const;

  /** An integer tensor as a flat list. */
  std::vector<int64_t> integers(const std::string& key) const;

  /** A flat integer tensor cut into consecutive lists of the lengths under another key. */
  std::vector<std::vector<int64_t>> integer_lists(const std::string& key, const std::string& lengths_key) const;

  /** A floating-point tensor as a flat list. */
  std::vector<double> numbers(const std::string& key) const;

  /** The only element of a tensor. */
  double number(const std::string& key) const;

  /** Different texts X of the keys `prefix`X`suffix`... with X free of dots, in sorted order. */
  std::set<std::string> names(const std::string& prefix, const std::string& suffix) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace diptych
