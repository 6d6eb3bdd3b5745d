#include "fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "diptych/base/rng.h"

namespace diptych::fuzz {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostBytes = size_t{1} << 18;

constexpr std::array<uint64_t, 18> kIntegers = {0,          1,          2,           7,          8,          0x7f,
                                                0x80,       0xff,       0x7fff,      0x8000,     0xffff,     0x7fffffff,
                                                0x80000000, 0xffffffff, 0x100000000, 1ULL << 62, 1ULL << 63, ~0ULL};

constexpr std::array<std::string_view, 20> kNumbers = {"0",
                                                       "-1",
                                                       "1",
                                                       "3.5",
                                                       "-0.0",
                                                       "1e999",
                                                       "-1e999",
                                                       "1e-999",
                                                       "NaN",
                                                       "nan",
                                                       "inf",
                                                       "-inf",
                                                       "2147483648",
                                                       "4294967296",
                                                       "9223372036854775807",
                                                       "-9223372036854775808",
                                                       "18446744073709551615",
                                                       "18446744073709551616",
                                                       "1000000000000000000000000000000",
                                                       "00"};

constexpr std::array<std::string_view, 20> kCommonWords = {
    "[", "]",    "{",    "}",  "\"",      "\\",      ",",       ":",    "\n",           "\r\n",
    " ", "null", "true", "[[", "{\"a\":", "\\u0000", "\\ud800", "\xff", "\xed\xa0\x80", "\xf0\x9f\x98\x80"};

/** The edits of one input. */
class Mutator {
 public:
  Mutator(const Target& target, const std::vector<Bytes>& corpus, Stream& stream)
      : target_(target), corpus_(corpus), stream_(stream), bytes_(entry()) {}

  Bytes run() {
    const uint64_t edits = uint64_t{1} << below(1 + below(5));  // one most often: many leave no format intact
    for (uint64_t edit = 0; edit < edits && bytes_.size() < kMostBytes; ++edit) apply();
    if (target_.mend && below(4) != 0) target_.mend(bytes_);
    return std::move(bytes_);
  }

 private:
  uint64_t below(uint64_t bound) { return stream_.below(bound); }
  const Bytes& entry() { return corpus_[below(corpus_.size())]; }
  size_t place() { return below(bytes_.size() + 1); }
  std::ptrdiff_t at(size_t position) { return static_cast<std::ptrdiff_t>(position); }

  /** A length of any order of magnitude, at most `most`. */
  size_t length(size_t most) { return std::min<size_t>(most, below(uint64_t{1} << below(14))); }

  void insert(size_t position, std::span<const std::byte> piece) {
    bytes_.insert(bytes_.begin() + at(position), piece.begin(), piece.end());
  }

  void erase(size_t position, size_t count) {
    bytes_.erase(bytes_.begin() + at(position), bytes_.begin() + at(position + count));
  }

  Bytes copy(const Bytes& source, size_t position, size_t count) {
    return {source.begin() + at(position), source.begin() + at(position + count)};
  }

  std::span<const std::byte> word() {
    const size_t own = target_.words.size();
    const size_t choice = own > 0 && below(2) == 0 ? below(own) : own + below(kCommonWords.size());
    const std::string_view text = choice < own ? target_.words[choice] : kCommonWords[choice - own];
    return std::as_bytes(std::span(text));
  }

  void apply() {
    switch (below(14)) {
      case 0:
        return flip_bit();
      case 1:
        return set_byte();
      case 2:
        return write_integer();
      case 3:
      case 4:
        return write_number();
      case 5:
        return erase_chunk();
      case 6:
        return repeat_chunk();
      case 7:
        return insert_noise();
      case 8:
      case 9:
        return insert(place(), word());
      case 10:
        return overwrite_by_word();
      case 11:
        return splice();
      case 12:
        return move_chunk();
      default:
        return rarely();
    }
  }

  void flip_bit() {
    if (bytes_.empty()) return;
    bytes_[below(bytes_.size())] ^= std::byte{1} << below(8);
  }

