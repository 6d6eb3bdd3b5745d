#include "diptych/tensor/torch.h"

#include "diptych/model/folder/folder.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "diptych/model/folder/inspection.h"
#include "diptych/model/folder/load_weights.h"
#include "diptych/model/layers/embeddings.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

void expect_same_weights(Bagel& actual, Bagel& expected) {
  const std::vector<ParameterSlot> slots = all_slots(actual), others = all_slots(expected);
  ASSERT_EQ(slots.size(), others.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    EXPECT_EQ(slots[i].name, others[i].name);
    EXPECT_TRUE(same_bits(*slots[i].tensor, *others[i].tensor)) << slots[i].name;
  }
}

Tensor& slot_named(Bagel& model, const std::string& name) {
  for (const ParameterSlot& slot : all_slots(model))
    if (slot.name == name) return *slot.tensor;
  throw std::runtime_error("no slot " + name);
}

class FolderTest : public ::testing::Test {
 protected:
  TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path() / "model";
  const std::filesystem::path copy_ = temporary_.path() / "copy";
  ModelFolder made_ = make_tiny_model(folder_);

  /** Rewrites ema.safetensors after a change. */
  void rewrite(const std::function<void(std::map<std::string, Tensor>&)>& change) {
    std::map<std::string, Tensor> stored = load_tensors(folder_ / "ema.safetensors");
    change(stored);
    std::vector<NamedTensor> list;
    for (const auto& [name, tensor] : stored) list.push_back({name, tensor});
    save_tensors(folder_ / "ema.safetensors", list);
  }
};

TEST_F(FolderTest, ExactFoldersKeepEveryBit) {
  save_model_folder(copy_, made_.model, folder_, /*compact=*/false);
  ModelFolder loaded = load_model_folder(copy_);
  expect_same_weights(loaded.model, made_.model);
  EXPECT_EQ(loaded.model.config, made_.model.config);
  EXPECT_EQ(loaded.tokenizer.size(), made_.tokenizer.size());
  EXPECT_EQ(loaded.tokenizer.encode("a red circle"), made_.tokenizer.encode("a red circle"));
  EXPECT_EQ(loaded.model.special.im_end, made_.tokenizer.im_end());
}

TEST_F(FolderTest, CompactFoldersHoldBfloat16ButForTheTables) {
  save_model_folder(copy_, made_.model, folder_, /*compact=*/true);
  for (const auto& [name, tensor] : load_tensors(copy_ / "ema.safetensors")) {
    const bool table = name == "latent_pos_embed.pos_embed" || name == "vit_pos_embed.pos_embed";
    EXPECT_EQ(tensor.scalar_type(), table ? at::kFloat : at::kBFloat16) << name;
    EXPECT_TRUE(same_bits(tensor, slot_named(made_.model, name).to(tensor.scalar_type()))) << name;
  }
  for (const auto& [name, tensor] : load_tensors(copy_ / "ae.safetensors"))
    EXPECT_EQ(tensor.scalar_type(), at::kFloat) << name;
  ModelFolder once = load_model_folder(copy_);
  save_model_folder(copy_, once.model, copy_, /*compact=*/true);
  ModelFolder twice = load_model_folder(copy_);
  expect_same_weights(twice.model, once.model);
}

TEST_F(FolderTest, TakesThePlaceOfItsBase) {
  write_file_atomic(folder_ / "README.md", "of the base");
  set_json_keys(folder_ / "config.json", {{"bos_token_id", 5}, {"vae_config", {{"note", "mine"}}}});
  std::vector<std::string> kept;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    if (entry.path().filename().string().find(".safetensors") == std::string::npos)
      kept.push_back(entry.path().filename().string());
  EXPECT_EQ(kept.size(), 10u);  // five of config, four of the tokenizer, and the README
  std::filesystem::create_directory(folder_ / "pictures");
  for (const char* name : {"old.safetensors", "optimizer.pt", "pytorch_model.bin", "config.json.tmp-7-0"})
    write_file_atomic(folder_ / name, "none of it");
  save_model_folder(copy_, made_.model, folder_, /*compact=*/true);
  for (const std::string& name : kept) EXPECT_EQ(read_file(copy_ / name), read_file(folder_ / name)) << name;
  const auto files = std::distance(std::filesystem::directory_iterator(copy_), {});
  EXPECT_EQ(files, 13);  // two of weights, and their index

  const auto index = nlohmann::json::parse(read_file(copy_ / "model.safetensors.index.json"));
  int64_t bytes = 0;
  for (const char* file : {"ema.safetensors", "ae.safetensors"}) {
    for (const auto& [name, tensor] : load_tensors(copy_ / file)) {
      EXPECT_EQ(index.at("weight_map").at(name), file) << name;
      bytes += static_cast<int64_t>(tensor.nbytes());
    }
  }
  EXPECT_EQ(index.at("weight_map").size(), all_slots(made_.model).size());
  EXPECT_EQ(index.at("metadata").at("total_size"), bytes);
  // A base without an index gets none.
  std::filesystem::remove(folder_ / "model.safetensors.index.json");
  save_model_folder(temporary_.path() / "other", made_.model, folder_, /*compact=*/true);
  EXPECT_FALSE(std::filesystem::exists(temporary_.path() / "other" / "model.safetensors.index.json"));
}

