#include "diptych/base/config/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

struct Inner {
  double rate = 0.5;
  int64_t count = 4;
  std::string mode = "plain";
};
inline void visit(ConfigFields& fields, Inner& inner) {
  fields.range("rate", inner.rate, 0.0, 1.0, "share of steps");
  fields.range("count", inner.count, int64_t{1}, int64_t{8}, "copies");
  fields.choice("mode", inner.mode, {"plain", "fancy"}, "kind");
}

struct Run {
  std::string folder = "runs/a";
  int64_t seed = 0;
  double step_size = 1e-4;
  bool verbose = false;
  std::vector<std::string> names = {"x"};
  std::vector<int64_t> sizes = {1, 2};
  std::vector<double> weights;
  Inner inner;
};
inline void visit(ConfigFields& fields, Run& run) {
  fields("folder", run.folder, "folder of the run");
  fields("seed", run.seed, "seed of every draw");
  fields.section("inner", run.inner);
  fields("step_size", run.step_size, "learning rate");
  fields("verbose", run.verbose, "");
  fields("names", run.names, "names");
  fields("sizes", run.sizes, "sizes");
  fields("weights", run.weights, "weights");
}

struct Recipe {
  std::string title;
  Run run;
};
inline void visit(ConfigFields& fields, Recipe& recipe) {
  fields.section("run", recipe.run);
  fields("title", recipe.title, "what this is");
}

class Config : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  Recipe load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return load_config<Recipe>(write("recipe.toml", text), overrides);
  }
  void expect_failure(const std::string& text, const std::vector<std::string>& parts,
                      const std::vector<std::string>& overrides = {}) {
    expect_error([&] { load(text, overrides); }, ExitCode::config, parts);
  }
  TemporaryFolder folder_;
};

