#include "diptych/io/disk_space.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string size_text(uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  return number < 1e9 ? fixed(number * 1e-6, 1) + " MB" : fixed(number * 1e-9, 2) + " GB";
}

}  // namespace

void require_disk_space(const std::filesystem::path& folder, uint64_t bytes) {
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(folder, unknown);
  if (unknown || space.available >= bytes) return;
  throw Error(ExitCode::io, {folder.string(), cat(size_text(bytes), " of free disk space"), size_text(space.available),
                             "free space on that disk, or name a folder on another one"});
}

}  // namespace diptych
