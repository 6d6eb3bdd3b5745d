#include "diptych/io/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kLargestHeader = 100'000'000;  // bytes, as in the reference implementation of the format
constexpr int kDeepestHeader = 4;                 // tensors > entry > shape needs 3
constexpr size_t kLongestStart = 64;              // bytes that tell a file of another kind
constexpr size_t kLongestQuote = 200;             // characters of a damaged file shown in an error

/** Bits per element of the dtypes that the format knows. */
const std::map<std::string, size_t>& dtype_bits() {
  static const std::map<std::string, size_t> bits = {
      {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"BOOL", 8},        {"U8", 8},   {"I8", 8},
      {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8},     {"U16", 16},        {"I16", 16}, {"F16", 16},
      {"BF16", 16},   {"U32", 32},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I32", 32}, {"F32", 32},
      {"U64", 64},    {"I64", 64},    {"F64", 64},        {"C64", 64},
  };
  return bits;
}

/** Of an element; nothing for a dtype that the format did not know when this was written. */
std::optional<size_t> bits_of(const std::string& dtype) {
  const auto found = dtype_bits().find(dtype);
  return found == dtype_bits().end() ? std::nullopt : std::optional(found->second);
}

[[noreturn]] void fail(const std::string& where, const std::string& expected, const std::string& got) {
  throw Error(ExitCode::model, {where, expected, got.substr(0, kLongestQuote),
                                "the file is damaged or incomplete: copy or download it again"});
}

struct Mapping {
  std::shared_ptr<const void> memory;
  std::span<const std::byte> bytes;
};

Mapping map_file(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw Error(ExitCode::model, {path.string(), "a readable safetensors file", std::strerror(errno),
                                  cat("check the path; the current folder is ", fs::current_path().string())});
  }
  struct stat status {};
  const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const size_t size = is_file ? static_cast<size_t>(status.st_size) : 0;
  void* memory = size < 8 ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int reason = errno;
  const std::string problem = !is_file ? "not a file" : size < 8 ? cat(size, " bytes") : std::strerror(reason);
  ::close(descriptor);
  if (memory == MAP_FAILED && size >= 8 && reason == ENOMEM)
    throw Error(ExitCode::memory, {path.string(), cat("addresses for a file of ", size, " bytes"), problem,
                                   "`ulimit -v` shows the limit of this shell, if it has one"});
  if (memory == MAP_FAILED) fail(path.string(), "a safetensors file", problem);
  return {
      std::shared_ptr<const void>(memory, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); }),
      {static_cast<const std::byte*>(memory), size}};
}

/** Such as "a PNG image", where the file begins like something else than the length and the '{' of a header. */
std::string other_kind(std::string_view start) {
  if (start.starts_with("\x89PNG")) return "a PNG image";
  if (start.starts_with("\xff\xd8\xff")) return "a JPEG image";
  if (start.starts_with("PK\x03\x04")) return "a ZIP archive, such as PyTorch's own files";
  const bool is_text = std::all_of(
      start.begin(), start.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
  return is_text ? "a text file" : "a file of another kind";
}

uint64_t read_header_length(std::span<const std::byte> bytes) {
  uint64_t length = 0;
  for (int i = 0; i < 8; ++i) length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  return length;
}

/** Parses JSON; a name that occurs twice in one object is an error, where the library would keep the last silently. */
json parse_header(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> names;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepestHeader) fail(where, "a header of tensor entries", "deeper nesting");
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
      fail(where, "each name once in the header", cat("'", parsed.get<std::string>(), "' twice"));
    return true;
  };
  try {
    json header = json::parse(text, check);
    if (!header.is_object()) fail(where, "a JSON object as header", header.type_name());
    return header;
  } catch (const json::exception& error) {
    fail(where, "a header in JSON", error.what());
  }
}

/** An array of integers in [0, 2^63), or nothing. */
std::optional<std::vector<int64_t>> read_sizes(const json& entry, const char* name) {
  const auto found = entry.find(name);
  if (found == entry.end() || !found->is_array()) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const json& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) return std::nullopt;
    sizes.push_back(item.get<int64_t>());
  }
  return sizes;
}

/** Bits of a tensor; nothing if the product of the sizes (zeros counted as ones) does not fit. */
std::optional<int64_t> bit_count(const std::vector<int64_t>& shape, size_t bits) {
  auto product = static_cast<int64_t>(bits);
  bool is_empty = false;
  for (const int64_t size : shape) {
    is_empty |= size == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product)) return std::nullopt;
  }
  return is_empty ? 0 : product;
}

