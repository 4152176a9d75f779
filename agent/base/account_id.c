// Parses the number, or asks the system's tables for the name.
#include "base/account_id.h"

#include "base/settings_value.h"

#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define ENTRY_MAX 16384 // bytes of a line in /etc/passwd, /etc/group

_Static_assert(sizeof(uid_t) == sizeof(unsigned) && sizeof(gid_t) == sizeof(unsigned),
               "ids of users and groups are kept alike");

bool account_is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

bool account_number(const char *text, unsigned *id)
{
    uint64_t number;
    if (value_parse_integer(text, &number) != 0 || number > ACCOUNT_ID_MAX)
        return false;
    *id = (unsigned)number;
    return true;
}

bool account_user(const char *text, unsigned *id)
{
    char buffer[ENTRY_MAX];
    struct passwd entry, *found = NULL;
    if (account_is_number(text))
        return account_number(text, id);
    if (getpwnam_r(text, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return false;
    *id = entry.pw_uid;
    return true;
}

bool account_group(const char *text, unsigned *id)
{
    char buffer[ENTRY_MAX];
    struct group entry, *found = NULL;
    if (account_is_number(text))
        return account_number(text, id);
    if (getgrnam_r(text, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return false;
    *id = entry.gr_gid;
    return true;
}
