#pragma once
// From a ChatRequest to the HTTP request of a judge, in two steps: what the calling thread prepares, and the body,
// which is written only when there is a place for it, so that few large texts exist at once.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "diptych/io/http/http_client.h"
#include "diptych/reward/chat/chat.h"
#include "diptych/reward/judge/judge_config.h"

namespace diptych {

using SharedText = std::shared_ptr<const std::string>;

/** Data URIs of the images of one call, by digest: an image in many requests is encoded once. */
class ImageUris {
 public:
  /** Throws Error(data) for an image whose bytes do not fit its size. */
  SharedText of(const ChatPart& part, const std::string& digest);
  size_t encoded() const { return uris_.size(); }

 private:
  std::unordered_map<std::string, SharedText> uris_;
};

/** What stays the same in all requests of a judge. */
class JudgeRequestWriter {
 public:
  /** Throws Error(config) as check_judge_config and judge_api_key do. */
  explicit JudgeRequestWriter(const JudgeConfig& config);

  /** The body with digests in the place of images: what the reply depends on. Equal requests have equal records. */
  std::string record(const ChatRequest& request, const std::vector<std::string>& digests) const;
  /** The request for an endpoint, a base URL without a final slash. */
  HttpRequest write(const std::string& endpoint, const ChatRequest& request, const std::vector<SharedText>& uris) const;
  const std::string& key() const { return key_; }

 private:
  std::string body(const ChatRequest& request, const std::vector<std::string_view>& image_urls) const;

  JudgeConfig config_;
  std::string key_;
  nlohmann::json extra_;
};

/** Digests of the image parts, in order. */
std::vector<std::string> image_digests(const ChatRequest& request);

}  // namespace diptych