StoredTensor read_entry(const json& entry, std::span<const std::byte> data, const std::string& where) {
  if (!entry.is_object()) fail(where, "a JSON object with dtype, shape and data_offsets", entry.type_name());
  const auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) fail(where, "a dtype", "none");
  StoredTensor tensor;
  tensor.dtype = dtype->get<std::string>();
  const auto shape = read_sizes(entry, "shape");
  if (!shape) fail(where, "a shape of integers from 0", entry.contains("shape") ? entry["shape"].dump() : "none");
  const auto offsets = read_sizes(entry, "data_offsets");
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1])
    fail(where, "data_offsets [begin, end]", entry.contains("data_offsets") ? entry["data_offsets"].dump() : "none");
  const int64_t begin = (*offsets)[0];
  const int64_t end = (*offsets)[1];
  if (static_cast<uint64_t>(end) > data.size())
    fail(where, cat("an end inside the ", data.size(), " bytes of data"), cat(end));
  const std::optional<size_t> bits = bits_of(tensor.dtype);
  const std::optional<int64_t> size = bit_count(*shape, bits.value_or(1));
  const std::string form = cat(tensor.dtype, " [", join(*shape, ", "), "] in ");
  if (!size) fail(where, form + "at most 2^60 bytes", "more");
  if (bits && (*size % 8 != 0 || *size / 8 != end - begin))
    fail(where, cat(form, static_cast<double>(*size) / 8, " bytes"), cat(end - begin, " bytes"));
  tensor.shape = *shape;
  tensor.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  return tensor;
}

void check_layout(const std::map<std::string, StoredTensor>& tensors, std::span<const std::byte> data,
                  const fs::path& path) {
  struct Range {
    const std::byte* begin;
    size_t size;
    const std::string* name;
  };
  std::vector<Range> ranges;
  for (const auto& [name, tensor] : tensors) ranges.push_back({tensor.bytes.data(), tensor.bytes.size(), &name});
  std::sort(ranges.begin(), ranges.end(), [](const Range& left, const Range& right) {
    return left.begin != right.begin ? left.begin < right.begin : left.size < right.size;
  });
  const std::byte* next = data.data();
  for (const Range& range : ranges) {
    if (range.begin != next) {
      fail(cat(path.string(), ": tensor '", *range.name, "'"),
           cat("a start at byte ", next - data.data(), " of the data"),
           cat(range.begin - data.data(), range.begin < next ? " (overlap)" : " (a hole)"));
    }
    next += range.size;
  }
  const auto used = static_cast<size_t>(next - data.data());
  if (used != data.size()) fail(path.string(), cat(used, " bytes of data"), cat(data.size(), " bytes"));
}

}  // namespace

size_t dtype_size(const std::string& dtype) {
  const size_t bits = bits_of(dtype).value_or(0);
  return bits % 8 == 0 ? bits / 8 : 0;
}

std::vector<std::string> SafetensorsFile::names_in_file_order() const {
  std::vector<std::pair<const std::byte*, std::string>> places;
  for (const auto& [name, tensor] : tensors_) places.push_back({tensor.bytes.data(), name});
  std::sort(places.begin(), places.end());
  std::vector<std::string> names;
  for (auto& [place, name] : places) names.push_back(std::move(name));
  return names;
}

void SafetensorsFile::release(const StoredTensor& tensor) const {
  if (tensor.bytes.empty()) return;
  // From the start of a page; of the neighbours on shared pages nothing is lost but time.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(tensor.bytes.data()) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(tensor.bytes.data()) + tensor.bytes.size();
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // advice: failure changes nothing
}

SafetensorsFile SafetensorsFile::open(const fs::path& path) {
  const std::string where = path.string();
  SafetensorsFile file;
  file.path_ = path;
  const Mapping mapping = map_file(path);
  file.mapping_ = mapping.memory;

  const std::string_view start(reinterpret_cast<const char*>(mapping.bytes.data()),
                               std::min(mapping.bytes.size(), kLongestStart));
  if (start.starts_with("version https://git-lfs"))
    throw Error(ExitCode::model, {where, "a safetensors file", "a Git LFS pointer, which stands in its place",
                                  "`git lfs pull` in its repository fetches the file itself"});
  const uint64_t length = read_header_length(mapping.bytes);
  if (length > std::max<uint64_t>(mapping.bytes.size(), kLargestHeader) && start.size() > 8 && start[8] != '{')
    throw Error(ExitCode::model, {where, "a safetensors file", other_kind(start), ""});
  if (length > std::min<uint64_t>(mapping.bytes.size() - 8, kLargestHeader))
    fail(where, cat("a header inside the file of ", mapping.bytes.size(), " bytes and of at most 100 MB"),
         cat("a header of ", length, " bytes"));
  const auto header_bytes = mapping.bytes.subspan(8, length);
  const auto data = mapping.bytes.subspan(8 + length);
  const json header = parse_header({reinterpret_cast<const char*>(header_bytes.data()), length}, where);

  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      file.tensors_[name] = read_entry(entry, data, cat(where, ": tensor '", name, "'"));
      continue;
    }
    if (!entry.is_object()) fail(where, "__metadata__ that maps strings to strings", entry.type_name());
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        fail(where, "__metadata__ that maps strings to strings", cat("'", key, "': ", value.dump()));
      file.metadata_[key] = value.get<std::string>();
    }
  }
  check_layout(file.tensors_, data, path);
  return file;
}

}  // namespace diptych
