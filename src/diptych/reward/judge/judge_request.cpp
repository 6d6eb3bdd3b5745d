#include "diptych/reward/judge/judge_request.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/reward/chat/chat_image.h"
#include "diptych/reward/chat/chat_json.h"

namespace diptych {

using nlohmann::json;

namespace {
constexpr size_t kMaxReplyBytes = size_t{4} << 20;  // log-probabilities of 2000 tokens are about one MiB
constexpr double kConnectSeconds = 10;
}  // namespace

SharedText ImageUris::of(const ChatPart& part, const std::string& digest) {
  const auto found = uris_.find(digest);
  if (found != uris_.end()) return found->second;
  return uris_.emplace(digest, std::make_shared<const std::string>(image_data_uri(part))).first->second;
}

JudgeRequestWriter::JudgeRequestWriter(const JudgeConfig& config) : config_(config), extra_(json::object()) {
  check_judge_config(config);
  key_ = judge_api_key(config);
  if (config.disable_thinking) extra_["chat_template_kwargs"]["enable_thinking"] = false;
  if (!config.extra_body.empty()) extra_.update(json::parse(config.extra_body), true);
}

std::string JudgeRequestWriter::body(const ChatRequest& request,
                                     const std::vector<std::string_view>& image_urls) const {
  json fields = chat_parameters(request);
  fields["model"] = config_.model;
  fields.merge_patch(extra_);
  return cat("{\"messages\":", chat_messages(request, image_urls), ",", fields.dump().substr(1));
}

std::string JudgeRequestWriter::record(const ChatRequest& request, const std::vector<std::string>& digests) const {
  return body(request, {digests.begin(), digests.end()});
}

HttpRequest JudgeRequestWriter::write(const std::string& endpoint, const ChatRequest& request,
                                      const std::vector<SharedText>& uris) const {
  std::vector<std::string_view> image_urls;
  for (const SharedText& uri : uris) image_urls.push_back(*uri);
  HttpRequest http;
  http.url = endpoint + "/chat/completions";
  http.headers = {"Content-Type: application/json", "Accept: application/json"};
  if (!key_.empty()) http.headers.push_back("Authorization: Bearer " + key_);
  http.body = body(request, image_urls);
  http.timeout_seconds = config_.timeout_seconds;
  http.connect_seconds = std::min(kConnectSeconds, config_.timeout_seconds);
  http.drip_seconds = config_.drip_seconds;
  http.max_reply_bytes = kMaxReplyBytes;
  return http;
}

std::vector<std::string> image_digests(const ChatRequest& request) {
  std::vector<std::string> digests;
  for (const ChatMessage& message : request.messages)
    for (const ChatPart& part : message.parts)
      if (part.image) digests.push_back(image_digest(part));
  return digests;
}

}  // namespace diptych
