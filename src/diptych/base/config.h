#pragma once
// Typed recipes. A config struct lists its fields once in a `visit` function; that one list reads TOML, applies
// `key=value` overrides, rejects unknown keys, and prints the resolved recipe with its comments.
//
//   struct RunConfig { std::string dir; int64_t seed = 0; };
//   template <class Fields> void visit(Fields& fields, RunConfig& run) {
//     fields("dir", run.dir, "folder of the run");
//     fields("seed", run.seed, "seed of every draw");
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
  ~ConfigReader();

  void operator()(std::string_view name, bool& value, std::string_view comment);
  void operator()(std::string_view name, int64_t& value, std::string_view comment);
  void operator()(std::string_view name, double& value, std::string_view comment);
  void operator()(std::string_view name, std::string& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<std::string>& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<int64_t>& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<double>& value, std::string_view comment);
  /** A string that must be one of `choices`. */
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& choices,
              std::string_view comment);
  /** A number that must lie in [low, high]. */
  void range(std::string_view name, double& value, double low, double high, std::string_view comment);
  void range(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view comment);
  template <class Section>
  void section(std::string_view name, Section& fields) {
    enter(name);
    visit(*this, fields);
    leave();
  }
  /** Throws if the file or an override holds a key that no field read. Call it last. */
  void finish();

 private:
  void enter(std::string_view name);
  void leave();
  struct State;
  std::unique_ptr<State> state_;
};

/** Prints fields as commented TOML that ConfigReader reads back to equal values. Fields of a section come out before
 *  its sub-sections, as TOML demands, in whatever order they are visited. */
class ConfigPrinter {
 public:
  void operator()(std::string_view name, bool& value, std::string_view comment);
  void operator()(std::string_view name, int64_t& value, std::string_view comment);
  void operator()(std::string_view name, double& value, std::string_view comment);
  void operator()(std::string_view name, std::string& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<std::string>& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<int64_t>& value, std::string_view comment);
  void operator()(std::string_view name, std::vector<double>& value, std::string_view comment);
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& choices,
              std::string_view comment);
  void range(std::string_view name, double& value, double low, double high, std::string_view comment);
  void range(std::string_view name, int64_t& value, int64_t low, int64_t high, std::string_view comment);
  template <class Section>
  void section(std::string_view name, Section& fields) {
    enter(name);
    visit(*this, fields);
    leave();
  }
  const std::string& text() const { return text_; }

 private:
  void enter(std::string_view name);
  void leave();
  void line(std::string_view name, const std::string& value, std::string_view comment);
  std::string text_;
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

}  // namespace diptych
