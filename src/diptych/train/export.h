#pragma once
// A trained policy as files for other programs: a model folder, and an adapter folder in PEFT's form.

#include "diptych/model/adapters.h"
#include "diptych/model/folder.h"

namespace diptych {

/** Writes FOLDER/model, the base folder with the policy's weights (adapters merged; bfloat16 if the model computes in
 * it, else float32), and, if `adapters.rank` is above 0, FOLDER/adapter. Then reads both back, one tensor at a time:
 * the folder's weights, and the base's with the adapter, must be the live policy's bits. Throws Error(mismatch) that
 * names the tensors which are not, Error(io). `base`: the model folder that the policy started from. */
void export_policy(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& adapters,
                   const std::filesystem::path& base);

/** The same of the newest whole checkpoint of a run folder, as `diptych export` does; writes to `out`. Returns the
 *  checkpoint's step. Throws Error(model) where the run has no checkpoint, Error(config) for a run that is no "rl". */
int64_t export_run(const std::filesystem::path& run_folder, const std::filesystem::path& out);

}  // namespace diptych
