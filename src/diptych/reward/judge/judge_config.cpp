#include "diptych/reward/judge/judge_config.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/json.h"

namespace diptych {

namespace {

// The client depends on these fields.
constexpr const char* kReservedFields[] = {"model", "messages", "stream", "n", "logprobs", "top_logprobs"};

[[noreturn]] void fail(const std::string& key, const std::string& expected, const std::string& got,
                       const std::string& hint = "") {
  throw Error(ExitCode::config, {"reward.judge." + key, expected, got, hint});
}

void check_endpoint(const std::string& url) {
  const size_t scheme_end = url.find("://");
  const std::string scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https") || url.size() == scheme_end + 3)
    fail("endpoints", "URLs such as http://127.0.0.1:8000/v1", cat("'", url, "'"));
  const std::string host = url.substr(scheme_end + 3, url.find('/', scheme_end + 3) - scheme_end - 3);
  if (host.find('@') != std::string::npos)
    fail("endpoints", "URLs without a password", "a URL with '@' in its host", "put the key into api_key_env");
  if (url.ends_with("/chat/completions"))
    fail("endpoints", "base URLs", cat("'", url, "'"), "leave out /chat/completions");
}

void check_extra_body(const std::string& text) {
  if (text.empty()) return;
  const nlohmann::json body = parse_json(text).value_or(nullptr);
  if (!body.is_object()) fail("extra_body", "a JSON object", cat("'", text, "'"));
  for (const char* field : kReservedFields)
    if (body.contains(field)) fail("extra_body", "fields that diptych does not set itself", cat("'", field, "'"));
}

bool looks_like_a_variable(const std::string& name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

}  // namespace

void check_judge_config(const JudgeConfig& judge) {
  if (judge.endpoints.empty()) fail("endpoints", "at least one URL", "none", "such as [\"http://127.0.0.1:8000/v1\"]");
  for (const std::string& url : judge.endpoints) check_endpoint(url);
  if (judge.model.empty()) fail("model", "the name of the model", "none", "servers list theirs under /v1/models");
  check_extra_body(judge.extra_body);
  if (judge.give_up_seconds < judge.timeout_seconds)
    fail("give_up_seconds", cat("at least timeout_seconds, ", judge.timeout_seconds), cat(judge.give_up_seconds));
}

std::string judge_api_key(const JudgeConfig& judge) {
  const std::string& name = judge.api_key_env;
  if (name.empty()) return "";
  // Whoever writes the key itself into this field must not see it again in a log.
  if (!looks_like_a_variable(name))
    fail("api_key_env", "the name of an environment variable in capitals", "something else (not shown)",
         "export JUDGE_API_KEY=... and set api_key_env = \"JUDGE_API_KEY\"");
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0')
    fail("api_key_env", cat("the environment variable ", name, " to hold the key"), "nothing",
         cat("export ", name, "=..."));
  const std::string key = value;
  if (std::any_of(key.begin(), key.end(), [](unsigned char c) { return c <= ' ' || c > '~'; }))
    fail("api_key_env", cat("a key of printable characters in ", name), "spaces or control characters (not shown)");
  return key;
}

}  // namespace diptych
