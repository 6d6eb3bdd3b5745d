#pragma once

#include <string>

#include "diptych/base/error.h"

namespace diptych {

/** Throws Error(config) at `key` unless the rule holds. */
inline void require(bool holds, const std::string& key, const std::string& expected, const std::string& got,
                    const std::string& hint) {
  if (!holds) throw Error(ExitCode::config, {key, expected, got, hint});
}

}  // namespace diptych
