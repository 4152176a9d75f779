// The syntax of paths, brokers, topics, endpoints and names, each with its limits.
#include "base/settings_rules.h"

#include "base/account_id.h"
#include "base/books.h"
#include "base/settings_value.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define BLANKS " \t\r"
#define HOST_MAX 253 // bytes of a name, RFC 1035

static bool only_of(const char *value, const char *allowed)
{
    return value[strspn(value, allowed)] == '\0';
}

const char *rule_socket_path(const char *value)
{
    struct sockaddr_un address;
    size_t size = strlen(value);
    return value[0] == '/' && size > 1 && size < sizeof address.sun_path
               ? NULL
               : "an absolute path of at most 107 bytes (the kernel's limit for a Unix socket)";
}

// host:port, the host a name, an IPv4 address or an IPv6 address in brackets.
static bool host_and_port(const char *text, size_t size, bool port_needed)
{
    char copy[300];
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    char *port = strrchr(copy, ':');
    if (port && strchr(port, ']'))
        port = NULL;
    uint64_t number = 1;
    if (port) {
        *port++ = '\0';
        if (value_parse_integer(port, &number) != 0)
            return false;
    } else if (port_needed) {
        return false;
    }
    if (number == 0 || number > UINT16_MAX || !copy[0] || strlen(copy) > HOST_MAX)
        return false;
    if (copy[0] == '[')
        return copy[strlen(copy) - 1] == ']' && strlen(copy) > 3 &&
               copy[1 + strspn(copy + 1, DIGITS "abcdefABCDEF:.%")] == ']';
    return only_of(copy, LETTERS CAPITALS DIGITS ".-_");
}

const char *rule_brokers(const char *value)
{
    const char *at = value;
    for (;;) {
        at += strspn(at, " ");
        size_t size = strcspn(at, ",");
        size_t trimmed = size;
        while (trimmed && at[trimmed - 1] == ' ')
            trimmed--;
        if (!host_and_port(at, trimmed, false))
            return "a list of brokers as host:port, separated by commas";
        if (!at[size])
            return NULL;
        at += size + 1;
    }
}

const char *rule_topic(const char *value)
{
    static const char allowed[] = "1 to 249 letters, digits, dots, underscores or dashes, and "
                                  "fields in braces such as logs.{service.name}";
    size_t size = strlen(value);
    if (size < 1 || size > 249 || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
        return allowed;
    for (;;) {
        value += strspn(value, LETTERS CAPITALS DIGITS "._-");
        if (!*value)
            return NULL;
        size_t field = strcspn(value, "}");
        char path[130];
        if (*value != '{' || value[field] != '}' || field < 2 || field > sizeof path)
            return allowed;
        memcpy(path, value + 1, field - 1);
        path[field - 1] = '\0';
        if (rule_field_path(path))
            return allowed;
        value += field + 1;
    }
}

// Numbers or names, separated by commas, or an item a line as a file has them.
const char *rule_ids(const char *value)
{
    static const char allowed[] =
        "user or group numbers (0 to 4294967294) or names, separated by commas";
    char item[64];
    unsigned id;
    if (!*value)
        return NULL;
    for (;;) {
        value += strspn(value, BLANKS);
        size_t size = strspn(value, LETTERS CAPITALS DIGITS "._-");
        if (size == 0 || size >= sizeof item)
            return allowed;
        memcpy(item, value, size);
        item[size] = '\0';
        if (account_is_number(item) && !account_number(item, &id))
            return allowed;
        value += size;
        value += strspn(value, BLANKS);
        if (!*value)
            return NULL;
        if (*value != ',' && *value != '\n')
            return allowed;
        value++;
    }
}

const char *rule_group(const char *value)
{
    unsigned id;
    bool holds = account_is_number(value) ? account_number(value, &id)
                                          : value[strcspn(value, " \n,:")] == '\0';
    return holds ? NULL : "a group's name or number (0 to 4294967294), or \"\" for the agent's own";
}

const char *rule_field_path(const char *value)
{
    size_t size = strlen(value);
    bool dots = size && (value[0] == '.' || value[size - 1] == '.' || strstr(value, ".."));
    return size <= 128 && !dots && only_of(value, LETTERS CAPITALS DIGITS "._-@")
               ? NULL
               : "the path of an ECS field such as trace.id, or \"\" for no key";
}

const char *rule_endpoint(const char *value)
{
    static const char allowed[] = "http://HOST:PORT, https://HOST:PORT or unix:///PATH";
    if (strncmp(value, "unix:///", 8) == 0)
        return value[8] && strlen(value + 7) < sizeof((struct sockaddr_un *)0)->sun_path ? NULL
                                                                                         : allowed;
    size_t scheme = strncmp(value, "https://", 8) == 0 ? 8 : 7;
    if (scheme == 7 && strncmp(value, "http://", 7) != 0)
        return allowed;
    const char *host = value + scheme;
    size_t size = strcspn(host, "/");
    if (host[size] == '/' && host[size + 1])
        return "http://HOST:PORT or https://HOST:PORT without a path: OTLP/gRPC has none";
    return host_and_port(host, size, true) ? NULL : allowed;
}

const char *rule_optional_path(const char *value)
{
    return value[0] == '\0' || value[0] == '/' ? NULL : "an absolute path, or \"\" for none";
}

const char *rule_name(const char *value)
{
    size_t size = strlen(value);
    return size >= 1 && size < EXPORTER_NAME_MAX && only_of(value, LETTERS DIGITS "_-")
               ? NULL
               : "1 to 63 lower-case letters, digits, underscores or dashes";
}
