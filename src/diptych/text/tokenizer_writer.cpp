// write_tokenizer_files and tokenizer_size of bpe_trainer.h.

#include <array>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/text/bpe_trainer.h"
#include "diptych/text/pretokenizer.h"

namespace diptych {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::array<const char*, 5> kSpecialTokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                                       "<|vision_start|>", "<|vision_end|>"};

OrderedJson vocabulary_json(const BpeModel& model) {
  OrderedJson vocabulary = OrderedJson::object();
  auto& entries = vocabulary.get_ref<OrderedJson::object_t&>();
  for (std::size_t id = 0; id < model.vocab.size(); ++id) entries.emplace(model.vocab[id], id);
  return vocabulary;
}

std::string merges_txt(const BpeModel& model) {
  std::string text = "#version: 0.2\n";
  for (const auto& [left, right] : model.merges) text += left + " " + right + "\n";
  return text;
}

OrderedJson added_token(const char* content) {
  return {{"content", content}, {"lstrip", false},      {"normalized", false},
          {"rstrip", false},    {"single_word", false}, {"special", true}};
}

OrderedJson byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", trim_offsets},
          {"use_regex", use_regex}};
}

OrderedJson tokenizer_json(const BpeModel& model) {
  OrderedJson added = OrderedJson::array();
  for (std::size_t i = 0; i < kSpecialTokens.size(); ++i) {
    OrderedJson token = {{"id", model.vocab.size() + i}};
    token.update(added_token(kSpecialTokens[i]));
    added.push_back(token);
  }
  OrderedJson merges = OrderedJson::array();
  for (const auto& [left, right] : model.merges) merges.push_back(left + " " + right);
  const OrderedJson split = {
      {"type", "Split"}, {"pattern", {{"Regex", kPretokenizerPattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer",
           {{"type", "Sequence"}, {"pretokenizers", OrderedJson::array({split, byte_level(false, true, false)})}}},
          {"post_processor", byte_level(false, false, false)},
          {"decoder", byte_level(true, true, true)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocabulary_json(model)},
            {"merges", merges}}}};
}

OrderedJson tokenizer_config_json(const BpeModel& model) {
  OrderedJson decoder = OrderedJson::object();
  for (std::size_t i = 0; i < kSpecialTokens.size(); ++i) {
    decoder[cat(model.vocab.size() + i)] = added_token(kSpecialTokens[i]);
  }
  return {{"add_prefix_space", false},
          {"added_tokens_decoder", decoder},
          {"additional_special_tokens", std::vector<std::string>(kSpecialTokens.begin() + 1, kSpecialTokens.end())},
          {"bos_token", nullptr},
          {"clean_up_tokenization_spaces", false},
          {"eos_token", "<|im_end|>"},
          {"errors", "replace"},
          {"model_max_length", 131072},
          {"pad_token", "<|endoftext|>"},
          {"split_special_tokens", false},
          {"tokenizer_class", "Qwen2Tokenizer"},
          {"unk_token", nullptr}};
}

}  // namespace

int64_t tokenizer_size(const BpeModel& model) {
  return static_cast<int64_t>(model.vocab.size() + kSpecialTokens.size());
}

void write_tokenizer_files(const std::filesystem::path& folder, const BpeModel& model) {
  make_folder(folder);
  write_file_atomic(folder / "vocab.json", vocabulary_json(model).dump() + "\n");
  write_file_atomic(folder / "merges.txt", merges_txt(model));
  write_file_atomic(folder / "tokenizer.json", tokenizer_json(model).dump(1) + "\n");
  write_file_atomic(folder / "tokenizer_config.json", tokenizer_config_json(model).dump(2) + "\n");
}

}  // namespace diptych
