// Reads the files of a downward API volume, line by line, and keeps what holds.
#include "base/podinfo.h"

#include "base/error.h"
#include "base/settings_load.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)1024 * 1024) // Kubernetes allows annotations of 256 KiB, unquoted
#define ONE_VALUE_MAX 253                    // a DNS subdomain, the longest that names a pod
#define NAME_PREFIX "k8s.pod.label."
#define ANNOTATION_PREFIX "resource.opentelemetry.io/"

// Files that hold one value. A volume's author names them; these are the customary names.
static const struct {
    const char *file;
    const char *attribute;
} single[] = {
    {"name", "k8s.pod.name"},
    {"pod_name", "k8s.pod.name"},
    {"namespace", "k8s.namespace.name"},
    {"pod_namespace", "k8s.namespace.name"},
    {"uid", "k8s.pod.uid"},
    {"pod_uid", "k8s.pod.uid"},
    {"nodeName", "k8s.node.name"},
    {"node_name", "k8s.node.name"},
};
#define SINGLES (sizeof single / sizeof *single)

struct reader {
    struct podinfo *out;
    const char *folder;
    const char *file;
    size_t listed, listed_bytes; // labels and annotations kept so far
    bool no_memory;
};

static void tell(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct reader *reader, const char *format, ...)
{
    char *problem = reader->out->problem;
    size_t size = sizeof reader->out->problem;
    if (problem[0])
        return;
    int used = snprintf(problem, size, "%s/%s: ", reader->folder, reader->file);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && (size_t)used < size)
        vsnprintf(problem + used, size - (size_t)used, format, arguments);
    va_end(arguments);
}

static void free_item(struct resource_setting *item)
{
    free(item->name);
    free(item->value);
    free(item->origin);
}

// The first of a name stays.
static void add(struct reader *reader, const char *prefix, const char *name, const char *value)
{
    struct podinfo *out = reader->out;
    char origin[PATH_MAX];
    struct resource_setting item = {0};
    size_t size = strlen(prefix) + strlen(name) + 1;
    item.name = malloc(size);
    if (item.name)
        snprintf(item.name, size, "%s%s", prefix, name);
    snprintf(origin, sizeof origin, "%s/%s", reader->folder, reader->file);
    item.value = strdup(value);
    item.origin = strdup(origin);
    struct resource_setting *grown = realloc(out->items, (out->count + 1) * sizeof *grown);
    if (grown)
        out->items = grown;
    bool ok = item.name && item.value && item.origin && grown;
    bool known = false;
    for (size_t i = 0; ok && i < out->count; i++)
        known |= strcmp(out->items[i].name, item.name) == 0;
    if (ok && !known)
        out->items[out->count++] = item;
    else
        free_item(&item);
    reader->no_memory |= !ok;
}

