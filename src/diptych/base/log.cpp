#include "diptych/base/log.h"

// spdlog stays in this file: its bundled fmt does not compile beside the fmt headers that torch carries.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace diptych {

namespace {
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_color_mt("diptych");
    made->set_pattern("%^[%H:%M:%S]%$ %v");
    return made;
  }();
  return *instance;
}
}  // namespace

void log_info(const std::string& line) {
  logger().info("{}", line);
}
void log_warning(const std::string& line) {
  logger().warn("warning: {}", line);
}
void log_error(const std::string& line) {
  logger().error("error: {}", line);
}

}  // namespace diptych
