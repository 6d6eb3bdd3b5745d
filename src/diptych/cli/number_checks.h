#pragma once
// Checks of numbers on the command line that CLI11's own let through.

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

#include "diptych/base/text_format.h"

namespace diptych {

/** A number from `low` to `high`. CLI::Range accepts NaN, which is neither below nor above. */
inline CLI::Validator number_range(double low, double high) {
  const auto fault = [=](std::string& text) -> std::string {
    double value = 0;
    const bool is_number = CLI::detail::lexical_cast(text, value);
    if (is_number && value >= low && value <= high) return "";
    return cat("expected a number from ", low, " to ", high, ", got ", text);
  };
  return {fault, ""};
}

/** A seed: digits of a number below 2^63, as run.seed. Without it, CLI11 takes larger numbers for the largest. */
inline CLI::Validator seed_check() {
  const auto fault = [](std::string& text) -> std::string {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, value);
    if (failure == std::errc() && rest == end && value >= 0) return "";
    return cat("expected an integer from 0 to ", INT64_MAX, ", got ", text);
  };
  return {fault, ""};
}

}  // namespace diptych