TEST_F(FolderTest, AnotherConfigurationIsSetAmongTheKeysOfTheBase) {
  set_json_keys(folder_ / "config.json", {{"bos_token_id", 5}, {"vae_config", {{"note", "mine"}}}});
  made_.model.config.vae.shift = 0.75;
  save_model_folder(copy_, made_.model, folder_, /*compact=*/false);
  EXPECT_EQ(load_model_config(copy_), made_.model.config);
  const auto config = nlohmann::json::parse(read_file(copy_ / "config.json"));
  EXPECT_EQ(config.at("bos_token_id"), 5);
  EXPECT_EQ(config.at("vae_config").at("note"), "mine");
  EXPECT_EQ(read_file(copy_ / "llm_config.json"), read_file(folder_ / "llm_config.json"));
}

TEST_F(FolderTest, ABaseThatIsGoneIsNamedBeforeAnythingIsWritten) {
  std::filesystem::remove_all(folder_);
  expect_error([&] { save_model_folder(copy_, made_.model, folder_, /*compact=*/false); }, ExitCode::model,
               {folder_.string(), "no such folder", "put it back"});
  EXPECT_FALSE(std::filesystem::exists(copy_));
}

TEST_F(FolderTest, TheWeightsSayTheSidesOfThePositionTables) {
  set_json_keys(folder_ / "config.json", {{"max_latent_size", 4}, {"vit_max_num_patch_per_side", 5}});
  ::testing::internal::CaptureStderr();
  ModelFolder loaded = load_model_folder(folder_);
  const std::string warning = ::testing::internal::GetCapturedStderr();
  for (const char* part : {"max_latent_size 4", "vit_max_num_patch_per_side 5", "8 x 8", "latent_pos_embed.pos_embed"})
    EXPECT_NE(warning.find(part), std::string::npos) << part << " missing in: " << warning;
  EXPECT_EQ(loaded.model.config, made_.model.config);
  expect_same_weights(loaded.model, made_.model);
  save_model_folder(copy_, loaded.model, folder_, /*compact=*/false);
  EXPECT_EQ(read_file(copy_ / "config.json"), read_file(folder_ / "config.json"));
}

TEST_F(FolderTest, PositionTablesAreSquare) {
  rewrite([](std::map<std::string, Tensor>& stored) { stored["latent_pos_embed.pos_embed"] = at::zeros({63, 32}); });
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"ema.safetensors", "latent_pos_embed.pos_embed", "a square number of rows", "63 rows"});
}

TEST_F(FolderTest, ConvertsWeightsButKeepsTheAutoencoderExact) {
  ModelFolder half = load_model_folder(folder_, at::kBFloat16);
  for (const ParameterSlot& slot : transformer_slots(half.model))
    EXPECT_EQ(slot.tensor->scalar_type(), at::kBFloat16) << slot.name;
  for (const ParameterSlot& slot : autoencoder_slots(half.model))
    EXPECT_EQ(slot.tensor->scalar_type(), at::kFloat) << slot.name;
  ModelFolder exact = load_model_folder(folder_, at::kDouble);
  for (const ParameterSlot& slot : all_slots(exact.model))
    EXPECT_EQ(slot.tensor->scalar_type(), at::kDouble) << slot.name;
}

