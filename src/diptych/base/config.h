#pragma once
// Typed recipes. A config struct lists its fields once in a `visit` function; that one list reads TOML, applies
// `key=value` overrides, rejects unknown keys, and prints the resolved recipe with its comments.
//
//   struct RunConfig { std::string dir; int64_t seed = 0; };
//   template <class Fields> void visit(Fields& fields, RunConfig& run) {
//     fields("dir", run.dir, "folder of the run");
//     fields("seed", run.seed, "seed of every draw");
//     fields("threads", run.threads, "CPU threads", Change::free);
//   }
//   struct Recipe { RunConfig run; };
//   template <class Fields> void visit(Fields& fields, Recipe& recipe) { fields.section("run", recipe.run); }
//
//   Recipe recipe = load_config<Recipe>("recipes/x.toml", {"run.seed=3"});
//   std::string text = print_config(recipe);

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
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

/** A recipe in memory, such as one that was printed. `name` stands for it in messages. */
struct ConfigText {
  std::string text;
  std::string name;
};

/** Reads fields from a TOML file and overrides. Keys are `section.name`. Throws Error(config) with file, line and the
 *  nearest known name for an unknown key, and with the expected type for a wrong one.
 *  A top-level `base = "other.toml"` (relative to the file that says so) names a recipe that is read first; bases may
 *  chain, a cycle is an error. An override is `section.name=value` with a TOML value, or for a string the text as
 *  it is, whatever else it reads as; it beats every file. An integer is accepted where a double is asked, never the
 *  reverse. */
class ConfigReader {
 public:
  ConfigReader(const std::filesystem::path& file, const std::vector<std::string>& overrides);
  /** Reads overrides alone: fields without one keep their values. */
  explicit ConfigReader(const std::vector<std::string>& overrides);
  /** Reads a text, in which `base` means nothing. */
  explicit ConfigReader(const ConfigText& text);
  ~ConfigReader();

  void operator()(std::string_view name, bool& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, int64_t& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, double& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, std::string& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, std::vector<std::string>& value, std::string_view comment,
                  Change change = Change::refused);
  void operator()(std::string_view name, std::vector<int64_t>& value, std::string_view comment,
                  Change change = Change::refused);
  void operator()(std::string_view name, std::vector<double>& value, std::string_view comment,
                  Change change = Change::refused);
  /** A string that must be one of `choices`. */
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& choices,
              std::string_view comment, Change change = Change::refused);
  /** A number that must lie in [low, high]. */
  void range(std::string_view name, double& value, double low, double high, std::string_view comment,
             Change change = Change::refused);
  void range(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view comment,
             Change change = Change::refused);
  template <class Section>
  void section(std::string_view name, Section& fields) {
    enter(name);
    visit(*this, fields);
    leave();
  }
  /** From here on ranges and choices do not count: for what another version of the program printed, which had its own.
   */
  void trust_values();
  /** Throws if the file or an override holds a key that no field read. Call it last. */
  void finish();
  /** The keys that no field read, instead of that. */
  std::vector<std::string> unread() const;

 private:
  void enter(std::string_view name);
  void leave();
  struct State;
  std::unique_ptr<State> state_;
};

/** A field as it was printed. */
struct ConfigKey {
  std::string name;                // section.name
  std::string value;               // as TOML
  std::vector<std::string> words;  // of a text, or a list of texts
  Change change = Change::refused;
};

/** Prints fields as commented TOML that ConfigReader reads back to equal values. Fields of a section come out before
 *  its sub-sections, as TOML demands, in whatever order they are visited. A comment ends with what a run that continues
 *  may do with the key: [free], [recorded]; nothing where it may not change. */
class ConfigPrinter {
 public:
  void operator()(std::string_view name, bool& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, int64_t& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, double& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, std::string& value, std::string_view comment, Change change = Change::refused);
  void operator()(std::string_view name, std::vector<std::string>& value, std::string_view comment,
                  Change change = Change::refused);
  void operator()(std::string_view name, std::vector<int64_t>& value, std::string_view comment,
                  Change change = Change::refused);
  void operator()(std::string_view name, std::vector<double>& value, std::string_view comment,
                  Change change = Change::refused);
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& choices,
              std::string_view comment, Change change = Change::refused);
  void range(std::string_view name, double& value, double low, double high, std::string_view comment,
             Change change = Change::refused);
  void range(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view comment,
             Change change = Change::refused);
  template <class Section>
  void section(std::string_view name, Section& fields) {
    enter(name);
    visit(*this, fields);
    leave();
  }
  const std::string& text() const { return text_; }
  /** In the order in which they were visited. */
  const std::vector<ConfigKey>& keys() const { return keys_; }

 private:
  void enter(std::string_view name);
  void leave();
  void line(std::string_view name, const std::string& value, const std::vector<std::string>& words,
            std::string_view comment, Change change);
  std::string text_;
  std::vector<ConfigKey> keys_;
  std::vector<std::string> path_;
  std::vector<size_t> field_end_{0};  // for each open section: offset in text_ where its next field goes
};

template <class Config>
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  Config config;
  ConfigReader reader(file, overrides);
  visit(reader, config);
  reader.finish();
  return config;
}

/** A config that is already there, with overrides. */
template <class Config>
Config override_config(Config config, const std::vector<std::string>& overrides) {
  ConfigReader reader(overrides);
  visit(reader, config);
  reader.finish();
  return config;
}

template <class Config>
std::string print_config(Config config) {
  ConfigPrinter printer;
  visit(printer, config);
  return printer.text();
}

template <class Config>
std::vector<ConfigKey> config_keys(Config config) {
  ConfigPrinter printer;
  visit(printer, config);
  return printer.keys();
}

}  // namespace diptych
