// What exec takes of arguments or variables.
#pragma once

#include <string>
#include <vector>

namespace quantd {

// Pointers to the strings, which stay where they are, ended by a null.
inline std::vector<char*> ExecPointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace quantd
