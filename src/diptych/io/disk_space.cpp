#include "diptych/io/disk_space.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string gigabytes(uint64_t bytes) {
  return fixed(static_cast<double>(bytes) * 1e-9, 2) + " GB";
}

}  // namespace

void require_disk_space(const std::filesystem::path& folder, uint64_t bytes) {
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(folder, unknown);
  if (unknown || space.available >= bytes) return;
  throw Error(ExitCode::io, {folder.string(), cat(gigabytes(bytes), " of free disk space"), gigabytes(space.available),
                             "free space on that disk, or name a folder on another one"});
}

}  // namespace diptych
