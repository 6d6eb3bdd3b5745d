#pragma once
// The comparisons of one item: tensors against keys of a fixture file, summed up in an ItemResult.

#include "diptych/tensor/torch.h"

#include <set>

#include "diptych/io/image/image.h"
#include "diptych/parity/fixture.h"
#include "diptych/parity/item.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** An element may be off by `relative` of the expected tensor's largest magnitude, plus `absolute`. */
struct ParityTolerance {
  double relative = 0;
  double absolute = 0;
};

/** Of float tensors: 1e-4, absolute or of the largest magnitude, whichever is more (fixtures are exact to 1e-5). */
inline constexpr double kFloatTolerance = 1e-4;

class Comparison {
 public:
  /** `fixture` must outlive the object. */
  Comparison(std::string item, const Fixture& fixture);

  /** For files that hold no tensors: only `exact` and `fault` may be called. */
  explicit Comparison(std::string item);

  /** Floats within kFloatTolerance times max(1, largest expected magnitude). */
  void close(const std::string& key, const Tensor& actual);

  /** Floats within a tolerance of their own. */
  void close(const std::string& key, const Tensor& actual, ParityTolerance tolerance);
  void close(const std::string& key, double actual, ParityTolerance tolerance);

  /** A tensor that is not stored as such, under a name for the report. */
  void close_to(const std::string& name, const Tensor& actual, const Tensor& expected, ParityTolerance tolerance);

  /** Integers, booleans and bytes: every one equal. */
  void equal(const std::string& key, const Tensor& actual);
  void equal(const std::string& key, const std::vector<int64_t>& actual);

  /** Pixels [H, W, 3] equal. */
  void equal(const std::string& key, const Image& actual);

  /** 8-bit pixels of decoder output: equal, but for those whose value before truncation (`float_key`, 0 to 255) lies
   * within 1e-2 of an integer, which may be off by one. */
  void truncated_image(const std::string& key, const std::string& float_key, const Image& actual);

  /** ||actual - expected|| <= relative * ||expected||, L2 norms. */
  void norm_close(const std::string& key, const Tensor& actual, double relative);

  /** Gradients of the slots against the tensors `prefix` + slot name: each within 1e-4 in L2 norm, relative to the
   *  larger of its own norm and 1e-4 of the largest one. An undefined gradient is zero. A slot that has a gradient
   *  other than zero but no stored one is a fault, and so is a stored one without slot. */
  void gradients(const std::vector<ParameterSlot>& slots, const std::string& prefix = "");

  /** A fault without a number. */
  void fault(const std::string& text);

  /** Counts a comparison made outside, of texts for example; a mismatch is the fault `name`. */
  void exact(bool same, const std::string& name);

  /** From now on every key of the file is an output, whatever its name. */
  void expect_every_key() { every_key_ = true; }

  /** The sum. A key `out.*` or `*.out.*` of the file that was not compared is a fault. */
  ItemResult result() const;

 private:
  void record(double error, double tolerance, const std::string& where);

  const Fixture* fixture_ = nullptr;
  bool every_key_ = false;
  std::set<std::string> compared_;
  std::vector<std::string> faults_;
  ItemResult result_;
};

}  // namespace diptych
