#pragma once
// What the printed tables of several commands share.

#include <cstdint>
#include <string>

namespace diptych {

/** 14607260128 as "14,607,260,128". */
std::string grouped(int64_t number);

/** Prints a fact: its name in 15 columns, and its value. */
void print_fact(const std::string& name, const std::string& value);

}  // namespace diptych
