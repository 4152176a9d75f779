# The dialect of C, the warnings, and the instrumentation a preset asks for.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g") # no NDEBUG: assertions guard our own bugs in production too

option(SLUICE_FUZZ "Build the fuzzers with libFuzzer (clang only)" OFF)
option(SLUICE_COVERAGE "Instrument for gcov" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Wstrict-prototypes
                    -Wmissing-prototypes -Wvla -fno-strict-aliasing)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections)
    add_link_options(-Wl,--gc-sections -Wl,-z,relro,-z,now)
endif()
if(SLUICE_SANITIZE)
    add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(SLUICE_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage)
endif()