TEST_F(FolderTest, OneErrorListsEveryDifference) {
  rewrite([](std::map<std::string, Tensor>& stored) {
    stored.erase("llm2vae.bias");
    stored.erase("language_model.model.layers.1.mlp_moe_gen.up_proj.weight");
    stored["vae2llm.weight"] = at::zeros({3, 5});
    stored["spare"] = at::zeros({2});
  });
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"ema.safetensors", "4 differences", "missing llm2vae.bias [16]",
                "missing language_model.model.layers.1.mlp_moe_gen.up_proj.weight [48, 32]",
                "misshapen vae2llm.weight: expected [32, 16], got [3, 5]", "extra spare [2]"});
}

TEST_F(FolderTest, DifferencesAreFoundBeforeAnyWeightIsRead) {
  rewrite([](std::map<std::string, Tensor>& stored) { stored["vae2llm.weight"] = at::zeros({3, 5}); });
  Bagel model = make_bagel(made_.model.config);
  expect_error([&] { load_slots(folder_ / "ema.safetensors", transformer_slots(model), at::kFloat); }, ExitCode::model,
               {"1 differences", "vae2llm.weight"});
  for (const ParameterSlot& slot : transformer_slots(model)) EXPECT_TRUE(slot.tensor->is_meta()) << slot.name;
}

TEST_F(FolderTest, WeightsOfAnUnknownDtypeAreNamed) {
  Bagel model = make_bagel(made_.model.config);
  std::vector<std::byte> bytes(16);
  write_safetensors(folder_ / "one.safetensors", {{"llm2vae.bias", "F8_E4M3", {16}, bytes}});
  std::vector<ParameterSlot> slots;
  for (const ParameterSlot& slot : transformer_slots(model))
    if (slot.name == "llm2vae.bias") slots.push_back(slot);
  expect_error([&] { load_slots(folder_ / "one.safetensors", slots, at::kFloat); }, ExitCode::model,
               {"unreadable llm2vae.bias: dtype F8_E4M3 is not supported", "convert"});
}

// Integers of a quantised model would be read as weights a hundred times too large.
TEST_F(FolderTest, IntegersAreNoWeights) {
  for (const at::ScalarType stored : {at::kLong, at::kInt, at::kByte}) {
    rewrite([&](std::map<std::string, Tensor>& tensors) { tensors["llm2vae.bias"] = at::ones({16}, stored); });
    expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
                 {"unreadable llm2vae.bias: dtype " + dtype_of(stored) + " is not supported"});
  }
}

class FolderVariantTest : public FolderTest {
 protected:
  void expect_same_folder() {
    ModelFolder loaded = load_model_folder(folder_);
    expect_same_weights(loaded.model, made_.model);
    EXPECT_EQ(loaded.model.config, made_.model.config);
    EXPECT_EQ(problem_count(inspect_folder(folder_)), 0);
  }

  /** ema.safetensors, or what is left of it, in files of `size` tensors each under an index of that name. */
  void shard(const std::string& index, size_t size, const std::string& base = "ema.safetensors") {
    nlohmann::json map;
    std::vector<NamedTensor> part;
    const std::map<std::string, Tensor> stored = load_tensors(folder_ / base);
    size_t count = 0;
    for (const auto& [name, tensor] : stored) {
      const std::string file = "part-" + std::to_string(count / size) + ".safetensors";
      map[name] = file;
      part.push_back({name, tensor});
      if (++count % size != 0 && count != stored.size()) continue;
      save_tensors(folder_ / file, part);
      part.clear();
    }
    std::filesystem::remove(folder_ / base);
    write_file_atomic(folder_ / index,
                      nlohmann::json{{"metadata", nlohmann::json::object()}, {"weight_map", map}}.dump());
  }

