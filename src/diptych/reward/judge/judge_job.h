#pragma once
// What the threads of a judge hand to each other.

#include <condition_variable>
#include <memory>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/judge/endpoint_pool.h"
#include "diptych/reward/judge/judge_request.h"

namespace diptych {

/** The requests of one ask(). */
struct JudgeBatch {
  std::vector<ChatResult> results;
  size_t unfinished = 0;
  std::condition_variable done;
};

/** A request on its way. ask() keeps `request` alive until it is finished. */
struct JudgeJob {
  std::shared_ptr<JudgeBatch> batch;
  size_t index = 0;
  const ChatRequest* request = nullptr;
  std::vector<SharedText> uris;
  std::string cache_key;
  std::string record;
  int64_t tries = 0;
  SteadyTime first_try;
  SteadyTime sent_at;
  EndpointPlace place;
};
using JudgeJobPointer = std::shared_ptr<JudgeJob>;

}  // namespace diptych
