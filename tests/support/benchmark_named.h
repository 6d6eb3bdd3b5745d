#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "diptych/eval/benchmarks/benchmarks.h"

namespace diptych {

inline const Benchmark& benchmark_named(const std::string& name) {
  const auto found = std::ranges::find(benchmarks(), name, &Benchmark::name);
  EXPECT_NE(found, benchmarks().end()) << name;
  return *found;
}

}  // namespace diptych
