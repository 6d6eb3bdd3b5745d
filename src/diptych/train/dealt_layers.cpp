#include "diptych/train/dealt_layers.h"

#include <algorithm>

#include "diptych/tensor/flat.h"
#include "diptych/train/optimizer.h"
#include "diptych/train/trainable.h"

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

/** Numbers in the longest of the lists. */
int64_t longest_of(const std::vector<std::vector<Tensor>>& lists) {
  int64_t longest = 0;
  for (const std::vector<Tensor>& tensors : lists) {
    int64_t count = 0;
    for (const Tensor& tensor : tensors) count += tensor.numel();
    longest = std::max(longest, count);
  }
  return longest;
}

void copy_all(const std::vector<Tensor>& to, const std::vector<Tensor>& from) {
  for (size_t i = 0; i < to.size(); ++i) to[i].detach().copy_(from[i]);
}

}  // namespace

DealtLayers::DealtLayers(MotDecoder& decoder, const std::map<std::string, int>& trained_owners, ProcessGroup& ranks)
    : decoder_(decoder),
      ranks_(ranks),
      compute_options_(decoder.layers.front().und.query.weight.options().requires_grad(false)),
      layers_(decoder.layers.size()) {
  std::vector<ParameterSlot> slots;
  collect(slots, decoder);
  std::erase_if(slots, [](const ParameterSlot& slot) { return !decoder_layer_of(slot.name); });
  std::vector<NamedTensor> frozen;
  for (const ParameterSlot& slot : slots)
    if (!trained_owners.contains(slot.name)) frozen.push_back({slot.name, *slot.tensor});
  std::map<std::string, int> owners = trained_owners;
  const std::vector<int> frozen_owners = owners_of(frozen, ranks.world());
  for (size_t i = 0; i < frozen.size(); ++i) owners[frozen[i].name] = frozen_owners[i];

  const auto world = static_cast<size_t>(ranks.world());
  for (Layer& layer : layers_) layer = {Shares(world), Shares(world), std::vector<std::vector<size_t>>(world)};
  for (const ParameterSlot& slot : slots) {
    TORCH_CHECK(slot.tensor->storage().nbytes() == slot.tensor->nbytes(),
                "dealt weights must have memory of their own");
    Layer& layer = layers_[*decoder_layer_of(slot.name)];
    const auto owner = static_cast<size_t>(owners.at(slot.name));
    layer.weights[owner].push_back(*slot.tensor);
    if (!slot.tensor->requires_grad()) continue;
    layer.trained[owner].push_back(*slot.tensor);
    layer.places[owner].push_back(layer.trained_count++);
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
  const Shares& weights = layers_[layer].weights;
  const Tensor own = at::zeros({longest_of(weights)}, compute_options_);
  const auto self = static_cast<size_t>(ranks_.rank());
  copy_all(views_of_flat(own, weights[self]), weights[self]);
  const std::vector<Tensor> rows = ranks_.all_gather(own, "weights of a layer");
  for (size_t rank = 0; rank < weights.size(); ++rank) {
    if (rank == self) continue;
    for (const Tensor& weight : weights[rank]) allocate_memory(weight);
    copy_all(weights[rank], views_of_flat(rows[rank], weights[rank]));
  }
}

void DealtLayers::leave(size_t layer) {
  if (!dealt_) return;
  const Shares& weights = layers_[layer].weights;
  for (size_t rank = 0; rank < weights.size(); ++rank)
    if (static_cast<int>(rank) != ranks_.rank())
      for (const Tensor& weight : weights[rank]) free_memory(weight);
}

void DealtLayers::take(size_t layer, const std::vector<Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  const Layer& dealt = layers_[layer];
  if (dealt.trained_count == 0) return;
  const at::ScalarType type = compute_options_.dtype() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor rows = at::zeros({ranks_.world(), longest_of(dealt.trained)}, compute_options_.dtype(type));
  for (size_t rank = 0; rank < dealt.trained.size(); ++rank) {
    const std::vector<Tensor> own = views_of_flat(rows[static_cast<int64_t>(rank)], dealt.trained[rank]);
    for (size_t i = 0; i < own.size(); ++i)
      if (const Tensor& gradient = gradients[dealt.places[rank][i]]; gradient.defined()) own[i].copy_(gradient);
  }
  const Tensor sum = ranks_.reduce_scatter_sum(rows, "gradients of a layer")[0];
  const std::vector<Tensor>& owned = dealt.trained[static_cast<size_t>(ranks_.rank())];
  const std::vector<Tensor> parts = views_of_flat(sum, owned);
  for (size_t i = 0; i < owned.size(); ++i) {
    Tensor& gradient = owned[i].mutable_grad();
    if (gradient.defined())
      gradient.add_(parts[i]);
    else
      gradient = parts[i].clone();
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
  while (first < layers_.size() && layers_[first].trained_count == 0) ++first;
  for (size_t layer = layers_.size(); layer > first; --layer) {
    enter(layer - 1);
    take(layer - 1, std::vector<Tensor>(layers_[layer - 1].trained_count));
    leave(layer - 1);
  }
}

}  // namespace diptych