TEST_F(Config, ReadsEveryTypeAndKeepsDefaults) {
  const Recipe recipe = load(R"(title = "t"
[run]
seed = 12
step_size = 3
verbose = true
names = ["a", "b"]
sizes = []
weights = [1, 2.5]
[run.inner]
rate = 1
mode = "fancy"
)");
  EXPECT_EQ(recipe.title, "t");
  EXPECT_EQ(recipe.run.folder, "runs/a");
  EXPECT_EQ(recipe.run.seed, 12);
  EXPECT_EQ(recipe.run.step_size, 3.0);
  EXPECT_TRUE(recipe.run.verbose);
  EXPECT_EQ(recipe.run.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(recipe.run.sizes.empty());
  EXPECT_EQ(recipe.run.weights, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(recipe.run.inner.rate, 1.0);
  EXPECT_EQ(recipe.run.inner.count, 4);
  EXPECT_EQ(recipe.run.inner.mode, "fancy");
}

TEST_F(Config, MissingFileNamesItAndTheCurrentFolder) {
  expect_error([] { load_config<Recipe>("no/such.toml", {}); }, ExitCode::config,
               {"no/such.toml", "does not exist", std::filesystem::current_path().string()});
  expect_error([&] { load_config<Recipe>(folder_.path(), {}); }, ExitCode::config, {"cannot be read"});
}

TEST_F(Config, EmptyFileGivesDefaults) {
  EXPECT_EQ(load("").run.folder, "runs/a");
}

TEST_F(Config, SyntaxErrorNamesTheLine) {
  expect_failure("[run]\nseed = \n", {"recipe.toml:2", "valid TOML"});
  std::string deep = "a";
  for (int part = 0; part < 100'000; ++part) deep += ".a";
  expect_failure("[" + deep + "]\n", {"recipe.toml:1", "valid TOML", "parts"});
  expect_failure("", {"a TOML value", "parts"}, {"run.sizes={" + deep + "=1}"});
  expect_failure("base = \"" + std::string(5000, 'a') + "\"\n", {"recipe.toml:1", "a readable recipe file"});
}

TEST_F(Config, UnknownKeyNamesLineAndNearestKey) {
  expect_failure("[run]\n\nsede = 1\n", {"recipe.toml:3", "'run.sede'", "did you mean 'run.seed'?"});
  expect_failure("[run.inner]\nrates = 1\n", {"recipe.toml:2", "'run.inner.rates'", "did you mean 'run.inner.rate'?"});
  expect_failure("[rnu]\nseed = 1\n", {"'rnu.seed'", "did you mean 'run.seed'?"});
  expect_failure("[runn]\n", {"recipe.toml:1", "known section", "'runn'", "did you mean 'run'?"});
  expect_failure("\"run.seed\" = 1\n", {"unknown"});
}

TEST_F(Config, UnknownOverrideIsAnError) {
  expect_failure("", {"override 'run.sed=1'", "did you mean 'run.seed'?"}, {"run.sed=1"});
  expect_failure("", {"override 'run.seed'", "section.name=value"}, {"run.seed"});
  expect_failure("", {"section.name=value"}, {"=3"});
}

TEST_F(Config, WrongTypesSayExpectedAndGot) {
  expect_failure("[run]\nseed = 1.5\n", {"recipe.toml:2: run.seed", "expected an integer", "the number 1.5"});
  expect_failure("[run]\nseed = \"1\"\n", {"expected an integer", "the string"});
  expect_failure("[run]\nstep_size = \"1e-3\"\n", {"expected a number", "the string"});
  expect_failure("[run]\nverbose = 1\n", {"expected true or false", "the integer 1"});
  expect_failure("[run]\nfolder = 3\n", {"expected a string", "the integer 3", "quotes"});
  expect_failure("[run]\nfolder = 2024-01-01\n", {"expected a string", "the date or time"});
  expect_failure("[run]\nnames = \"a\"\n", {"expected a list", "the string"});
  expect_failure("[run]\nseed = [nan, inf]\n", {"recipe.toml:2: run.seed", "the list [nan, inf]"});
  expect_failure("[run]\nsizes = [1, 2.0]\n", {"recipe.toml:2: run.sizes, item 2", "an integer", "the number 2.0"});
  expect_failure("[run.seed]\nx = 1\n", {"run.seed", "expected an integer", "a table"});
  expect_failure("run = 3\n", {"recipe.toml:1: run", "the section [run]", "the integer 3"});
}

TEST_F(Config, RangesAndChoicesListWhatIsAllowed) {
  expect_failure("[run.inner]\nrate = 1.5\n", {"run.inner.rate", "a number from 0 to 1", "got 1.5"});
  expect_failure("[run.inner]\nrate = nan\n", {"a number from 0 to 1", "nan"});
  expect_failure("[run]\nstep_size = nan\n", {"recipe.toml:2: run.step_size", "a finite number", "nan"});
  expect_failure("[run]\nstep_size = -inf\n", {"a finite number", "-inf"});
  expect_failure("[run]\nweights = [1, inf]\n", {"run.weights, item 2", "a finite number", "inf"});
  expect_failure("[run.inner]\ncount = 9\n", {"an integer from 1 to 8", "got 9"});
  expect_failure("[run.inner]\nmode = \"odd\"\n", {"recipe.toml:2", "one of plain, fancy", "'odd'"});
  expect_failure("", {"override", "an integer from 1 to 8"}, {"run.inner.count=0"});
}

TEST_F(Config, OverridesBeatTheFile) {
  const Recipe recipe =
      load("[run]\nseed = 1\nnames = [\"a\"]\n", {"run.seed=2", "run.seed = 3", "run.names=[\"b\", \"c\"]",
                                                  "run.verbose=true", "run.step_size=2e-3", "title=first words # no"});
  EXPECT_EQ(recipe.run.seed, 3);
  EXPECT_EQ(recipe.run.names, (std::vector<std::string>{"b", "c"}));
  EXPECT_TRUE(recipe.run.verbose);
  EXPECT_EQ(recipe.run.step_size, 2e-3);
  EXPECT_EQ(recipe.title, "first words # no");
}

TEST_F(Config, OverridesTakeBareWordsAndTables) {
  EXPECT_EQ(load("", {"run.folder=runs/b=c"}).run.folder, "runs/b=c");
  EXPECT_EQ(load("", {"run.folder="}).run.folder, "");
  EXPECT_EQ(load("", {"run.folder=\"3\""}).run.folder, "3");
  EXPECT_EQ(load("", {"run.inner={count=2, rate=0.25}"}).run.inner.count, 2);
  EXPECT_EQ(load("", {"title=a\nb = 3"}).title, "a\nb = 3");
  expect_failure("", {"a TOML value", "run.sizes=[1, 2", "quotes"}, {"run.sizes=[1, 2"});
  expect_failure("", {"a TOML value", "run.inner={count", "quotes"}, {"run.inner={count"});
}

TEST_F(Config, AnOverrideOfATextIsTheText) {
  for (const std::string text :
       {"3",     "007",    "1e5", "-1",  "true",     "inf", "nan",      "2026-12-01", "12:30:00", "0x1F", "1_000",
        "[new]", "[1, 2]", "{a}", "a b", "läufe/一", "x=y", "runs/1#2", "1 # 2",      "\\",       "it's"})
    EXPECT_EQ(load("", {"run.folder=" + text}).run.folder, text);
  EXPECT_EQ(load("", {"run.folder='3'"}).run.folder, "3");
  EXPECT_EQ(load("", {"run.folder=\"a\\tb\" # as in a file"}).run.folder, "a\tb");
  expect_failure("", {"a TOML value", "quotes"}, {"run.folder=\"a"});
  expect_failure("", {"a TOML value", "quotes"}, {"run.folder='a' b"});
  expect_failure("", {"a text in UTF-8"}, {"run.folder=l\xe4ufe"});  // Latin-1
  expect_failure("", {"one of plain, fancy", "'1'"}, {"run.inner.mode=1"});
  expect_failure("", {"expected an integer", "the string ''"}, {"run.seed="});
  expect_failure("", {"expected an integer", "the boolean true"}, {"run.seed=true"});
}

TEST_F(Config, BaseIsReadFirstAndChains) {
  write("common/root.toml", "title = \"root\"\n[run]\nseed = 1\nfolder = \"root\"\nstep_size = 0.5\n");
  write("common/middle.toml", "base = \"root.toml\"\n[run]\nseed = 2\nfolder = \"middle\"\n");
  const Recipe recipe = load("base = \"common/middle.toml\"\n[run]\nseed = 3\n");
  EXPECT_EQ(recipe.title, "root");
  EXPECT_EQ(recipe.run.step_size, 0.5);
  EXPECT_EQ(recipe.run.folder, "middle");
  EXPECT_EQ(recipe.run.seed, 3);
}

TEST_F(Config, BaseErrors) {
  expect_failure("base = \"none.toml\"\n", {"recipe.toml:1", "none.toml", "does not exist"});
  expect_failure("base = 3\n", {"recipe.toml:1: base", "the integer 3"});
  write("loop.toml", "base = \"recipe.toml\"\n");
  expect_failure("base = \"loop.toml\"\n", {"loop.toml:1", "cycle"});
  write("bad.toml", "[run]\nsede = 1\n");
  expect_failure("base = \"bad.toml\"\n", {"bad.toml:2", "did you mean 'run.seed'?"});
}

TEST_F(Config, PrintedTextHasSectionsAndComments) {
  const std::string text = print_config(Recipe{});
  EXPECT_EQ(text,
            "title = \"\"  # what this is\n"
            "\n[run]\n"
            "folder = \"runs/a\"  # folder of the run\n"
            "seed = 0  # seed of every draw\n"
            "step_size = 1e-04  # learning rate\n"
            "verbose = false\n"
            "names = [\"x\"]  # names\n"
            "sizes = [1, 2]  # sizes\n"
            "weights = []  # weights\n"
            "\n[run.inner]\n"
            "rate = 0.5  # share of steps\n"
            "count = 4  # copies\n"
            "mode = \"plain\"  # kind (plain, fancy)\n");
}

TEST_F(Config, PrintedTextReadsBackEqual) {
  Recipe recipe;
  recipe.title = "quote \" back \\ tab \t line \n bell \a delete \x7f umlaut ä # hash";
  recipe.run.seed = std::numeric_limits<int64_t>::min();
  recipe.run.step_size = 0.1 + 0.2;
  recipe.run.names = {"", "a, b", "[c]"};
  recipe.run.weights = {1e300, 5e-324, -0.0, 3, 1e22, 123456789012345680.0, 1.0 / 3};
  const Recipe again = load(print_config(recipe));
  EXPECT_EQ(again.title, recipe.title);
  EXPECT_EQ(again.run.seed, recipe.run.seed);
  EXPECT_EQ(again.run.step_size, recipe.run.step_size);
  EXPECT_EQ(again.run.names, recipe.run.names);
  EXPECT_EQ(again.run.weights, recipe.run.weights);
  EXPECT_TRUE(std::signbit(again.run.weights[2]));
  EXPECT_EQ(print_config(again), print_config(recipe));
}

struct Marked {
  int64_t steps = 1;
  double rate = 0.5;
  std::vector<std::string> files = {"a", "b"};
};
inline void visit(ConfigFields& fields, Marked& marked) {
  fields.range("steps", marked.steps, 0, 9, "how many", Change::schedule);
  fields.range("rate", marked.rate, 0, 1, "how fast", Change::recorded);
  fields("files", marked.files, "", Change::files);
}

TEST_F(Config, AKeySaysInItsOwnLineWhetherItMayChange) {
  EXPECT_EQ(print_config(Marked{}),
            "steps = 1  # how many [free with a constant rate, else recorded]\n"
            "rate = 0.5  # how fast [recorded]\n"
            "files = [\"a\", \"b\"]  # [recorded by content]\n");
  const std::vector<ConfigKey> keys = config_keys(Marked{});
  EXPECT_EQ(keys[1].name, "rate");
  EXPECT_EQ(keys[1].value, "0.5");
  EXPECT_EQ(keys[1].change, Change::recorded);
  EXPECT_EQ(keys[2].words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config_keys(Recipe{})[1].name, "run.seed");
  EXPECT_EQ(config_keys(Recipe{})[0].change, Change::refused);
}

TEST_F(Config, ATextOfAnotherVersionIsReadAsFarAsItGoes) {
  Marked marked;
  ConfigReader reader(ConfigText{"rate = 7.5\ngone = 1\n[old]\nkey = 2\n", "stored"});
  reader.trust_values();
  visit(reader, marked);
  EXPECT_EQ(marked.rate, 7.5);
  EXPECT_EQ(marked.steps, 1);
  EXPECT_EQ(reader.unread(), (std::vector<std::string>{"gone", "old.key"}));
  expect_error([] { ConfigReader(ConfigText{"rate = = 1", "stored"}); }, ExitCode::config, {"stored:1", "valid TOML"});
}

}  // namespace
}  // namespace diptych