  std::string log_of_loading() {
    ::testing::internal::CaptureStderr();
    load_model_folder(folder_);
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(FolderVariantTest, WeightsMayHaveOtherFileNames) {
  std::filesystem::remove(folder_ / "model.safetensors.index.json");
  std::filesystem::rename(folder_ / "ema.safetensors", folder_ / "model.safetensors");
  expect_same_folder();
  EXPECT_NE(log_of_loading().find("no ema.safetensors; the weights are those of model.safetensors"), std::string::npos);
  EXPECT_EQ(weight_files(folder_), (std::vector{folder_ / "ae.safetensors", folder_ / "model.safetensors"}));
  shard("model.safetensors.index.json", 50, "model.safetensors");
  expect_same_folder();
  EXPECT_NE(log_of_loading().find("those of model.safetensors.index.json"), std::string::npos);
  std::filesystem::rename(folder_ / "model.safetensors.index.json", folder_ / "ema.safetensors.index.json");
  expect_same_folder();
}

TEST_F(FolderVariantTest, OneFileMayHoldEverything) {
  rewrite([&](std::map<std::string, Tensor>& stored) { stored.merge(load_tensors(folder_ / "ae.safetensors")); });
  std::filesystem::remove(folder_ / "ae.safetensors");
  expect_same_folder();
  shard("ema.safetensors.index.json", 100);
  expect_same_folder();
}

TEST_F(FolderVariantTest, MissingFilesAndBadIndexesAreNamedWithWhatIsThere) {
  shard("model.safetensors.index.json", 50);
  std::filesystem::remove(folder_ / "part-1.safetensors");
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"part-1.safetensors", "model.safetensors.index.json lists", "part-0.safetensors"});
  for (const char* index : {"[]", "{", "{\"weight_map\": {}}", R"({"weight_map": {"a": 1}})",
                            R"({"weight_map": {"a": "../part-0.safetensors"}})", R"({"weight_map": {"a": "b.bin"}})"}) {
    write_file_atomic(folder_ / "model.safetensors.index.json", index);
    expect_error([&] { load_model_folder(folder_); }, ExitCode::model, {"model.safetensors.index.json", "weight_map"});
  }
  std::filesystem::remove(folder_ / "model.safetensors.index.json");
  make_folder(folder_ / "vae");
  write_file_atomic(folder_ / "vae/diffusion_pytorch_model.bin", "");
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"ema.safetensors", "model.safetensors", "part-0.safetensors", "vae/diffusion_pytorch_model.bin"});
  write_file_atomic(folder_ / "model.safetensors.index.json",
                    R"({"weight_map": {"a": "part-0.safetensors", "b": "again.safetensors"}})");
  std::filesystem::copy(folder_ / "part-0.safetensors", folder_ / "again.safetensors");
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model, {"one shard only"});
}

TEST_F(FolderVariantTest, BuffersThatFollowFromTheConfigurationAreSkipped) {
  const std::vector<std::string> buffers = {
      "language_model.model.rotary_emb.inv_freq", "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
      "language_model.model.layers.0.self_attn.masked_bias", "vit_model.vision_model.embeddings.position_ids"};
  rewrite([&](std::map<std::string, Tensor>& stored) {
    for (const std::string& name : buffers) stored[name] = at::arange(4);
    stored["language_model.model.layers.0.attn.bias"] = at::ones({1, 1, 4, 4}).to(at::kByte);
  });
  expect_same_folder();
  const std::string warning = log_of_loading();
  for (const std::string& name : buffers) EXPECT_NE(warning.find(name), std::string::npos) << warning;
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1) << warning;
}

TEST_F(FolderVariantTest, TiedHeadsAreTheWordEmbedding) {
  const std::string head = "language_model.lm_head.weight", embedding = "language_model.model.embed_tokens.weight";
  set_json_keys(folder_ / "llm_config.json", {{"tie_word_embeddings", true}});
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {head, "tie_word_embeddings is true", "differs from " + embedding});
  EXPECT_EQ(problem_count(inspect_folder(folder_)), 1);
  made_.model.lm_head.weight = made_.model.embed_tokens.clone();
  rewrite([&](std::map<std::string, Tensor>& stored) { stored.at(head) = stored.at(embedding); });
  expect_same_folder();  // stored twice
  rewrite([&](std::map<std::string, Tensor>& stored) { stored.erase(head); });
  expect_same_folder();
  ModelFolder loaded = load_model_folder(folder_);
  EXPECT_FALSE(loaded.model.lm_head.weight.is_alias_of(loaded.model.embed_tokens));
  // What is saved has two tensors, which training may have moved apart, and says so.
  loaded.model.lm_head.weight.add_(1);
  save_model_folder(copy_, loaded.model, folder_, /*compact=*/false);
  ModelFolder saved = load_model_folder(copy_);
  expect_same_weights(saved.model, loaded.model);
  set_json_keys(folder_ / "llm_config.json", {{"tie_word_embeddings", false}});
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"missing " + head, "\"tie_word_embeddings\": true"});
}

