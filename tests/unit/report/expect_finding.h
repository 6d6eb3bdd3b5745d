#pragma once
// Checks of health findings.

#include <gtest/gtest.h>

#include "diptych/report/health/health.h"

namespace diptych {

/** Fails unless there is one finding, of that severity, which names these words and says what to do. */
inline void expect_finding(const Findings& findings, Severity severity, const std::vector<std::string>& words) {
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].severity, severity);
  for (const std::string& word : words) EXPECT_NE(findings[0].seen.find(word), std::string::npos) << findings[0].seen;
  EXPECT_FALSE(findings[0].meaning.empty());
  EXPECT_FALSE(findings[0].advice.empty());
}

}  // namespace diptych
