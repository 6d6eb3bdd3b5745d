#include "diptych/text/byte_alphabet.h"

#include <cstddef>
#include <unordered_map>

#include "diptych/text/unicode.h"

namespace diptych {
namespace {

bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

std::array<char32_t, 256> make_code_points() {
  std::array<char32_t, 256> code_points{};
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    code_points[static_cast<std::size_t>(byte)] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
  }
  return code_points;
}

const std::array<char32_t, 256>& code_points() {
  static const std::array<char32_t, 256> table = make_code_points();
  return table;
}

}  // namespace

const std::array<std::string, 256>& byte_characters() {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> characters;
    for (std::size_t byte = 0; byte < 256; ++byte) append_code_point(&characters[byte], code_points()[byte]);
    return characters;
  }();
  return table;
}

const std::vector<uint8_t>& bytes_in_vocabulary_order() {
  static const std::vector<uint8_t> order = [] {
    std::vector<uint8_t> bytes;
    for (const bool itself : {true, false}) {
      for (int byte = 0; byte < 256; ++byte) {
        if (stands_for_itself(byte) == itself) bytes.push_back(static_cast<uint8_t>(byte));
      }
    }
    return bytes;
  }();
  return order;
}

std::optional<std::string> token_bytes(std::string_view token) {
  static const std::unordered_map<char32_t, char> byte_of = [] {
    std::unordered_map<char32_t, char> table;
    for (std::size_t byte = 0; byte < 256; ++byte) table.emplace(code_points()[byte], static_cast<char>(byte));
    return table;
  }();
  std::string bytes;
  for (std::size_t position = 0; position < token.size();) {
    const auto found = byte_of.find(next_code_point(token, &position));
    if (found == byte_of.end()) return std::nullopt;
    bytes += found->second;
  }
  return bytes;
}

}  // namespace diptych
