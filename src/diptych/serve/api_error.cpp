#include "diptych/serve/api_error.h"

#include <nlohmann/json.hpp>

namespace diptych {

std::string error_json(const ApiError& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? nlohmann::json() : nlohmann::json(text); };
  const nlohmann::json body{{"error",
                             {{"message", error.what()},
                              {"type", error.type},
                              {"param", or_null(error.param)},
                              {"code", or_null(error.code)}}}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace diptych
