#include "diptych/serve/engine/prefix_cache.h"

namespace diptych {

std::shared_ptr<Prefix> PrefixCache::find(const std::string& key) {
  const auto place = places_.find(key);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.end(), entries_, place->second);
  return entries_.back();
}

void PrefixCache::insert(std::shared_ptr<Prefix> prefix) {
  rows_ += prefix->own_rows;
  const std::string key = prefix->key;
  places_[key] = entries_.insert(entries_.end(), std::move(prefix));
}

void PrefixCache::shrink_to(int64_t rows) {
  // An entry that goes may have been the last holder of its parent, which can stand ahead of it in the list.
  for (bool progress = true; progress && rows_ > rows;) {
    progress = false;
    for (auto entry = entries_.begin(); entry != entries_.end() && rows_ > rows;) {
      if (entry->use_count() > 1) {
        ++entry;
        continue;
      }
      rows_ -= (*entry)->own_rows;
      places_.erase((*entry)->key);
      entry = entries_.erase(entry);
      progress = true;
    }
  }
}

std::vector<CachedContext*> PrefixCache::contexts() {
  std::vector<CachedContext*> contexts;
  for (const std::shared_ptr<Prefix>& entry : entries_) contexts.push_back(&entry->context);
  return contexts;
}

}  // namespace diptych
