#pragma once
// Contexts that end with an image, kept for the next request that begins in the same way: judges ask many questions
// about one image.

#include <list>
#include <map>
#include <memory>

#include "diptych/rollout/context.h"

namespace diptych {

/** A prefilled beginning of contexts. Its context contains that of `parent`. */
struct Prefix {
  std::string key;
  CachedContext context;
  int64_t own_rows = 0;  // behind those of the parent
  std::shared_ptr<Prefix> parent;
};

/** Entries that nobody else holds are given up, least recently used first. */
class PrefixCache {
 public:
  /** The entry, now the most recently used one, or null. */
  std::shared_ptr<Prefix> find(const std::string& key);

  void insert(std::shared_ptr<Prefix> prefix);

  /** Cache rows of all entries. */
  int64_t rows() const { return rows_; }

  /** Gives entries up until at most `rows` are left, as far as nobody holds them. */
  void shrink_to(int64_t rows);

  /** The contexts of all entries. */
  std::vector<CachedContext*> contexts();

 private:
  std::list<std::shared_ptr<Prefix>> entries_;  // least recently used first
  std::map<std::string, std::list<std::shared_ptr<Prefix>>::iterator> places_;
  int64_t rows_ = 0;
};

}  // namespace diptych
