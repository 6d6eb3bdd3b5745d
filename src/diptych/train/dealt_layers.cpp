#include "diptych/train/dealt_layers.h"

#include <algorithm>

#include "diptych/tensor/flat.h"
#include "diptych/train/optimizer.h"

namespace diptych {

namespace {

// The tensors keep their shapes; only what they lie in goes and comes.
void free_memory(const Tensor& tensor) {
  const c10::Storage& storage = tensor.storage();
  storage.set_data_ptr_noswap(c10::DataPtr(nullptr, tensor.device()));
  storage.set_nbytes(0);
}

void allocate_memory(const Tensor& tensor) {
  const c10::Storage& storage = tensor.storage();
  storage.set_data_ptr_noswap(c10::GetAllocator(tensor.device().type())->allocate(tensor.numel() * tensor.itemsize()));
  storage.set_nbytes(tensor.numel() * tensor.itemsize());
}

int64_t count_of(const std::vector<Tensor>& tensors) {
  int64_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.numel();
  return count;
}

/** The tensors side by side in the first places of `row`. */
void write_row(const Tensor& row, const std::vector<Tensor>& tensors) {
  const std::vector<Tensor> places = views_of_flat(row, tensors);
  for (size_t i = 0; i < tensors.size(); ++i) places[i].copy_(tensors[i]);
}

}  // namespace

DealtLayers::DealtLayers(MotDecoder& decoder, const std::map<std::string, int>& trained_owners, ProcessGroup& ranks)
    : decoder_(decoder), ranks_(ranks), layers_(decoder.layers.size()) {
  std::vector<ParameterSlot> slots;
  collect(slots, decoder);
  std::vector<NamedTensor> frozen;
  for (const ParameterSlot& slot : slots)
    if (!trained_owners.contains(slot.name)) frozen.push_back({slot.name, *slot.tensor});
  std::map<const void*, int> owners;  // by the tensor itself
  const std::vector<int> frozen_owners = owners_of(frozen, ranks.world());
  for (size_t i = 0; i < frozen.size(); ++i) owners[frozen[i].tensor.unsafeGetTensorImpl()] = frozen_owners[i];
  for (const ParameterSlot& slot : slots)
    if (trained_owners.contains(slot.name)) owners[slot.tensor->unsafeGetTensorImpl()] = trained_owners.at(slot.name);
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    layer.of_rank.resize(static_cast<size_t>(ranks.world()));
    MotDecoder one;  // for its names alone
    one.layers = {decoder.layers[i]};
    std::vector<ParameterSlot> own;
    collect(own, one);
    for (const ParameterSlot& slot : own) {
      const auto found = owners.find(slot.tensor->defined() ? slot.tensor->unsafeGetTensorImpl() : nullptr);
      if (found == owners.end()) continue;  // the last norms of `one`, which has none
      TORCH_CHECK(slot.tensor->storage().nbytes() == slot.tensor->nbytes(),
                  "dealt weights must have memory of their own");
      layer.of_rank[static_cast<size_t>(found->second)].push_back(*slot.tensor);
    }
    layer.trained = trained_weights(decoder.layers[i]);
    for (const Tensor& weight : layer.trained) layer.trained_owners.push_back(owners.at(weight.unsafeGetTensorImpl()));
  }
  auto keeper = std::make_shared<LayerKeeper>();
  keeper->enter = [this](size_t layer) { enter(layer); };
  keeper->leave = [this](size_t layer) { leave(layer); };
  keeper->take = [this](size_t layer, const std::vector<Tensor>& gradients) { take(layer, gradients); };
  decoder.keeper = std::move(keeper);
}

DealtLayers::~DealtLayers() {
  decoder_.keeper = nullptr;
}