TEST_F(FolderVariantTest, TransformsMakeNoImageBeyondThePositionTables) {
  const std::filesystem::path config = folder_ / "config.json";
  const std::string whole = read_file(config);
  const auto refused = [&](const nlohmann::ordered_json& transforms, const std::vector<std::string>& parts) {
    set_json_keys(config, {{"transforms", transforms}});
    expect_error([&] { load_model_folder(folder_); }, ExitCode::model, parts);
    EXPECT_EQ(problem_count(inspect_folder(folder_)), 1);
    write_file_atomic(config, whole);
  };
  refused({{"vit", {36, 16, 4}}}, {"transforms.vit", "at most 32 pixels", "max_long 36"});
  refused({{"vae", {72, 16, 8}}}, {"transforms.vae", "at most 64 pixels", "max_long 72"});
  refused({{"vit", {32, 16, 6}}}, {"transforms.vit", "a multiple of 4", "stride 6"});
  set_json_keys(config, {{"transforms", {{"vit", {33, 16, 4}}}}});  // rounded to 32
  EXPECT_NO_THROW(load_model_folder(folder_));
}

/** A folder of holes whose word embedding and head take 256 MB in float32, in a process that has no room for them. */
TEST_F(FolderTest, WeightsThatDoNotFitAreToldBeforeTheyAreRead) {
  ModelConfig config = made_.model.config;
  config.vocabulary = int64_t{1} << 20;
  write_model_config(folder_, config);
  Bagel large = make_bagel(config);
  nlohmann::ordered_json header;
  int64_t end = 0;
  for (const ParameterSlot& slot : transformer_slots(large)) {
    const int64_t begin = end;
    end += 4 * slot.tensor->numel();
    header[slot.name] = {{"dtype", "F32"}, {"shape", slot.tensor->sizes().vec()}, {"data_offsets", {begin, end}}};
  }
  const std::string text = header.dump();
  std::string start(8, '\0');
  for (size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
  write_file_atomic(folder_ / "ema.safetensors", start + text);
  std::filesystem::resize_file(folder_ / "ema.safetensors", 8 + text.size() + static_cast<size_t>(end));

  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limited = before;
  limited.rlim_cur = static_cast<rlim_t>(pages * sysconf(_SC_PAGESIZE) + end + (int64_t{128} << 20));
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limited), 0);
  expect_error([&] { load_model_folder(folder_); }, ExitCode::memory,
               {folder_.string(), "0.3 GB of memory for the weights in float32", "ulimit -v", "bfloat16"});
  EXPECT_NO_THROW(load_model_folder(folder_, at::kFloat, at::kMeta));  // of a GPU, the host holds one at a time
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

// Every conversion of a stored dtype, and the very bits where nothing is to be converted.
TEST_F(FolderTest, LoadsEveryStoredDtype) {
  for (const at::ScalarType stored : {at::kBFloat16, at::kHalf, at::kDouble}) {
    rewrite([&](std::map<std::string, Tensor>& tensors) {
      for (auto& [name, tensor] : tensors) tensor = tensor.to(stored);
    });
    for (const at::ScalarType wanted : {at::kFloat, stored}) {
      Bagel loaded = make_bagel(made_.model.config);
      load_slots(folder_ / "ema.safetensors", transformer_slots(loaded), wanted);
      const std::map<std::string, Tensor> tensors = load_tensors(folder_ / "ema.safetensors");
      for (const ParameterSlot& slot : transformer_slots(loaded))
        EXPECT_TRUE(same_bits(*slot.tensor, tensors.at(slot.name).to(wanted))) << slot.name << stored << wanted;
    }
  }
}

// The meta device stands for any that is not the CPU.
TEST_F(FolderTest, LoadsOntoADevice) {
  ModelFolder loaded = load_model_folder(folder_, at::kBFloat16, at::kMeta);
  for (const ParameterSlot& slot : all_slots(loaded.model)) {
    EXPECT_TRUE(slot.tensor->is_meta()) << slot.name;
    EXPECT_EQ(slot.tensor->sizes(), slot_named(made_.model, slot.name).sizes()) << slot.name;
  }
  EXPECT_EQ(loaded.model.lm_head.weight.scalar_type(), at::kBFloat16);
  EXPECT_EQ(loaded.model.autoencoder.encoder.conv_in.weight.scalar_type(), at::kFloat);
}

TEST_F(FolderTest, LongListsOfDifferencesAreCut) {
  rewrite([](std::map<std::string, Tensor>& stored) {
    for (int i = 0; i < 40; ++i) stored["spare" + std::to_string(i)] = at::zeros({1});
  });
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model, {"40 differences", "and 10 more"});
}

