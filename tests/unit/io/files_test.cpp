#include "diptych/io/files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "diptych/io/atomic_file.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

size_t entries(const std::filesystem::path& folder) {
  return size_t(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Files, WritesReadsAndReplaces) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  for (const std::string& contents : {std::string("first\0x", 7), std::string(), std::string(3 << 20, 'z')}) {
    write_file_atomic(path, contents);
    EXPECT_EQ(read_file(path), contents);
  }
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AbandonedWriteLeavesTheOldFile) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file_atomic(path, "old");
  {
    AtomicFile file(path);
    file.write("new", 3);
    EXPECT_EQ(entries(folder.path()), 2u);
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

// A process that was killed cannot remove its temporary file, one that lives will use it.
TEST(Files, UnfinishedVersionsOfTheDeadAreRemoved) {
  const TemporaryFolder folder;
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  ASSERT_EQ(waitpid(dead, nullptr, 0), dead);
  const std::string of_the_dead = ".tmp-" + std::to_string(dead) + "-0";
  const std::vector<std::string> kept = {"a.bin", "a.bin.tmp-" + std::to_string(getpid()) + "-0", "b.bin" + of_the_dead,
                                         "a.bin.tmp-", "a.bin.tmp-x"};
  for (const std::string& name : kept) write_file_atomic(folder.path() / name, "");
  write_file_atomic(folder.path() / ("a.bin" + of_the_dead), "");
  remove_unfinished_versions(folder.path() / "a.bin");
  for (const std::string& name : kept) EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  EXPECT_EQ(entries(folder.path()), kept.size());
}

TEST(Files, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  expect_error([&] { read_file(folder.path() / "none"); }, ExitCode::io, {"none", "hint"});
  expect_error([&] { read_file(folder.path()); }, ExitCode::io, {folder.path().string(), "directory"});
  expect_error([&] { hash_file(folder.path() / "none"); }, ExitCode::io, {"none"});
  expect_error([&] { write_file_atomic(folder.path() / "no" / "a", ""); }, ExitCode::io, {"no/a", "must exist"});
  expect_error([&] { write_file_atomic(folder.path(), "x"); }, ExitCode::io, {folder.path().string()});
  write_file_atomic(folder.path() / "file", "");
  expect_error([&] { make_folder(folder.path() / "file" / "sub"); }, ExitCode::io, {"file/sub"});
  expect_error([&] { make_folder(folder.path() / "file"); }, ExitCode::io, {"file"});
}

TEST(Files, MakesFoldersOnceOrTwice) {
  const TemporaryFolder folder;
  for (int i = 0; i < 2; ++i) make_folder(folder.path() / "a" / "b");
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "a" / "b"));
}

// The empty hash is the published value of XXH3_128bits with seed 0.
TEST(Files, HashOfFileEqualsHashOfBytes) {
  const TemporaryFolder folder;
  EXPECT_EQ(hash_bytes(""), "99aa06d3014798d86001c324468d497f");
  std::string contents;
  for (int i = 0; i < 3'000'000; ++i) contents += char(i * 7 + i / 251);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{240}, size_t{1} << 20, contents.size()}) {
    const std::string part = contents.substr(0, size);
    write_file_atomic(folder.path() / "a", part);
    EXPECT_EQ(hash_file(folder.path() / "a"), hash_bytes(part)) << size;
  }
  EXPECT_NE(hash_bytes("a"), hash_bytes("b"));
}

}  // namespace
}  // namespace diptych
