#pragma once
// The recipe of the judge servers. The API key is never part of it, only the name of the variable that holds it.

#include <cstdint>
#include <string>
#include <vector>

#include "diptych/base/config/config.h"

namespace diptych {

struct JudgeConfig {
  std::vector<std::string> endpoints;
  std::string model;
  std::string api_key_env;
  int64_t concurrency = 16;
  double timeout_seconds = 120;
  double drip_seconds = 30;
  int64_t retries = 5;
  double backoff_base_seconds = 0.5;
  double backoff_max_seconds = 30;
  double backoff_jitter = 0.5;
  double max_retry_after_seconds = 60;
  double give_up_seconds = 600;
  int64_t breaker_failures = 5;
  double breaker_rest_seconds = 15;
  bool cache = true;
  std::string cache_file;
  int64_t cache_entries = 100000;
  bool disable_thinking = true;
  std::string extra_body;
  bool environment_proxy = false;
};

inline void visit(ConfigFields& fields, JudgeConfig& judge) {
  fields("endpoints", judge.endpoints, "base URLs of servers of one model, such as http://127.0.0.1:8000/v1",
         Change::free);
  fields("model", judge.model, "name of the model as the servers know it", Change::recorded);
  fields("api_key_env", judge.api_key_env, "name of the environment variable that holds the key; empty: no key",
         Change::free);
  fields.range("concurrency", judge.concurrency, 1, 10000, "requests under way at once, per endpoint", Change::free);
  fields.range("timeout_seconds", judge.timeout_seconds, 0.001, 86400, "for one try, connecting included",
               Change::free);
  fields.range("drip_seconds", judge.drip_seconds, 0.001, 86400,
               "for the rest of a reply after its first byte that is not blank", Change::free);
  fields.range("retries", judge.retries, 0, 100, "further tries of a request that failed for a passing reason",
               Change::free);
  fields.range("backoff_base_seconds", judge.backoff_base_seconds, 0, 3600, "wait before the first retry; doubles",
               Change::free);
  fields.range("backoff_max_seconds", judge.backoff_max_seconds, 0, 3600, "longest wait before a retry", Change::free);
  fields.range("backoff_jitter", judge.backoff_jitter, 0, 1, "random share of the wait, so that retries spread out",
               Change::free);
  fields.range("max_retry_after_seconds", judge.max_retry_after_seconds, 0, 86400,
               "longest rest that a server's Retry-After can ask for", Change::free);
  fields.range("give_up_seconds", judge.give_up_seconds, 0.001, 604800,
               "no retry so long after a request's first try; waiting requests fail if none was answered for so long",
               Change::free);
  fields.range("breaker_failures", judge.breaker_failures, 1, 1000000, "failures in a row that make an endpoint rest",
               Change::free);
  fields.range("breaker_rest_seconds", judge.breaker_rest_seconds, 0, 86400,
               "rest of an endpoint before one request tries it again", Change::free);
  fields("cache", judge.cache, "whether equal requests are asked once", Change::free);
  fields("cache_file", judge.cache_file, "JSON lines file in the run folder that keeps replies; empty: memory only",
         Change::free);
  fields.range("cache_entries", judge.cache_entries, 1, INT64_MAX, "replies kept in memory, the latest ones",
               Change::free);
  fields("disable_thinking", judge.disable_thinking, "send chat_template_kwargs {\"enable_thinking\": false}",
         Change::recorded);
  fields("extra_body", judge.extra_body, "JSON object of further fields of a request, such as {\"top_k\": 1}",
         Change::recorded);
  fields("environment_proxy", judge.environment_proxy, "whether http_proxy, https_proxy and no_proxy count",
         Change::free);
}

/** Throws Error(config) for settings with which no request can be sent. */
void check_judge_config(const JudgeConfig& judge);

/** The key in the variable named by api_key_env; empty if that is empty. Throws Error(config), never showing a value.
 */
std::string judge_api_key(const JudgeConfig& judge);

}  // namespace diptych
