#pragma once
// Values of a metric over the steps of a run, and what can be said of them.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace diptych {

/** The finite values of one metric; steps rise, both lists have equal length. */
struct Series {
  std::vector<int64_t> steps;
  std::vector<double> values;
  std::vector<int64_t> not_finite;  // steps whose value was NaN or infinite
};

/** Series by the names of docs/metrics.md. */
using Curves = std::map<std::string, Series>;

/** The series, empty where the run has none of that name. */
const Series& series(const Curves& curves, const std::string& name);

/** Arithmetic mean; 0 of no values. */
double mean(std::span<const double> values);

/** Population standard deviation; 0 of no values. */
double deviation(std::span<const double> values);

/** Middle value, the lower of two; 0 of no values. */
double median(std::span<const double> values);

double sum(std::span<const double> values);

/** 0 of no values. */
double largest(std::span<const double> values);

/** The first or last `share` of the values, at least one where there is any. */
std::span<const double> first_part(const Series& series, double share);
std::span<const double> last_part(const Series& series, double share);

/** The values of the middle `share`, for what behaves differently in warm-up and decay. */
std::span<const double> middle_part(const Series& series, double share);

/** How far two samples' means lie apart, in standard errors of their difference (Welch); steps count as independent, as
 *  each draws its own prompts. Infinite where neither varies but the means differ, 0 where they are equal. */
double separation(std::span<const double> before, std::span<const double> after);

/** Width of the running mean of a curve of that many values: about 1/20 of them, odd; 1 below 20 values. */
int64_t smoothing_width(size_t values);

/** Mean of the `width` nearest values, centred; at both ends of those that there are. */
std::vector<double> running_mean(const std::vector<double>& values, int64_t width);

}  // namespace diptych
