// Holds what the build says about itself; nothing here changes between two equal builds.
#include "base/version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const char *sluice_version(void)
{
    return SLUICE_VERSION;
}

const char *sluice_build(void)
{
    return COMPILER ", " SLUICE_BUILD_TYPE;
}
