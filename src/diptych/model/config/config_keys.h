#pragma once
// What the configuration files of other libraries say beside sizes: options of which one value is built, keys under
// other names, and keys that say nothing about the arithmetic.

#include "diptych/model/config/config_object.h"

namespace diptych {

/** Throw Error(model) that names file, key and value for an option that would change the arithmetic and is not built,
 *  and for a size or base that is stated under another library's name alone. Values that mean "off" are accepted (null,
 *  false, 0, empty, or the value that is built). Keys that are not known and not off are named in one warning. */
void check_llm_keys(const ConfigObject& llm);
void check_vit_keys(const ConfigObject& vit);
void check_vae_keys(const ConfigObject& vae);
void check_top_keys(const ConfigObject& top);

/** The base of the rotary positions, from `rope_theta` itself or in `rope_parameters` or `rope_scaling`, where newer
 *  libraries keep it. Throws Error(model) if it is absent or out of range, if two places differ, and for any kind of
 *  rotary positions but the plain one. */
double read_rope_theta(const ConfigObject& llm);

/** Throws Error(model) if a layer of `layers` would attend to a window only (use_sliding_window, layer_types). */
void check_attention_span(const ConfigObject& llm, int64_t layers);

}  // namespace diptych
