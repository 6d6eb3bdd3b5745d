#pragma once
// Where a scorer finds the pictures of a batch.

#include <string>

#include "diptych/io/image/image.h"

namespace diptych {

/** A fresh folder in TMPDIR, gone with the object. It is locked as long, so that what a killed process left can be told
 *  from what is in use, on this machine or another that shares the folder. */
class PictureFolder {
 public:
  /** Throws Error(io). */
  PictureFolder();
  ~PictureFolder();
  PictureFolder(const PictureFolder&) = delete;
  PictureFolder& operator=(const PictureFolder&) = delete;

  /** Writes a PNG file and returns its absolute path. Throws Error(io). */
  std::string write(const std::string& name, const Image& image) const;

 private:
  std::string path_;
  int lock_ = -1;  // -1 where the file system has no locks: then nobody takes the folder for left behind
};

/** Removes the picture folders in TMPDIR that processes of this user left when they were killed. */
void remove_left_pictures();

}  // namespace diptych
