#pragma once
// The decoder's weights dealt over the ranks while updates are under way (ZeRO-3): each rank has its share and the
// layer that is being computed. For sampling all ranks have all of them.

#include "diptych/distributed/process_group.h"
#include "diptych/model/bagel/mot.h"

namespace diptych {

/** Whole tensors at a time, each with the rank that owns it. Every rank must make the same calls
 *  and run the same number of forward and backward passes between them. */
class DealtLayers {
 public:
  /** `decoder` recomputes its layers, has no adapters, and must stay where it is, as must `ranks`. `trained_owners`:
   *  those of the optimizer, by name. What does not train is dealt by itself, as evenly as whole tensors allow. */
  DealtLayers(MotDecoder& decoder, const std::map<std::string, int>& trained_owners, ProcessGroup& ranks);
  ~DealtLayers();
  DealtLayers(const DealtLayers&) = delete;
  DealtLayers& operator=(const DealtLayers&) = delete;

  /** Brings all weights to all ranks, where they stay until deal(). */
  void gather();

  /** Leaves to each rank the weights that it owns. From here the decoder's training passes bring in and let go of one
   *  layer after the other, and add up their gradients over the ranks in the float32 grad() of their owners. */
  void deal();

  /** What a rank without a pack does while others run one forward and backward pass. */
  void idle_pass();

 private:
  /** Tensors, each with the rank that owns it. */
  struct Owned {
    std::vector<Tensor> tensors;
    std::vector<int> owners;
  };
  struct Layer {
    Owned weights;
    Owned trained;  // those of them that train, in the order in which gradients come
  };

  void enter(size_t layer);
  void leave(size_t layer);
  void take(size_t layer, const std::vector<Tensor>& gradients);

  MotDecoder& decoder_;
  ProcessGroup& ranks_;
  std::vector<Layer> layers_;
  bool dealt_ = false;
};

}  // namespace diptych
