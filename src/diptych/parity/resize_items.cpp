// 11 and 12: image sizes, resized pixels, colour conversion.

#include <png.h>

#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

using Json = nlohmann::json;
using Size = std::pair<int, int>;

constexpr std::string_view kImageCount = "_img_num";
constexpr std::string_view kAfterAutoencoder = "_vit_after_vae";
constexpr std::string_view kEdit = "edit_";

ResizeRule named_rule(const Json& settings, const std::string& name) {
  const std::vector<int64_t> numbers = settings.at(name).get<std::vector<int64_t>>();
  return {.max_long = numbers.at(0), .min_short = numbers.at(1), .stride = numbers.at(2), .max_pixels = numbers.at(3)};
}

// The size that a column of the file asks for: the name of a setting, NAME_img_numN, or edit_X_vit_after_vae.
Size column_size(const Json& settings, const std::string& column, int width, int height) {
  if (settings.contains(column)) return resized_size(width, height, named_rule(settings, column));
  const size_t count = column.find(kImageCount);
  if (count != std::string::npos)
    return resized_size(width, height, named_rule(settings, column.substr(0, count)),
                        std::stoi(column.substr(count + kImageCount.size())));
  TORCH_CHECK(column.starts_with(kEdit) && column.ends_with(kAfterAutoencoder), "11_resize_rules.json: column ", column,
              " is no setting");
  const std::string use = column.substr(kEdit.size(), column.size() - kEdit.size() - kAfterAutoencoder.size());
  const auto [vae_width, vae_height] = resized_size(width, height, named_rule(settings, use + "_vae"));
  return resized_size(vae_width, vae_height, named_rule(settings, use + "_vit"));
}

// The image as a user's PNG file would bring it: [H, W] grey or [H, W, 4] with transparency.
Image through_png(const Tensor& pixels, uint32_t format) {
  const Tensor bytes = pixels.contiguous();
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<uint32_t>(bytes.size(0));
  header.width = static_cast<uint32_t>(bytes.size(1));
  header.format = format;
  png_alloc_size_t size = 0;
  TORCH_CHECK(png_image_write_to_memory(&header, nullptr, &size, 0, bytes.const_data_ptr(), 0, nullptr) != 0,
              header.message);
  std::vector<uint8_t> file(size);
  TORCH_CHECK(png_image_write_to_memory(&header, file.data(), &size, 0, bytes.const_data_ptr(), 0, nullptr) != 0,
              header.message);
  return decode_image(std::span(file.data(), size), "12_resize_pixels");
}

}  // namespace

ItemResult resize_rule_item(const ParityCase& parity) {
  const Json fixture = Json::parse(read_file(parity.folder / "11_resize_rules.json"));
  Comparison comparison(parity.item);
  const Json& rows = fixture.at("rows");
  for (size_t i = 0; i < rows.size(); ++i) {
    const int width = rows[i].at("w"), height = rows[i].at("h");
    for (const auto& [column, expected] : rows[i].items()) {
      if (column == "w" || column == "h") continue;
      const Size size = column_size(fixture.at("settings"), column, width, height);
      comparison.exact(size == expected.get<Size>(), cat(width, " x ", height, ", ", column, ": ", size.first, " x ",
                                                         size.second, ", expected ", expected.dump()));
    }
  }
  return comparison.result();
}

ItemResult resize_pixel_item(const ParityCase& parity) {
  const Fixture fixture(parity.folder / "12_resize_pixels.safetensors");
  Comparison comparison(parity.item, fixture);
  for (const std::string& name : fixture.names("", ".in.settings")) {
    const std::vector<int64_t> settings = fixture.integers(name + ".in.settings");
    const Image image = resized(stored_image(fixture.at(name + ".in.uint8")),
                                {.max_long = settings.at(0), .min_short = settings.at(1), .stride = settings.at(2)});
    comparison.equal(name + ".out.uint8", image);
    if (fixture.has(name + ".out.normalized"))
      comparison.close(name + ".out.normalized", image_to_tensor(image), {.absolute = 1e-6});
  }
  if (fixture.has("rgba.in")) comparison.equal("rgba.out", through_png(fixture.at("rgba.in"), PNG_FORMAT_RGBA));
  if (fixture.has("gray.in")) comparison.equal("gray.out", through_png(fixture.at("gray.in"), PNG_FORMAT_GRAY));
  return comparison.result();
}

}  // namespace diptych
