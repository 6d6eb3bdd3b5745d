#pragma once
// Gradients of several ranks, added up in buckets while the backward pass is still under way.

#include "diptych/distributed/process_group.h"

namespace diptych {

/** Replaces the gradients of parameters by their sums over the ranks. A bucket is sent when the gradients of all its
 *  parameters are there, so the parameters lie in it in the reverse of their order, in which a backward pass reaches
 *  them; buckets go out in the same order on every rank. With one rank nothing happens. */
class GradientBuckets {
 public:
  /** Parameters are leaves that stay; `ranks` must outlive the object. Buckets hold up to `bucket_bytes`. */
  GradientBuckets(std::vector<Tensor> parameters, ProcessGroup& ranks, int64_t bucket_bytes = int64_t{64} << 20);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  /** To be called before the last backward pass, a plain loss.backward(): buckets start while it runs. */
  void watch();

  /** Starts all buckets that have not. A parameter without a gradient counts as zero. From here to finish() parameters
   *  have no gradients. */
  void start();

  /** Waits for all buckets and puts the sums into grad(). */
  void finish();

 private:
  struct Bucket {
    std::vector<Tensor> parameters;
    size_t open = 0;  // parameters whose gradient is to come
    Tensor sum;       // flat
    StartedCollective started;
  };

  void arrived(size_t bucket);
  void start_next();

  ProcessGroup& ranks_;
  std::vector<Bucket> buckets_;
  size_t started_ = 0;  // buckets
};

}  // namespace diptych
