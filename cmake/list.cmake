# diptych_list(FOLDER KIND HEADER TYPE LIST): what can be added to the program by adding a file. Each file NAME_KIND.cpp of
# src/diptych/FOLDER defines a function of its own name that returns a std::vector<TYPE>. From the names of the files a
# source is made that defines `const std::vector<TYPE>& LIST()`, which HEADER declares: the entries of all of them, sorted
# by TYPE::order, and equal ones by the names of their files. It becomes a part of FOLDER's library.
function(diptych_list folder kind header type list)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/diptych/${folder}/*_${kind}.cpp)
  set(declarations "")
  set(additions "")
  foreach(file ${files})
    get_filename_component(entry ${file} NAME_WE)
    string(APPEND declarations "std::vector<${type}> ${entry}();\n")
    string(APPEND additions "    for (${type}& one : ${entry}()) all.push_back(std::move(one));\n")
  endforeach()
  string(REPLACE / _ name ${folder})
  set(generated ${PROJECT_BINARY_DIR}/lists/${name}_${list}.cpp)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/list.cpp.in ${generated} @ONLY)
  target_sources(diptych_${name} PRIVATE ${generated})
endfunction()
