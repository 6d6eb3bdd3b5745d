#pragma once
// The fields of a recipe's structs. A config struct lists its fields once, in a `visit` function; whatever reads them,
// prints them or looks at them is a ConfigFields.
//
//   struct RunConfig { std::string dir; int64_t seed = 0; };
//   inline void visit(ConfigFields& fields, RunConfig& run) {
//     fields("dir", run.dir, "folder of the run");
//     fields.range("seed", run.seed, 0, 1000, "seed of every draw", Change::recorded);
//   }
//   struct Recipe { RunConfig run; };
//   inline void visit(ConfigFields& fields, Recipe& recipe) { fields.section("run", recipe.run); }

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace diptych {

/** What becomes of a key that has another value when a run continues. */
enum class Change {
  refused,   // it would be another run
  recorded,  // results change from here on: told, and written down with the run
  free,      // no result depends on it
  schedule,  // free while the learning rate is constant, else recorded: a decay leads to the last step
  files,     // names files: where they lie is free, what they hold is recorded
};

/** The values from `low` to `high`. */
template <class Number>
struct ConfigRange {
  Number low;
  Number high;
};

/** A field of a config struct, as it is shown while it is visited. */
struct ConfigField {
  using Value = std::variant<bool*, int64_t*, double*, std::string*, std::vector<std::string>*, std::vector<int64_t>*,
                             std::vector<double>*>;
  using Limits = std::variant<std::monostate, ConfigRange<int64_t>, ConfigRange<double>,
                              const std::vector<std::string>*>;  // the last: the choices of a string

  std::string_view name;
  Value value;
  std::string_view comment;
  Change change = Change::refused;  // what a run that continues may do with it
  Limits limits = {};
};

/** Is shown every field of a config struct. Values are bool, int64_t, double, std::string, and vectors of the last
 *  three. */
class ConfigFields {
 public:
  virtual ~ConfigFields() = default;

  template <class Value>
  void operator()(std::string_view name, Value& value, std::string_view comment, Change change = Change::refused) {
    field({name, &value, comment, change});
  }
  /** A string that must be one of `choices`. */
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& choices,
              std::string_view comment, Change change = Change::refused) {
    field({name, &value, comment, change, &choices});
  }
  /** A number that must lie in [low, high]. */
  void range(std::string_view name, double& value, double low, double high, std::string_view comment,
             Change change = Change::refused) {
    field({name, &value, comment, change, ConfigRange<double>{low, high}});
  }
  void range(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view comment,
             Change change = Change::refused) {
    field({name, &value, comment, change, ConfigRange<int64_t>{low, high}});
  }
  template <class Section>
  void section(std::string_view name, Section& fields) {
    enter(name);
    visit(*this, fields);
    leave();
  }

 protected:
  virtual void field(const ConfigField& field) = 0;
  virtual void enter(std::string_view section) = 0;
  virtual void leave() = 0;
};

}  // namespace diptych