void DealtLayers::enter(size_t layer) {
  if (!dealt_) return;
  const at::NoGradGuard no_grad;
  const std::vector<std::vector<Tensor>>& of_rank = layers_[layer].of_rank;
  int64_t longest = 0;
  at::TensorOptions options;
  for (const std::vector<Tensor>& owned : of_rank) {
    longest = std::max(longest, count_of(owned));
    if (!owned.empty()) options = owned.front().options();
  }
  const auto self = static_cast<size_t>(ranks_.rank());
  const Tensor own = at::zeros({longest}, options.requires_grad(false));
  write_row(own, of_rank[self]);
  const std::vector<Tensor> rows = ranks_.all_gather(own, "weights of a layer");
  for (size_t rank = 0; rank < of_rank.size(); ++rank) {
    if (rank == self) continue;
    const std::vector<Tensor> arrived = views_of_flat(rows[rank], of_rank[rank]);
    for (size_t i = 0; i < arrived.size(); ++i) {
      allocate_memory(of_rank[rank][i]);
      of_rank[rank][i].detach().copy_(arrived[i]);
    }
  }
}

void DealtLayers::leave(size_t layer) {
  if (!dealt_) return;
  const std::vector<std::vector<Tensor>>& of_rank = layers_[layer].of_rank;
  for (size_t rank = 0; rank < of_rank.size(); ++rank)
    if (static_cast<int>(rank) != ranks_.rank())
      for (const Tensor& weight : of_rank[rank]) free_memory(weight);
}

void DealtLayers::take(size_t layer, const std::vector<Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  const Layer& dealt = layers_[layer];
  if (dealt.trained.empty()) return;
  std::vector<std::vector<size_t>> of_rank(static_cast<size_t>(ranks_.world()));
  std::vector<int64_t> lengths(of_rank.size());
  for (size_t i = 0; i < dealt.trained.size(); ++i) {
    const auto owner = static_cast<size_t>(dealt.trained_owners[i]);
    of_rank[owner].push_back(i);
    lengths[owner] += dealt.trained[i].numel();
  }
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const at::ScalarType type = dealt.trained.front().scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor rows = at::zeros({static_cast<int64_t>(of_rank.size()), longest},
                                dealt.trained.front().options().dtype(type).requires_grad(false));
  for (size_t rank = 0; rank < of_rank.size(); ++rank) {
    int64_t begin = 0;
    for (const size_t i : of_rank[rank]) {
      const int64_t count = dealt.trained[i].numel();
      if (gradients[i].defined())
        rows[static_cast<int64_t>(rank)].narrow(0, begin, count).copy_(gradients[i].reshape(-1));
      begin += count;
    }
  }
  const Tensor sum = ranks_.reduce_scatter_sum(rows, "gradients of a layer")[0];
  int64_t begin = 0;
  for (const size_t i : of_rank[static_cast<size_t>(ranks_.rank())]) {
    Tensor weight = dealt.trained[i];
    const Tensor part = sum.narrow(0, begin, weight.numel()).view(weight.sizes());
    begin += weight.numel();
    if (weight.grad().defined())
      weight.mutable_grad().add_(part);
    else
      weight.mutable_grad() = part.clone();
  }
}

void DealtLayers::gather() {
  if (!dealt_) return;
  for (size_t layer = 0; layer < layers_.size(); ++layer) enter(layer);
  dealt_ = false;
}

void DealtLayers::deal() {
  if (dealt_) return;
  dealt_ = true;
  for (size_t layer = 0; layer < layers_.size(); ++layer) leave(layer);
}

void DealtLayers::idle_pass() {
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    enter(layer);
    leave(layer);
  }
  // A backward pass goes back to the first layer that trains.
  size_t first = 0;
  while (first < layers_.size() && layers_[first].trained.empty()) ++first;
  for (size_t layer = layers_.size(); layer > first; --layer) {
    enter(layer - 1);
    take(layer - 1, std::vector<Tensor>(layers_[layer - 1].trained.size()));
    leave(layer - 1);
  }
}

}  // namespace diptych
