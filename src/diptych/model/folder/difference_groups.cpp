#include "diptych/tensor/torch.h"

#include "diptych/model/folder/difference_groups.h"

#include <algorithm>
#include <charconv>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

/** A name around its first part that is a number. */
struct SplitName {
  std::string before, after;
  int64_t number = -1;  // none
};

SplitName split(const std::string& name) {
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    int64_t number = -1;
    const auto parsed = std::from_chars(name.data() + begin, name.data() + end, number);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + end && number >= 0)
      return {name.substr(0, begin), name.substr(end), number};
    begin = end + 1;
  }
  return {.before = name, .after = ""};
}

/** "{0-3,7}"; a number alone has no braces. */
std::string ranges(std::vector<int64_t> numbers) {
  if (numbers.size() == 1) return cat(numbers.front());
  std::sort(numbers.begin(), numbers.end());
  std::vector<std::string> parts;
  for (size_t begin = 0; begin < numbers.size();) {
    size_t end = begin;
    while (end + 1 < numbers.size() && numbers[end + 1] == numbers[end] + 1) ++end;
    parts.push_back(begin == end ? cat(numbers[begin]) : cat(numbers[begin], '-', numbers[end]));
    begin = end + 1;
  }
  return cat('{', join(parts, ","), '}');
}

}  // namespace

std::vector<DifferenceGroup> group_differences(const std::vector<WeightDifference>& differences) {
  struct Collected {
    DifferenceGroup group;
    SplitName name;
    std::vector<int64_t> numbers;
  };
  std::vector<Collected> collected;
  std::map<std::string, size_t> places;  // in `collected`, by what the members of a group share
  for (const WeightDifference& difference : differences) {
    const SplitName name = split(difference.name);
    const std::string shared = cat(static_cast<int>(difference.kind), '\n', name.before, '\n', name.after, '\n',
                                   shape_text(difference.expected), shape_text(difference.stored), difference.dtype);
    const auto [place, is_new] = places.emplace(shared, collected.size());
    if (is_new) collected.push_back({{difference, 0}, name, {}});
    Collected& found = collected[place->second];
    ++found.group.count;
    if (name.number >= 0) found.numbers.push_back(name.number);
  }
  std::vector<DifferenceGroup> groups;
  for (Collected& found : collected) {
    if (!found.numbers.empty()) found.group.first.name = found.name.before + ranges(found.numbers) + found.name.after;
    groups.push_back(found.group);
  }
  std::stable_sort(groups.begin(), groups.end(), [](const DifferenceGroup& left, const DifferenceGroup& right) {
    return left.first.kind < right.first.kind;
  });
  return groups;
}

}  // namespace diptych
