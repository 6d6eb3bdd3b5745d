#include "fuzz/target.h"

#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace diptych::fuzz {

namespace fs = std::filesystem;

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const fs::path& scratch_folder() {
  static const fs::path folder = [] {
    const fs::path parent = fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
    const fs::path made = parent / ("diptych_fuzz_" + std::to_string(::getpid()));
    fs::create_directories(made);
    return made;
  }();
  return folder;
}

fs::path scratch_file(const std::string& name, std::string_view text) {
  const fs::path path = scratch_folder() / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  return path;
}

fs::path scratch_file(const std::string& name, std::span<const std::byte> bytes) {
  return scratch_file(name, as_text(bytes));
}

}  // namespace diptych::fuzz
