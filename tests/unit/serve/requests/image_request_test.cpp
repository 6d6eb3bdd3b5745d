#include "diptych/tensor/torch.h"

#include "diptych/serve/requests/image_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/base64.h"
#include "diptych/serve/api_error.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

std::string png(int width, int height) {
  const std::vector<uint8_t> bytes = encode_png(
      {height, width, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3, 50)});
  return {bytes.begin(), bytes.end()};
}

std::string data_uri(const std::string& bytes) {
  return "data:image/png;base64," + base64_encode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

class ImageRequestTest : public ::testing::Test {
 protected:
  ModelConfig model_ = tiny_config();  // a latent token has 8 pixels
  ServeSettings settings_ = default_settings(model_);

  Job generation(const std::string& body) { return parse_generation(body, settings_, model_); }
  Job edit(const std::string& body) { return parse_edit(body, "application/json", settings_, model_); }

  void expect_refused(const std::string& body, const std::string& param) {
    try {
      generation(body);
      ADD_FAILURE() << "accepted: " << body;
    } catch (const ApiError& error) {
      EXPECT_EQ(error.status, 400);
      EXPECT_EQ(error.param, param) << error.what();
    }
  }
};

TEST_F(ImageRequestTest, GenerationHasTheDefaultsOfTheModel) {
  const Job job = generation(R"({"prompt":"a cup"})");
  ASSERT_EQ(job.context.size(), 1U);
  EXPECT_EQ(job.context[0].text, "a cup");
  EXPECT_EQ(job.paint->grid_height, 4);
  EXPECT_EQ(job.paint->grid_width, 4);
  EXPECT_EQ(job.paint->times.size(), 6U);
  EXPECT_EQ(job.paint->guidance.text_scale, 1);
  ASSERT_TRUE(job.text);
  EXPECT_EQ(job.text->sampling.max_tokens, 40);
}

TEST_F(ImageRequestTest, FieldsAreRead) {
  settings_.think_prompt = "think first";
  const Job job = generation(
      R"({"prompt":"a cup","n":3,"size":"64x16","seed":5,"response_format":"b64_json","think":true,"steps":2,)"
      R"("guidance":4,"max_think_tokens":7,"temperature":0.3,"quality":"auto","model":"x"})");
  ASSERT_EQ(job.context.size(), 2U);
  EXPECT_EQ(job.context[0].text, "think first");
  EXPECT_EQ(job.count, 3);
  EXPECT_EQ(job.seed, 5U);
  EXPECT_EQ(job.paint->grid_width, 8);
  EXPECT_EQ(job.paint->grid_height, 2);
  EXPECT_EQ(job.paint->times.size(), 3U);
  EXPECT_EQ(job.paint->guidance.text_scale, 4);
  EXPECT_EQ(job.text->sampling.max_tokens, 7);
  const Job plain = generation(R"({"prompt":"a cup","think":false,"size":"auto"})");
  EXPECT_FALSE(plain.text);
  EXPECT_EQ(plain.context.size(), 1U);
}

TEST_F(ImageRequestTest, WrongFieldsAreNamed) {
  expect_refused("{}", "prompt");
  expect_refused(R"({"prompt":3})", "prompt");
  expect_refused(R"({"prompt":"x","size":"big"})", "size");
  expect_refused(R"({"prompt":"x","size":"16x"})", "size");
  expect_refused(R"({"prompt":"x","size":"16x16x16"})", "size");
  expect_refused(R"({"prompt":"x","size":"12x16"})", "size");
  expect_refused(R"({"prompt":"x","size":"-16x16"})", "size");
  expect_refused(R"({"prompt":"x","size":"72x16"})", "size");
  expect_refused(R"({"prompt":"x","size":"99999999999999999999x16"})", "size");
  expect_refused(R"({"prompt":"x","steps":0})", "steps");
  expect_refused(R"({"prompt":"x","guidance":0})", "guidance");
  expect_refused(R"({"prompt":"x","n":1000})", "n");
  expect_refused(R"({"prompt":"x","response_format":"url"})", "response_format");
  expect_refused(R"({"prompt":"x","think":"maybe"})", "think");
  expect_refused(R"({"prompt":"x","shift":0})", "shift");
}

TEST_F(ImageRequestTest, FieldsThatWouldChangeTheImageAreRefused) {
  for (const char* field :
       {R"("stream":true)", R"("partial_images":2)", R"("output_format":"jpeg")", R"("output_format":"webp")",
        R"("output_compression":50)", R"("background":"transparent")", R"("quality":"high")", R"("style":"natural")",
        R"("response_format":"url")", R"("mask":"data:image/png;base64,AA==")", R"("negative_prompt":"blurry")",
        R"("num_inference_steps":30)", R"("guidance_scale":4)", R"("input_fidelity":"high")"}) {
    const std::string text = field;
    expect_refused(R"({"prompt":"x",)" + text + "}", text.substr(1, text.find('"', 1) - 1));
  }
  expect_refused(R"({"prompt":"x","partial_images":2,"stream":true})", "stream");
  EXPECT_NO_THROW(generation(
      R"({"prompt":"x","stream":false,"partial_images":0,"output_format":"png","output_compression":100,"n":1.0,)"
      R"("background":"opaque","quality":"standard","style":"vivid","moderation":"low","mask":null,"user":"me","size":"",)"
      R"("negative_prompt":"","steps":3.0})"));
}

/** Whatever the shift, the engine gets flow times that it can paint with, or no job. */
TEST_F(ImageRequestTest, FlowTimesAreSoundOrRefused) {
  for (const char* shift : {"0.001", "0.1", "0.3", "0.301", "0.35", "0.49", "1", "3", "1000"}) {
    for (const char* steps : {"1", "7", "1000"}) {
      try {
        const Job job = generation(R"({"prompt":"x","shift":)" + std::string(shift) + R"(,"steps":)" + steps + "}");
        const std::vector<double>& times = job.paint->times;
        EXPECT_EQ(times.front(), 1);
        EXPECT_EQ(times.back(), 0);
        for (size_t k = 1; k < times.size(); ++k) EXPECT_LT(times[k], times[k - 1]);
      } catch (const ApiError& error) {
        EXPECT_EQ(error.status, 400);
        EXPECT_EQ(error.param, "shift");
      }
    }
  }
}

TEST_F(ImageRequestTest, ARequestHasSixteenImages) {
  const nlohmann::json uri = data_uri(png(8, 8));
  nlohmann::json body{{"prompt", "x"}, {"image", nlohmann::json::array()}};
  for (int i = 0; i < 16; ++i) body["image"].push_back(uri);
  EXPECT_NO_THROW(edit(body.dump()));
  body["image"].push_back(uri);
  EXPECT_THROW(edit(body.dump()), ApiError);
}

TEST_F(ImageRequestTest, EditTakesDataUrisInSeveralForms) {
  const nlohmann::json uri = data_uri(png(32, 16));
  for (const nlohmann::json& images :
       {uri, nlohmann::json::array({uri, uri}), nlohmann::json::array({{{"image_url", uri}}}),
        nlohmann::json::array({{{"image_url", {{"url", uri}}}}})}) {
    const Job job = edit(nlohmann::json{{"prompt", "make it red"}, {"image", images}}.dump());
    EXPECT_EQ(job.context.size(), images.is_array() ? images.size() + 1 : 2);
    EXPECT_TRUE(job.context.front().image);
    EXPECT_EQ(job.context.back().text, "make it red");
    EXPECT_EQ(job.paint->grid_width, 4);
    EXPECT_EQ(job.paint->grid_height, 2);
    EXPECT_FALSE(job.text);
    EXPECT_EQ(job.image_context, ImageContext::both);
  }
  EXPECT_THROW(edit(R"({"prompt":"x"})"), ApiError);
  EXPECT_THROW(edit(R"({"prompt":"x","image":"https://example.org/a.png"})"), ApiError);
}

TEST_F(ImageRequestTest, EditTakesForms) {
  const auto field = [](const std::string& head, const std::string& content) {
    return "--AbC\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + content + "\r\n";
  };
  const std::string body = field("name=\"image[]\"; filename=\"a.png\"", png(16, 16)) +
                           field("name=\"image[]\"; filename=\"b.png\"", png(32, 32)) +
                           field("name=\"prompt\"", "123") + field("name=\"n\"", "2") +
                           field("name=\"think\"", "True") + field("name=\"guidance\"", "2.5") +
                           field("name=\"size\"", "24x16") + "--AbC--\r\n";
  const Job job = parse_edit(body, "Multipart/Form-Data; boundary=AbC", settings_, model_);
  ASSERT_EQ(job.context.size(), 3U);
  EXPECT_EQ(job.context[1].image->width, 32);
  EXPECT_EQ(job.context[2].text, "123");
  EXPECT_EQ(job.count, 2);
  EXPECT_TRUE(job.text);
  EXPECT_EQ(job.paint->guidance.text_scale, 2.5);
  EXPECT_EQ(job.paint->grid_width, 3);
}

TEST_F(ImageRequestTest, WithoutAVitImagesAreLatents) {
  model_.visual_und = false;
  const Job job = edit(nlohmann::json{{"prompt", "x"}, {"image", data_uri(png(16, 16))}}.dump());
  EXPECT_EQ(job.image_context, ImageContext::latent);
  EXPECT_EQ(default_settings(model_).image_context, ImageContext::latent);
}

}  // namespace
}  // namespace diptych
