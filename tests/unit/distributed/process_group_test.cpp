#include "diptych/distributed/process_group.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/torch.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

constexpr int kWorlds[] = {1, 2, 4};

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

/** Runs `work` in `world` processes, expects all of them to succeed, and returns what they returned. */
std::vector<std::string> run_ranks(int world, const std::function<std::string(ProcessGroup&)>& work) {
  ForkedRanks ranks(world, [&](const ProcessPlace& place) {
    ProcessGroup group(place, std::chrono::seconds(60));
    return work(group);
  });
  std::vector<std::string> outputs;
  for (int rank = 0; rank < world; ++rank) {
    const RankEnd end = ranks.end_of(rank);
    EXPECT_EQ(end.status, 0) << "rank " << rank << ": " << end.output;
    outputs.push_back(end.output);
  }
  return outputs;
}

/** Numbers whose sums depend on the order of addition. */
Tensor uneven(int rank, int64_t count) {
  return (at::arange(count, at::kDouble) + 1).mul(0.7 + rank).sin().to(at::kFloat);
}

std::string bytes(const Tensor& tensor) {
  const Tensor whole = tensor.contiguous();
  return {static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()};
}

void expect_all_the_same(const std::vector<std::string>& outputs) {
  for (const std::string& output : outputs) EXPECT_TRUE(output == outputs[0]);
}

TEST(ProcessGroup, SumsOfEveryType) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble, at::kLong, at::kInt, at::kByte}) {
        const Tensor tensor = at::full({3, 5}, group.rank() + 1, type);
        group.all_reduce_sum(tensor, "sum");
        const int total = group.world() * (group.world() + 1) / 2;
        require(tensor.eq(total).all().item<bool>(), cat("sum of ", type));
      }
      return "";
    });
}

TEST(ProcessGroup, SumsHaveTheSameBitsOnAllRanks) {
  for (int world : {2, 4})
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
      expect_all_the_same(run_ranks(world, [&](ProcessGroup& group) {
        const Tensor tensor = uneven(group.rank(), 100'003).to(type);
        group.all_reduce_sum(tensor, "sum");
        return bytes(tensor);
      }));
}

TEST(ProcessGroup, EachElementIsOneChainThroughTheRanks) {
  run_ranks(4, [](ProcessGroup& group) {
    const Tensor tensor = uneven(group.rank(), 10'007);
    group.all_reduce_sum(tensor, "sum");
    Tensor explained = at::zeros({10'007}, at::kBool);
    for (int start = 0; start < 4; ++start)
      for (int direction : {1, 3}) {
        Tensor chain = uneven(start, 10'007);
        for (int step = 1; step < 4; ++step) chain = chain + uneven((start + step * direction) % 4, 10'007);
        explained = explained | chain.eq(tensor);
      }
    require(explained.all().item<bool>(), "another order of addition");
    return "";
  });
}

TEST(ProcessGroup, ManyTensorsAtOnce) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      // The second does not fit into a bucket with the others.
      const std::vector<Tensor> tensors = {at::full({7}, group.rank()), at::full({17 << 20}, group.rank(), at::kFloat),
                                           at::full({}, group.rank()), at::full({2, 0}, 1), at::full({2, 3}, 1)};
      std::vector<Tensor> floats;
      for (const Tensor& tensor : tensors) floats.push_back(tensor.to(at::kFloat));
      group.all_reduce_sum(floats, "sum");
      const int total = group.world() * (group.world() - 1) / 2;
      for (int i : {0, 1, 2}) require(floats[i].eq(total).all().item<bool>(), cat("tensor ", i));
      require(floats[4].eq(group.world()).all().item<bool>() && floats[4].dim() == 2, "tensor 4");
      group.all_reduce_sum(std::vector<Tensor>{}, "nothing");
      return "";
    });
}

TEST(ProcessGroup, LargestValues) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      const Tensor tensor = at::full({4}, -group.rank(), at::kLong);
      tensor[group.rank() % 4] = 10 + group.rank();
      group.all_reduce_max(tensor, "largest");
      for (int i = 0; i < 4; ++i)
        require(tensor[i].item<int64_t>() == (i < group.world() ? 10 + i : 0), cat("element ", i));
      return "";
    });
}

