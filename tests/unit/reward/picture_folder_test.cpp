#include "diptych/reward/picture_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

/** TMPDIR for as long as it lives. */
class TemporaryVariable {
 public:
  explicit TemporaryVariable(const std::string& folder) : before_(::getenv("TMPDIR") ? ::getenv("TMPDIR") : "") {
    ::setenv("TMPDIR", folder.c_str(), 1);
  }
  ~TemporaryVariable() { before_.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", before_.c_str(), 1); }

 private:
  std::string before_;
};

const Image kDot{.height = 1, .width = 1, .pixels = {1, 2, 3}};

TEST(PictureFolder, IsGoneWithTheObject) {
  const TemporaryFolder folder;
  const TemporaryVariable variable(folder.path().string());
  {
    const PictureFolder pictures;
    const fs::path file = pictures.write("7", kDot);
    EXPECT_TRUE(file.is_absolute());
    EXPECT_EQ(read_image(file).pixels, kDot.pixels);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PictureFolder, WhatAKilledProcessLeftIsRemovedAndNothingElse) {
  const TemporaryFolder folder;
  const TemporaryVariable variable(folder.path().string());
  for (const char* name : {"diptych_reward_left", "diptych_reward_other", "mine"})
    fs::create_directory(folder.path() / name);
  for (const char* file :
       {"diptych_reward_left/lock", "diptych_reward_left/0.png", "diptych_reward_other/0.png", "mine/lock"})
    write_file_atomic(folder.path() / file, "");
  const PictureFolder pictures;
  const fs::path in_use = pictures.write("7", kDot);
  remove_left_pictures();
  EXPECT_FALSE(fs::exists(folder.path() / "diptych_reward_left"));
  EXPECT_TRUE(fs::exists(folder.path() / "diptych_reward_other/0.png")) << "nobody knows whose it is";
  EXPECT_TRUE(fs::exists(folder.path() / "mine/lock"));
  EXPECT_TRUE(fs::exists(in_use));
}

TEST(PictureFolder, AMissingTemporaryFolderIsNamed) {
  const TemporaryFolder folder;
  const TemporaryVariable variable((folder.path() / "none").string());
  expect_error([] { PictureFolder pictures; }, ExitCode::io, {"TMPDIR", "No such file"});
}

}  // namespace
}  // namespace diptych
