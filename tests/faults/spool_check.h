// Looks at a log's folder after its writer's death, by the product's own recovery.
#ifndef SLUICE_TESTS_SPOOL_CHECK_H
#define SLUICE_TESTS_SPOOL_CHECK_H

#include "ledger.h"

// Opens the folder four times: what the ledger's states allow must be there, in order and with its
// bytes, and again the second time with new records behind it; after all of it has its verdict,
// nothing. damaged: files in the folder that were no segments before. Does not return where
// something is wrong.
void spool_check(const char *folder, struct ledger *ledger, uint32_t damaged);

#endif
