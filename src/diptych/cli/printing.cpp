#include "diptych/cli/printing.h"

#include <cstdio>

namespace diptych {

std::string grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (auto place = static_cast<int64_t>(text.size()) - 3; place > 0; place -= 3)
    text.insert(static_cast<size_t>(place), ",");
  return text;
}

void print_fact(const std::string& name, const std::string& value) {
  std::printf("%-15s %s\n", name.c_str(), value.c_str());
}

}  // namespace diptych
