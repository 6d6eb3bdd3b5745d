#pragma once
// Errors of requests, in the form of OpenAI's servers.

#include <stdexcept>
#include <string>

namespace diptych {

/** A request that cannot be served. `what()` is the message; `param` and `code` may be empty. */
struct ApiError : std::runtime_error {
  ApiError(int status, std::string type, const std::string& message, std::string param = "", std::string code = "")
      : std::runtime_error(message),
        status(status),
        type(std::move(type)),
        param(std::move(param)),
        code(std::move(code)) {}

  int status;         // of HTTP
  std::string type;   // "invalid_request_error", "server_error", ...
  std::string param;  // the field at fault
  std::string code;   // "context_length_exceeded", ...
};

/** Status 400: the client can mend it. */
inline ApiError invalid_request(const std::string& message, const std::string& param = "",
                                const std::string& code = "") {
  return {400, "invalid_request_error", message, param, code};
}

/** The body of an error reply. */
std::string error_json(const ApiError& error);

}  // namespace diptych
