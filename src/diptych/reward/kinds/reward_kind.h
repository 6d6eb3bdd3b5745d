#pragma once
// What `reward.kind` and `reward.terms` of a recipe name. Each file NAME_kind.cpp of this folder lists the kinds that
// it defines, in a function NAME_kind(), and they are known (cmake/list.cmake).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diptych/base/config/config_section.h"
#include "diptych/reward/chat/chat.h"
#include "diptych/reward/command_reward.h"
#include "diptych/reward/task.h"

namespace diptych {

struct RewardConfig;

/** The run whose samples are to be scored, as far as a reward may refuse it. */
struct RewardedRun {
  std::string episode;  // rollout.episode
  bool edits = false;   // the episode changes pictures that come with the prompts
  std::string foreign_prompts =
      {};                  // what its prompts are where they are not the shapes world's: "prompts from a file"
  int64_t image_size = 0;  // rollout.image_size
};

/** What it asks of others to score one sample. */
struct RewardRequests {
  int64_t judge = 0;
  int64_t program = 0;  // reward.command.program
};

/** What a reward is made of. */
struct RewardSetting {
  const RewardConfig& config;  // a kind finds its keys by config.keys<Keys>(name)
  ChatFunction ask;            // the judge, where a term of the recipe asks it
  CommandContext context;
};

struct RewardKind {
  std::string name;
  int order = 0;                           // in lists of names, and of its keys in a recipe; small numbers first
  bool asks_judge = false;                 // by RewardSetting::ask
  bool edits_only = false;                 // cannot score pictures made from prompts alone, as those of an evaluation
  std::string warning = {};                // what is told of a run whose reward.kind it is; empty: nothing
  std::optional<ConfigSection> keys = {};  // its keys, with their defaults
  std::string section = {};                // where they stand: in [reward.<section>]; empty: in [reward]
  /** Throws Error(config) where the run's samples cannot be scored. */
  std::function<void(const RewardedRun&)> check_run = [](const RewardedRun&) {};
  /** Throws Error(config) where its keys, or others that it reads, do not fit. Asks nobody, starts nothing. */
  std::function<void(const RewardConfig&)> check_keys = [](const RewardConfig&) {};
  /** For a sample of this prompt. */
  std::function<RewardRequests(const TaskPrompt&)> requests = [](const TaskPrompt&) { return RewardRequests(); };
  /** The reward, which several threads may call at once. Throws as check_keys, and where it cannot begin. */
  std::function<RewardFunction(const RewardSetting&)> make;
};

/** Of all files, in no order that counts. */
std::vector<RewardKind> listed_reward_kinds();

/** All kinds, in their order. */
const std::vector<RewardKind>& reward_kinds();

/** The kind of this name; null if there is none. */
const RewardKind* find_reward_kind(const std::string& name);

}  // namespace diptych
