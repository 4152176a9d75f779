// The error algebra of the agent: what an int that a function returns means.
//
//   r == 0   done; outputs are written
//   r <  0   a failure to pass up: a negated errno value; outputs are untouched
//   r >  0   a named condition of that one call (its header lists them), which the caller must
//   handle
//
// There is no global list of conditions. What the caller passes up keeps its value; a function that
// turns a condition into a failure says so. Assertions are for our own bugs, never for what a peer
// sent.
#ifndef SLUICE_BASE_ERROR_H
#define SLUICE_BASE_ERROR_H

#include <assert.h>
#include <errno.h>

// -errno, and never 0: a library that fails without setting errno must not look like success.
static inline int error_from_errno(void)
{
    return errno > 0 ? -errno : -EIO;
}

#endif