TEST(ProcessGroup, BroadcastFromEveryRank) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      for (int root = 0; root < group.world(); ++root) {
        const Tensor tensor = uneven(group.rank(), 1000).to(at::kBFloat16);
        group.broadcast({tensor}, {root}, "weights");
        require(tensor.equal(uneven(root, 1000).to(at::kBFloat16)), cat("from rank ", root));
      }
      return "";
    });
}

TEST(ProcessGroup, BroadcastOfManyEachFromItsRoot) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      std::vector<Tensor> tensors;
      std::vector<int> roots;
      for (int i = 0; i < 7; ++i) {
        tensors.push_back(uneven(group.rank(), 100 * i + 1));
        roots.push_back((3 * i) % group.world());
      }
      group.broadcast(tensors, roots, "weights");
      for (int i = 0; i < 7; ++i) require(tensors[i].equal(uneven(roots[i], 100 * i + 1)), cat("tensor ", i));
      group.broadcast({}, {}, "nothing");
      return "";
    });
}

TEST(ProcessGroup, SumsArriveAtTheirRoots) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      std::vector<Tensor> tensors;
      std::vector<int> roots;
      for (int i = 0; i < 5; ++i) {
        tensors.push_back(at::full({i + 1, 300}, group.rank() + i, at::kFloat));
        roots.push_back((2 * i + 1) % group.world());
      }
      group.reduce_sum(tensors, roots, "gradients");
      const int of_ranks = group.world() * (group.world() - 1) / 2;
      for (int i = 0; i < 5; ++i)
        if (roots[i] == group.rank())
          require(tensors[i].eq(of_ranks + i * group.world()).all().item<bool>(), cat("sum ", i));
      return "";
    });
}

TEST(ProcessGroup, SumsAtARootAreTheSameBitsEachTime) {
  run_ranks(3, [](ProcessGroup& group) {
    const auto summed = [&] {
      const Tensor tensor = uneven(group.rank(), 5000);
      group.reduce_sum({tensor}, {1}, "gradients");
      return tensor;
    };
    const Tensor first = summed(), second = summed();
    if (group.rank() == 1) require(first.equal(second), "the second time");
    return "";
  });
}

TEST(ProcessGroup, ListsOfOtherShapesAreNoticed) {
  const std::vector<std::string> outputs = run_ranks(2, [](ProcessGroup& group) -> std::string {
    try {
      group.broadcast({at::zeros({2, 3 + group.rank()}), at::zeros({4})}, {0, 1}, "weights");
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  });
  for (const std::string& output : outputs) EXPECT_NE(output.find("ranks diverged"), std::string::npos) << output;
}

TEST(ProcessGroup, StringsOfAnyLength) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      const auto text = [](int rank) { return std::string(static_cast<size_t>(rank) * 70'001, '\0') + cat("r", rank); };
      const std::vector<std::string> all = group.gather_strings(text(group.rank()), "rows");
      require(static_cast<int>(all.size()) == group.world(), "count");
      for (int rank = 0; rank < group.world(); ++rank) require(all[rank] == text(rank), cat("of rank ", rank));
      for (const std::string& empty : group.gather_strings("", "nothing")) require(empty.empty(), "empty");
      return "";
    });
}

TEST(ProcessGroup, StartedCollectivesRunInTheOrderOfTheirCalls) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      std::vector<Tensor> tensors;
      std::vector<StartedCollective> started;
      for (int i = 0; i < 10; ++i) {
        tensors.push_back(at::full({1000}, i));
        tensors.back() = tensors.back().to(at::kFloat);
        started.push_back(group.start_all_reduce_sum(tensors.back(), cat("bucket ", i)));
      }
      group.barrier("between");
      for (int i = 0; i < 10; ++i) {
        group.wait(started[i]);
        require(tensors[i].eq(i * group.world()).all().item<bool>(), cat("bucket ", i));
      }
      return "";
    });
}

TEST(ProcessGroup, TheCpuNeedsNoConnection) {
  run_ranks(2, [](ProcessGroup& group) {
    if (group.rank() == 0) group.connect(at::kCPU);
    group.barrier("end");
    return "";
  });
}

TEST(ProcessGroup, EqualChecksumsAreAccepted) {
  for (int world : kWorlds)
    run_ranks(world, [](ProcessGroup& group) {
      group.check_same("weights", 77);
      return "";
    });
}

}  // namespace
}  // namespace diptych
