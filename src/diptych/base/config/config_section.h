#pragma once
// Keys of a recipe whose struct only their owner knows, so that a part that is found in a list can bring its own.

#include <any>
#include <utility>

#include "diptych/base/config/config_fields.h"

namespace diptych {

/** A config struct of any type. Its owner, who made it, gets it back by its type; a recipe reads, prints and compares
 *  its fields as all others. */
class ConfigSection {
 public:
  template <class Keys>
  explicit ConfigSection(Keys keys)
      : keys_(std::move(keys)),
        visit_([](ConfigFields& fields, std::any& held) { visit(fields, std::any_cast<Keys&>(held)); }) {}

  /** Throws std::bad_any_cast for another type than it was made of. */
  template <class Keys>
  const Keys& as() const {
    return std::any_cast<const Keys&>(keys_);
  }
  template <class Keys>
  Keys& as() {
    return std::any_cast<Keys&>(keys_);
  }

  friend void visit(ConfigFields& fields, ConfigSection& section) { section.visit_(fields, section.keys_); }

 private:
  std::any keys_;
  void (*visit_)(ConfigFields& fields, std::any& keys);
};

}  // namespace diptych
