// Users and groups as settings write them: a number or a name.
//
// Source: getpwnam_r(3), getgrnam_r(3), credentials(7). Any thread; may read the system's tables.
#ifndef SLUICE_BASE_ACCOUNT_ID_H
#define SLUICE_BASE_ACCOUNT_ID_H

#include <stdbool.h>

#define ACCOUNT_ID_MAX 4294967294u // the one above it is nobody's: chown(2) reads it as "leave it"

// Whether text is a number at all, and one that an account may have.
bool account_is_number(const char *text);
bool account_number(const char *text, unsigned *id);

// A number, or a name that this machine knows. False: neither.
bool account_user(const char *text, unsigned *id);
bool account_group(const char *text, unsigned *id);

#endif
