// Golden numbers of sampled runs belong to one set of kernels: a rounding decides which token is drawn. So the program
// starts itself again with the kernels that every x86-64 processor has, whoever starts it, unless the variables are
// set: then the runs are compared with each other under those kernels, and with no golden number.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace {

struct Variable {
  const char* name;
  const char* value;
};

constexpr Variable kPinned[] = {{"ATEN_CPU_CAPABILITY", "default"},  // torch's kernels and our attention loops
                                {"MKL_CBWR", "COMPATIBLE"},          // matrix products
                                {"ONEDNN_MAX_CPU_ISA", "SSE41"},     // convolutions
                                {"GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}};  // exp and log
constexpr const char* kGolden = "DIPTYCH_GOLDEN_KERNELS";

}  // namespace

int main(int argc, char** argv) {
  if (std::getenv("ATEN_CPU_CAPABILITY") == nullptr) {
    for (const Variable& variable : kPinned) setenv(variable.name, variable.value, 1);
    setenv(kGolden, "1", 1);
    execv("/proc/self/exe", argv);
    std::perror("golden: cannot start again");
    return 1;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
