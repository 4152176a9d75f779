// Which Sluice this is.
#ifndef SLUICE_BASE_VERSION_H
#define SLUICE_BASE_VERSION_H

// "0.1.0", from the build's project version. Static text; any thread.
const char *sluice_version(void);
// The compiler and what it was asked for: "gcc 12.2.0, RelWithDebInfo".
const char *sluice_build(void);

#endif
