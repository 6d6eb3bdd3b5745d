#pragma once
// Room on a disk, looked at before hours of work or gigabytes of writing.

#include <cstdint>
#include <filesystem>

namespace diptych {

/** Throws Error(io) if the disk of `folder`, which must exist, has less than `bytes` free for this user. Where the file
 *  system does not say, nothing is thrown: the write itself will tell. */
void require_disk_space(const std::filesystem::path& folder, uint64_t bytes);

}  // namespace diptych
