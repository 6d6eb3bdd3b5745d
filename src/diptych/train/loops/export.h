#pragma once
// A trained policy as files for other programs: a model folder, and an adapter folder in PEFT's form.

#include "diptych/model/bagel/adapters.h"
#include "diptych/model/folder/folder.h"

namespace diptych {

/** Writes FOLDER/model, the base folder with the policy's weights (adapters merged; bfloat16 if the model computes in
 *  it, else float32), and, if `adapters.rank` is above 0, FOLDER/adapter; then check_export(). `base`: the model folder
 *  that the policy started from. Throws Error(io), Error(model) if `base` is gone, and what check_export() throws. */
void export_policy(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& adapters,
                   const std::filesystem::path& base);

/** Reads back what export_policy wrote, one tensor at a time: FOLDER/model must hold the live policy's bits and the
 *  autoencoder of `base`; and where linears of the model have adapters, what the files of `base` and of FOLDER/adapter
 *  say must merge to the policy's bits too. Throws Error(mismatch) that names the file and what is wrong with it, and
 *  Error(model) for a file that is no safetensors file. */
void check_export(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& base);

/** Reads back a folder that save_model_folder wrote of this model. Throws as check_export(). */
void check_model_folder(const std::filesystem::path& folder, Bagel& model, bool compact);

/** The same of the newest whole checkpoint of a run folder, as `diptych export` does; writes to `out`. Returns the
 *  checkpoint's step. Throws Error(model) where the run has no checkpoint, Error(config) for a run that is no "rl". */
int64_t export_run(const std::filesystem::path& run_folder, const std::filesystem::path& out);

}  // namespace diptych