// NULL: it is not there, or cannot be used.
static char *file_text(struct reader *reader, const char *file, size_t *size)
{
    char path[PATH_MAX];
    char *text = NULL;
    reader->file = file;
    int length = snprintf(path, sizeof path, "%s/%s", reader->folder, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return NULL;
    int r = settings_read_file(path, FILE_BYTES_MAX, &text, size);
    if (r == -ENOMEM)
        reader->no_memory = true;
    else if (r < 0 && r != -ENOENT && r != -ENOTDIR)
        tell(reader, "cannot be read: %s", r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
    return r < 0 ? NULL : text;
}

static bool printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

static void read_single(struct reader *reader, const char *file, const char *attribute)
{
    size_t size = 0;
    char *text = file_text(reader, file, &size);
    if (!text)
        return;
    char *value = text;
    while (size && isspace((unsigned char)value[size - 1]))
        size--;
    while (size && isspace((unsigned char)*value)) {
        value++;
        size--;
    }
    value[size] = '\0';
    if (size > ONE_VALUE_MAX || !printable(value, size))
        tell(reader, "holds no name: longer than %d bytes, or of several lines", ONE_VALUE_MAX);
    else if (size)
        add(reader, "", attribute, value);
    free(text);
}

// --- key="value" ---

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

// Reads that many hexadecimal digits; false where there are fewer.
static bool read_hex(const char **at, unsigned digits, uint32_t *code)
{
    *code = 0;
    for (; digits; digits--, ++*at) {
        if (!isxdigit((unsigned char)**at))
            return false;
        int c = tolower((unsigned char)**at);
        *code = *code << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

// One escape of Go's strconv.Quote, after its backslash. The text never grows. NULL: no such one.
static char *unescape(const char **at, char *out)
{
    static const char letters[] = "abfnrtv\\\"'";
    static const char meant[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *(*at)++;
    const char *letter = c ? strchr(letters, c) : NULL;
    uint32_t code = 0;
    if (letter) {
        *out++ = meant[letter - letters];
        return out;
    }
    if (c != 'x' && c != 'u' && c != 'U')
        return NULL;
    if (!read_hex(at,
                  c == 'x'   ? 2
                  : c == 'u' ? 4
                             : 8,
                  &code) ||
        code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return NULL;
    if (c == 'x') { // a byte, which is no character by itself
        *out++ = (char)code;
        return out;
    }
    return put_utf8(out, code);
}

// Undoes the quotes of [text, its NUL) in place; false where they are broken.
static bool unquote(char *text)
{
    const char *at = text;
    char *out = text;
    if (*at++ != '"')
        return false;
    while (*at != '"') {
        if (!*at)
            return false;
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
        at++;
        out = unescape(&at, out);
        if (!out)
            return false;
    }
    bool whole = at[1] == '\0';
    *out = '\0';
    return whole;
}

// Whether the limits let one more in.
static bool take(struct reader *reader, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value);
    if (reader->listed == PODINFO_LABELS_MAX ||
        bytes > PODINFO_LABELS_BYTES_MAX - reader->listed_bytes) {
        tell(reader, "more than %d entries or %d bytes of them; the rest is left out",
             PODINFO_LABELS_MAX, PODINFO_LABELS_BYTES_MAX);
        return false;
    }
    reader->listed++;
    reader->listed_bytes += bytes;
    return true;
}

static void keep_label(struct reader *reader, const char *key, const char *value)
{
    if (*value && take(reader, key, value))
        add(reader, NAME_PREFIX, key, value);
}

static void keep_annotation(struct reader *reader, const char *key, const char *value)
{
    size_t prefix = sizeof ANNOTATION_PREFIX - 1;
    if (*value && strncmp(key, ANNOTATION_PREFIX, prefix) == 0 && key[prefix] &&
        take(reader, key, value))
        add(reader, "", key + prefix, value);
}

static void read_pairs(struct reader *reader, const char *file,
                       void (*keep)(struct reader *reader, const char *key, const char *value))
{
    size_t size = 0, number = 0;
    char *text = file_text(reader, file, &size), *rest = NULL;
    if (!text)
        return;
    // A NUL would end the text early: the kubelet quotes it, so what comes after is not its.
    if (strlen(text) != size)
        tell(reader, "holds a NUL byte; what comes after it is left out");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *value = strchr(line, '=');
        number++;
        if (!value || value == line || !unquote(value + 1)) {
            tell(reader, "line %zu is not key=\"value\"; left out", number);
            continue;
        }
        *value++ = '\0';
        keep(reader, line, value);
    }
    free(text);
}

// What a label suggests, where nobody says it.
static void guess(struct reader *reader, const char *attribute, const char *label)
{
    struct podinfo *out = reader->out;
    for (size_t i = 0; i < out->firm; i++) {
        if (strcmp(out->items[i].name, label) == 0) {
            add(reader, "", attribute, out->items[i].value);
            return;
        }
    }
}

int podinfo_read(struct podinfo *out, const char *folder)
{
    *out = (struct podinfo){0};
    struct reader reader = {.out = out, .folder = folder};
    if (!folder || !folder[0])
        return 0;
    for (size_t i = 0; i < SINGLES; i++)
        read_single(&reader, single[i].file, single[i].attribute);
    read_pairs(&reader, "annotations", keep_annotation);
    read_pairs(&reader, "labels", keep_label);
    out->firm = out->count;
    reader.file = "labels";
    guess(&reader, "service.name", NAME_PREFIX "app.kubernetes.io/name");
    guess(&reader, "service.version", NAME_PREFIX "app.kubernetes.io/version");
    if (reader.no_memory) {
        podinfo_deinit(out);
        return -ENOMEM;
    }
    return 0;
}

void podinfo_deinit(struct podinfo *podinfo)
{
    for (size_t i = 0; i < podinfo->count; i++)
        free_item(&podinfo->items[i]);
    free(podinfo->items);
    *podinfo = (struct podinfo){0};
}

size_t podinfo_paths(const char *folder, char room[PODINFO_PATH_ROOM],
                     const char *paths[PODINFO_PATHS_MAX])
{
    _Static_assert(SINGLES + 2 <= PODINFO_PATHS_MAX, "every file has a place");
    size_t count = 0, used = 0;
    for (size_t i = 0; folder[0] && i < SINGLES + 2; i++) {
        const char *file = i < SINGLES ? single[i].file : i == SINGLES ? "labels" : "annotations";
        int size = snprintf(room + used, PODINFO_PATH_ROOM - used, "%s/%s", folder, file);
        if (size < 0 || (size_t)size >= PODINFO_PATH_ROOM - used)
            break; // a folder's name that long is no mounted volume's
        paths[count++] = room + used;
        used += (size_t)size + 1;
    }
    return count;
}

static void merge(struct resource_setting *out, size_t *count, const struct resource_setting *from,
                  size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool known = false;
        for (size_t k = 0; k < *count; k++)
            known |= strcmp(out[k].name, from[i].name) == 0;
        if (!known)
            out[(*count)++] = from[i];
    }
}

int podinfo_merge(const struct settings *settings, const struct podinfo *podinfo,
                  struct resource_setting **out, size_t *count)
{
    size_t above = settings->attributes_above;
    struct resource_setting *merged =
        calloc(settings->attribute_count + podinfo->count + 1, sizeof *merged);
    if (!merged)
        return -ENOMEM;
    size_t used = 0;
    if (settings->attribute_count)
        merge(merged, &used, settings->attributes, above);
    if (podinfo->count)
        merge(merged, &used, podinfo->items, podinfo->firm);
    if (settings->attribute_count)
        merge(merged, &used, settings->attributes + above, settings->attribute_count - above);
    if (podinfo->count)
        merge(merged, &used, podinfo->items + podinfo->firm, podinfo->count - podinfo->firm);
    *out = merged;
    *count = used;
    return 0;
}
