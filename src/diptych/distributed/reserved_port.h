#pragma once

namespace diptych {

/** A free TCP port of this machine. While the object lives, no other program is given it by the system, and one that
 *  asks for it by number, as c10d's store does, may bind it. */
class ReservedPort {
 public:
  /** Throws Error(io) if there is none. */
  ReservedPort();
  ~ReservedPort();
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;

  int number() const { return number_; }

 private:
  int descriptor_;
  int number_;
};

}  // namespace diptych
