#include "diptych/train/evaluation_exchange.h"

#include "diptych/train/score_json.h"

namespace diptych {

namespace {

using nlohmann::json;

json json_of_review(const Review& review) {
  return {review.of_right_picture, review.stopped, review.score.described, review.score.understood,
          review.score.finds_fault};
}

Review review_of(const json& stored) {
  return {.of_right_picture = stored.at(0),
          .stopped = stored.at(1),
          .score = {.described = stored.at(2), .understood = stored.at(3), .finds_fault = stored.at(4)}};
}

json json_of_sample(const EvaluatedSample& sample) {
  json stored{
      {"place", sample.place},     {"request", sample.candidate.prompt},      {"texts", sample.candidate.texts},
      {"images", json::array()},   {"think_tokens", sample.think_tokens},     {"score", json_of_score(sample.score)},
      {"correct", sample.correct}, {"correct_rounds", sample.correct_rounds}, {"reviews", json::array()}};
  for (const Image& image : sample.candidate.images) stored["images"].push_back(json::binary(encode_png(image)));
  for (const Review& review : sample.reviews) stored["reviews"].push_back(json_of_review(review));
  return stored;
}

EvaluatedSample sample_of(const json& stored) {
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

std::vector<EvaluatedSample> samples_of_all(ProcessGroup& ranks, std::vector<EvaluatedSample> own) {
  json stored = json::array();
  for (const EvaluatedSample& sample : own) stored.push_back(json_of_sample(sample));
  // CBOR: doubles keep their bits, and texts may be any bytes.
  const std::vector<uint8_t> bytes = json::to_cbor(stored);
  const std::vector<std::string> all = ranks.gather_strings({bytes.begin(), bytes.end()}, "samples of the evaluation");
  std::vector<EvaluatedSample> samples = std::move(own);
  for (int rank = 0; rank < ranks.world(); ++rank) {
    if (rank == ranks.rank()) continue;
    for (const json& sample : json::from_cbor(all[static_cast<size_t>(rank)])) samples.push_back(sample_of(sample));
  }
  return samples;
}

}  // namespace

EvaluationShare share_of(ProcessGroup& ranks) {
  return {.rank = static_cast<size_t>(ranks.rank()),
          .world = static_cast<size_t>(ranks.world()),
          .join = [&ranks](std::vector<EvaluatedSample> own) { return samples_of_all(ranks, std::move(own)); }};
}

}  // namespace diptych
