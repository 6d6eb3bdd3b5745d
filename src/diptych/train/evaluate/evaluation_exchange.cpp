#include "diptych/train/evaluate/evaluation_exchange.h"

#include "diptych/train/run/exchanged_json.h"
#include "diptych/train/run/ranks.h"

namespace diptych {

using nlohmann::json;

namespace {

json json_of_review(const Review& review) {
  return {{"text", review.text},
          {"picture", review.picture},
          {"of_right_picture", review.of_right_picture},
          {"stopped", review.stopped}};
}

Review review_of(const json& stored) {
  return {.text = stored.at("text"),
          .picture = stored.at("picture"),
          .of_right_picture = stored.at("of_right_picture"),
          .stopped = stored.at("stopped")};
}

}  // namespace

json json_of_sample(const EvaluatedSample& sample) {
  json stored{
      {"place", sample.place},     {"request", sample.candidate.prompt},      {"texts", sample.candidate.texts},
      {"images", json::array()},   {"think_tokens", sample.think_tokens},     {"score", json_of_score(sample.score)},
      {"correct", sample.correct}, {"correct_rounds", sample.correct_rounds}, {"reviews", json::array()}};
  for (const Image& image : sample.candidate.images) stored["images"].push_back(json::binary(encode_png(image)));
  for (const Review& review : sample.reviews) stored["reviews"].push_back(json_of_review(review));
  return stored;
}

EvaluatedSample sample_of_json(const json& stored) {
  EvaluatedSample sample;
  sample.place = stored.at("place");
  sample.candidate.prompt = stored.at("request");
  sample.candidate.texts = stored.at("texts").get<std::vector<std::string>>();
  for (const json& image : stored.at("images"))
    sample.candidate.images.push_back(decode_image(image.get_binary(), "a picture of another rank"));
  sample.think_tokens = stored.at("think_tokens");
  sample.score = score_of_json(stored.at("score"));
  sample.correct = stored.at("correct");
  sample.correct_rounds = stored.at("correct_rounds").get<std::vector<bool>>();
  for (const json& review : stored.at("reviews")) sample.reviews.push_back(review_of(review));
  return sample;
}

namespace {

std::vector<EvaluatedSample> samples_of_all(ProcessGroup& ranks, std::vector<EvaluatedSample> own) {
  json stored = json::array();
  for (const EvaluatedSample& sample : own) stored.push_back(json_of_sample(sample));
  const std::vector<json> all = gather_json(ranks, stored, "samples of the evaluation");
  std::vector<EvaluatedSample> samples = std::move(own);
  for (int rank = 0; rank < ranks.world(); ++rank) {
    if (rank == ranks.rank()) continue;
    for (const json& sample : all[static_cast<size_t>(rank)]) samples.push_back(sample_of_json(sample));
  }
  return samples;
}

}  // namespace

EvaluationShare share_of(ProcessGroup& ranks) {
  return {.rank = static_cast<size_t>(ranks.rank()),
          .world = static_cast<size_t>(ranks.world()),
          .join = [&ranks](std::vector<EvaluatedSample> own) { return samples_of_all(ranks, std::move(own)); },
          .work = [&ranks](const std::function<void()>& part) { together(ranks, "the evaluation", part); }};
}

}  // namespace diptych