  void set_byte() {
    if (bytes_.empty()) return;
    bytes_[below(bytes_.size())] = static_cast<std::byte>(below(256));
  }

  /** A telling integer of 1, 2, 4 or 8 bytes in either order, over what is there. */
  void write_integer() {
    const size_t width = size_t{1} << below(4);
    if (bytes_.size() < width) return;
    const size_t position = below(bytes_.size() - width + 1);
    const uint64_t value = kIntegers[below(kIntegers.size())];
    const bool big_endian = below(2) == 0;
    for (size_t i = 0; i < width; ++i) {
      const size_t shift = 8 * (big_endian ? width - 1 - i : i);
      bytes_[position + i] = static_cast<std::byte>(value >> shift);
    }
  }

  /** A telling number in digits, in the place of the next one. */
  void write_number() {
    const auto is_digit = [](std::byte b) { return b >= std::byte{'0'} && b <= std::byte{'9'}; };
    const auto begin = std::find_if(bytes_.begin() + at(place()), bytes_.end(), is_digit);
    const auto end = std::find_if_not(begin, bytes_.end(), is_digit);
    const auto position = static_cast<size_t>(begin - bytes_.begin());
    erase(position, static_cast<size_t>(end - begin));
    insert(position, std::as_bytes(std::span(kNumbers[below(kNumbers.size())])));
  }

  void erase_chunk() {
    const size_t position = place();
    erase(position, length(bytes_.size() - position));
  }

  void repeat_chunk() {
    const size_t position = place();
    const Bytes chunk = copy(bytes_, position, length(bytes_.size() - position));
    insert(place(), chunk);
  }

  void insert_noise() {
    Bytes noise(1 + below(8));
    for (std::byte& b : noise) b = static_cast<std::byte>(below(256));
    insert(place(), noise);
  }

  void overwrite_by_word() {
    const std::span<const std::byte> text = word();
    if (bytes_.size() < text.size()) return;
    std::copy(text.begin(), text.end(), bytes_.begin() + at(below(bytes_.size() - text.size() + 1)));
  }

  /** The beginning of this and the end of another entry. */
  void splice() {
    const Bytes& other = entry();
    bytes_.resize(place());
    const size_t start = below(other.size() + 1);
    insert(bytes_.size(), copy(other, start, other.size() - start));
  }

  void move_chunk() {
    const size_t position = place();
    const size_t count = length(bytes_.size() - position);
    const Bytes chunk = copy(bytes_, position, count);
    erase(position, count);
    insert(place(), chunk);
  }

  /** Edits that destroy or cost so much that they would crowd out the others. */
  void rarely() {
    const uint64_t choice = below(16);
    if (choice == 0) bytes_.resize(place());
    if (choice == 1) nest();
  }

  /** A word many times over, as in nests of brackets. */
  void nest() {
    const std::span<const std::byte> text = word();
    const size_t count = std::min<size_t>(length(size_t{1} << 14) * 8, kMostBytes / text.size());
    Bytes nested;
    nested.reserve(count * text.size());
    for (size_t i = 0; i < count; ++i) nested.insert(nested.end(), text.begin(), text.end());
    insert(place(), nested);
  }

  const Target& target_;
  const std::vector<Bytes>& corpus_;
  Stream& stream_;
  Bytes bytes_;
};

}  // namespace

Bytes read_bytes(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<Bytes> read_corpus(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Bytes> corpus;
  for (const fs::path& file : files) corpus.push_back(read_bytes(file));
  return corpus;
}

Bytes make_input(const Target& target, const std::vector<Bytes>& corpus, uint64_t seed, uint64_t index) {
  if (index < corpus.size()) return corpus[index];
  uint64_t name = 14695981039346656037ULL;  // FNV-1a
  for (const char c : target.name) name = (name ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
  Stream stream({.seed = seed, .purpose = Purpose::test, .step = index, .prompt = name});
  return Mutator(target, corpus, stream).run();
}

}  // namespace diptych::fuzz
