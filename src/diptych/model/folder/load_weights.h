#pragma once
// Weight files into the slots of a model.

#include "diptych/model/folder/weight_files.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** The configuration with the sides of the position tables that the transformer's weights hold, since some published
 *  folders state others; logs a warning where they do. A table that is not there keeps the stated side. Throws
 *  Error(model) for a number of rows that is no square, and for an image transform whose largest images the tables have
 *  no rows for. */
ModelConfig with_stored_tables(const ModelConfig& stated, const StoredWeights& transformer);

/** Throws one Error(model) that lists every missing, extra, misshapen and unreadable tensor, unless the stored tensors
 *  are those of the slots in name and shape. Buffers that follow from the configuration may stand beside them: a
 * warning names them. No weight is read. */
void require_weights(const StoredWeights& stored, const std::vector<ParameterSlot>& slots);

/** Fills the slots from weights that require_weights has found to fit: tensors of `dtype` on `device`, in memory of
 * their own, one after the other as they lie in the files. Beside the slots, host memory holds one tensor at a time. */
void read_weights(const StoredWeights& stored, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                  at::Device device);

/** Opens a file, then require_weights, then read_weights. */
void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                at::Device device = at::kCPU);

}  // namespace diptych
