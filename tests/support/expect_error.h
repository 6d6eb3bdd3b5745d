#pragma once
// Checks of diptych::Error.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "diptych/base/error.h"

namespace diptych {

/** Runs `action`, which must throw Error with this exit code and a message that contains all the parts. */
template <class Action>
void expect_error(const Action& action, ExitCode code, const std::vector<std::string>& parts) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' missing in: " << error.what();
  }
}

}  // namespace diptych
