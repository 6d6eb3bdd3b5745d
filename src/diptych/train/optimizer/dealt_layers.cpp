#include "diptych/train/optimizer/dealt_layers.h"

#include "diptych/train/optimizer/optimizer.h"
#include "diptych/train/optimizer/trainable.h"

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

}  // namespace

DealtLayers::DealtLayers(MotDecoder& decoder, const std::map<std::string, int>& trained_owners, ProcessGroup& ranks)
    : decoder_(decoder), ranks_(ranks), layers_(decoder.layers.size()) {
  std::vector<ParameterSlot> slots;
  collect(slots, decoder);
  std::erase_if(slots, [](const ParameterSlot& slot) { return !decoder_layer_of(slot.name); });
  std::vector<NamedTensor> frozen;
  for (const ParameterSlot& slot : slots)
    if (!trained_owners.contains(slot.name)) frozen.push_back({slot.name, *slot.tensor});
  std::map<std::string, int> owners = trained_owners;
  const std::vector<int> frozen_owners = owners_of(frozen, ranks.world());
  for (size_t i = 0; i < frozen.size(); ++i) owners[frozen[i].name] = frozen_owners[i];

  for (const ParameterSlot& slot : slots) {
    TORCH_CHECK(slot.tensor->storage().nbytes() == slot.tensor->nbytes(),
                "dealt weights must have memory of their own");
    Layer& layer = layers_[*decoder_layer_of(slot.name)];
    for (Owned* list : {&layer.weights, &layer.trained}) {
      if (list == &layer.trained && !slot.tensor->requires_grad()) continue;
      list->tensors.push_back(*slot.tensor);
      list->owners.push_back(owners.at(slot.name));
    }
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
  const auto& [tensors, owners] = layers_[layer].weights;
  std::vector<Tensor> values;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (owners[i] != ranks_.rank()) allocate_memory(tensors[i]);
    values.push_back(tensors[i].detach());
  }
  ranks_.broadcast(values, owners, "weights of a layer");
}

void DealtLayers::leave(size_t layer) {
  if (!dealt_) return;
  const auto& [tensors, owners] = layers_[layer].weights;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (owners[i] != ranks_.rank()) free_memory(tensors[i]);
}

void DealtLayers::take(size_t layer, const std::vector<Tensor>& gradients) {
  const at::NoGradGuard no_grad;
  const auto& [tensors, owners] = layers_[layer].trained;
  if (tensors.empty()) return;
  std::vector<Tensor> sums;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::ScalarType type = tensors[i].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    sums.push_back(at::zeros(tensors[i].sizes(), tensors[i].options().dtype(type).requires_grad(false)));
    if (gradients[i].defined()) sums.back().copy_(gradients[i]);
  }
  ranks_.reduce_sum(sums, owners, "gradients of a layer");
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (owners[i] != ranks_.rank()) continue;
    Tensor& gradient = tensors[i].mutable_grad();
    if (gradient.defined())
      gradient.add_(sums[i]);
    else
      gradient = sums[i];
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
  while (first < layers_.size() && layers_[first].trained.tensors.empty()) ++first;
  for (size_t layer = layers_.size(); layer > first; --layer) {
    enter(layer - 1);
    take(layer - 1, std::vector<Tensor>(layers_[layer - 1].trained.tensors.size()));
    leave(layer - 1);
  }
}

}  // namespace diptych