TEST_F(FolderTest, DamagedAndMissingFilesAreNamed) {
  std::filesystem::resize_file(folder_ / "ae.safetensors", std::filesystem::file_size(folder_ / "ae.safetensors") - 9);
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model, {"ae.safetensors"});
  std::filesystem::remove(folder_ / "ema.safetensors");
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model, {"ema.safetensors"});
  expect_error([&] { load_model_folder(temporary_.path() / "nowhere"); }, ExitCode::model,
               {"nowhere", "no such folder", "llm_config.json"});
}

TEST_F(FolderTest, TheTokenizerMustFitTheVocabulary) {
  ModelConfig config = made_.model.config;
  config.vocabulary = made_.tokenizer.size() - 1;
  write_model_config(folder_, config);
  expect_error([&] { load_model_folder(folder_); }, ExitCode::model,
               {"vocab_size", std::to_string(made_.tokenizer.size())});
}

TEST_F(FolderTest, VocabulariesArePaddedTo64) {
  EXPECT_EQ(made_.model.config.vocabulary % 64, 0);
  EXPECT_LT(made_.model.config.vocabulary - made_.tokenizer.size(), 64);
}

TEST_F(FolderTest, ConvolutionalPatchEmbeddingsBecomeLinear) {
  const std::string name = "vit_model.vision_model.embeddings.patch_embedding.weight";
  const Tensor linear = slot_named(made_.model, name);
  const int64_t patch = made_.model.config.vit.patch;
  rewrite([&](std::map<std::string, Tensor>& stored) {
    stored.at(name) = linear.view({-1, patch, patch, 3}).permute({0, 3, 1, 2}).contiguous();
  });
  ModelFolder loaded = load_model_folder(folder_);
  EXPECT_TRUE(same_bits(slot_named(loaded.model, name), linear));
}

Bagel fresh_model(uint64_t seed) {
  ModelConfig config = tiny_config();
  config.vocabulary = 100;
  Bagel model = make_bagel(config);
  initialise(model, seed);
  return model;
}

TEST(InitialiseTest, DependsOnTheSeedAlone) {
  Bagel first = fresh_model(1), second = fresh_model(1), other = fresh_model(2);
  expect_same_weights(second, first);
  EXPECT_FALSE(same_bits(other.embed_tokens, first.embed_tokens));
  EXPECT_FALSE(same_bits(other.autoencoder.decoder.conv_in.weight, first.autoencoder.decoder.conv_in.weight));
}

TEST(InitialiseTest, BothExpertsStartEqualInMemoryOfTheirOwn) {
  Bagel model = fresh_model(1);
  int64_t copies = 0;
  for (const ParameterSlot& slot : transformer_slots(model)) {
    const size_t suffix = slot.name.find("_moe_gen");
    if (suffix == std::string::npos) continue;
    const Tensor& original = slot_named(model, std::string(slot.name).erase(suffix, 8));
    EXPECT_TRUE(same_bits(*slot.tensor, original)) << slot.name;
    EXPECT_NE(slot.tensor->const_data_ptr(), original.const_data_ptr()) << slot.name;
    ++copies;
  }
  EXPECT_EQ(copies, 2 * 14 + 1);
}

TEST(InitialiseTest, WeightsHaveTheirScale) {
  Bagel model = fresh_model(1);
  EXPECT_NEAR(model.embed_tokens.std().item<double>(), 0.02, 0.002);
  EXPECT_NEAR(model.decoder.layers[0].und.gate.weight.std().item<double>(), 1 / std::sqrt(32.0), 0.02);
  EXPECT_NEAR(model.decoder.layers[0].und.down.weight.std().item<double>(), 1 / std::sqrt(48.0), 0.02);
  EXPECT_EQ(model.llm2vae.weight.abs().max().item<double>(), 0);
  EXPECT_EQ(model.decoder.layers[1].gen.query.bias.abs().max().item<double>(), 0);
  EXPECT_TRUE(same_bits(model.decoder.gen_norm.weight, at::ones({32})));
  EXPECT_TRUE(same_bits(model.latent_pos_embed, sincos_table(32, 8)));
  EXPECT_TRUE(same_bits(model.vit->pos_embed, sincos_table(32, 8)));
}

}  // namespace
}  // namespace diptych
