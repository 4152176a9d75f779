// Keeps what was given and finds the strongest.
#include "base/settings_draft.h"

#include "base/error.h"
#include "base/settings_load.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_MAX 4096
#define VALUE_FILE_MAX 65536

struct kept_text {
    struct kept_text *next;
    char text[];
};

const char *draft_keep(struct settings_draft *draft, const char *text, size_t size)
{
    struct kept_text *kept = malloc(sizeof *kept + size + 1);
    if (!kept) {
        draft->no_memory = true;
        return NULL;
    }
    memcpy(kept->text, text, size);
    kept->text[size] = '\0';
    kept->next = draft->kept;
    draft->kept = kept;
    return kept->text;
}

void draft_deinit(struct settings_draft *draft)
{
    while (draft->kept) {
        struct kept_text *next = draft->kept->next;
        free(draft->kept);
        draft->kept = next;
    }
    for (size_t i = 0; i < draft->count; i++)
        free(draft->entries[i].value);
    free(draft->entries);
    draft->entries = NULL;
    draft->count = draft->capacity = 0;
}

void draft_path(const struct setting_target *target, char *out, size_t size)
{
    const struct setting_row *row = target->row;
    snprintf(out, size, "%s%s%s%s%s%s", setting_scope_prefix(row->scope), target->name,
             target->name[0] ? "." : "", row->path, target->key[0] ? "." : "", target->key);
}

void draft_origin(const struct setting_place *place, char *out, size_t size)
{
    static const char *const kinds[] = {"default", "", "environment ", "flag "};
    const char *source = place->source ? place->source : "";
    if (place->origin == ORIGIN_FILE)
        snprintf(out, size, "%s:%u", source, place->line);
    else
        snprintf(out, size, "%s%s", kinds[place->origin], source);
}

static bool same_target(const struct setting_target *target, const struct setting_row *row,
                        const char *name, const char *key)
{
    return target->row == row && strcmp(target->name, name) == 0 && strcmp(target->key, key) == 0;
}

const struct setting_entry *draft_find(const struct settings_draft *draft,
                                       const struct setting_row *row, const char *name,
                                       const char *key)
{
    const struct setting_entry *best = NULL;
    for (size_t i = 0; i < draft->count; i++) {
        const struct setting_entry *entry = &draft->entries[i];
        if (same_target(&entry->target, row, name, key) &&
            (!best || entry->place.origin > best->place.origin))
            best = entry;
    }
    return best;
}

// Fills text, which has room for limit + 2 bytes. One byte above limit tells that there is more.
static int read_text(int fd, size_t limit, char *text, size_t *size)
{
    size_t used = 0;
    ssize_t got = 0;
    while (used <= limit && (got = read(fd, text + used, limit + 1 - used)) > 0)
        used += (size_t)got;
    if (got < 0)
        return error_from_errno();
    if (used > limit)
        return -EFBIG;
    text[used] = '\0';
    *size = used;
    return 0;
}

static int check_regular(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return error_from_errno();
    if (S_ISREG(status.st_mode))
        return 0;
    return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
}

int settings_read_file(const char *path, size_t limit, char **out, size_t *size)
{
    // O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_from_errno();
    int r = check_regular(fd);
    char *text = r == 0 ? malloc(limit + 2) : NULL;
    if (text)
        r = read_text(fd, limit, text, size);
    else if (r == 0)
        r = -ENOMEM;
    close(fd);
    if (r < 0) {
        free(text);
        return r;
    }
    *out = text;
    return 0;
}

// The value that a file holds, without the line end that editors leave. NULL: a mistake was told.
static char *value_of_file(struct settings_draft *draft, const char *path, const char *file,
                           const struct setting_place *place)
{
    char *text = NULL;
    size_t size = 0;
    char shown[200];
    int r = settings_read_file(file, VALUE_FILE_MAX, &text, &size);
    if (r < 0 || !text) {
        const char *why = r == -EINVAL ? "not a regular file" : strerror(-r);
        draft_mistake(draft, place, path, "cannot read the file %s that holds the value: %s",
                      draft_quote("", file, shown, sizeof shown), why);
        return NULL;
    }
    while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        text[--size] = '\0';
    if (strlen(text) != size) {
        draft_mistake(draft, place, path, "the file %s holds a NUL byte",
                      draft_quote("", file, shown, sizeof shown));
        free(text);
        return NULL;
    }
    return text;
}

static void remove_entry(struct settings_draft *draft, size_t i)
{
    free(draft->entries[i].value);
    memmove(&draft->entries[i], &draft->entries[i + 1],
            (draft->count - i - 1) * sizeof *draft->entries);
    draft->count--;
}

// Whether another value of the same strength stands there already. A list's names come from one
// place, and its items may be many.
static bool given_twice(struct settings_draft *draft, const struct setting_target *target,
                        const char *path, const struct setting_place *place)
{
    for (size_t i = draft->count; i-- > 0;) {
        const struct setting_entry *entry = &draft->entries[i];
        if (entry->place.origin != place->origin ||
            !same_target(&entry->target, target->row, target->name, target->key))
            continue;
        if (target->row->type == SETTING_LIST && entry->place.source == place->source)
            continue;
        if (place->origin == ORIGIN_FLAG) {
            remove_entry(draft, i); // the last flag wins, as everywhere on a command line
            continue;
        }
        char origin[300];
        draft_origin(&entry->place, origin, sizeof origin);
        draft_mistake(draft, place, path, "given twice; first by %s", origin);
        return true;
    }
    return false;
}

static bool make_room(struct settings_draft *draft, const struct setting_place *place)
{
    if (draft->count == ENTRY_MAX) {
        draft_mistake(draft, place, "", "more than %d values", ENTRY_MAX);
        return false;
    }
    if (draft->count < draft->capacity)
        return true;
    size_t capacity = draft->capacity ? 2 * draft->capacity : 32;
    struct setting_entry *grown = realloc(draft->entries, capacity * sizeof *grown);
    if (!grown) {
        draft->no_memory = true;
        return false;
    }
    draft->entries = grown;
    draft->capacity = capacity;
    return true;
}

void draft_add(struct settings_draft *draft, const struct setting_target *target, const char *value,
               const struct setting_place *place)
{
    char path[SETTING_PATH_MAX];
    draft_path(target, path, sizeof path);
    if (given_twice(draft, target, path, place) || !make_room(draft, place))
        return;
    char *copy = target->from_file ? value_of_file(draft, path, value, place) : strdup(value);
    if (!copy) {
        draft->no_memory |= !target->from_file;
        return;
    }
    draft->entries[draft->count++] =
        (struct setting_entry){.target = *target, .value = copy, .place = *place};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Decodes [text, text+size) in place of out, which has room for size + 1. NULL, or what is wrong.
static const char *percent_decode(const char *text, size_t size, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '%') {
            out[used++] = text[i];
            continue;
        }
        int high = i + 1 < size ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return "has a % that two hexadecimal digits do not follow (write %25 for %)";
        out[used++] = (char)(high * 16 + low);
        i += 2;
    }
    out[used] = '\0';
    return NULL;
}

static void trim(const char **text, size_t *size)
{
    while (*size && isspace((unsigned char)**text)) {
        ++*text;
        --*size;
    }
    while (*size && isspace((unsigned char)(*text)[*size - 1]))
        --*size;
}

static const char *split_pairs(const char *text, char *scratch,
                               void (*member)(void *ctx, const char *key, const char *value),
                               void *ctx)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *key = text;
        text += size + (text[size] == ',');
        trim(&key, &size);
        if (size == 0)
            continue; // a comma too many, as at the end
        const char *equals = memchr(key, '=', size);
        if (!equals || equals == key)
            return "is not a list of key=value, separated by commas";
        size_t key_size = (size_t)(equals - key);
        const char *value = equals + 1;
        size_t value_size = size - key_size - 1;
        trim(&key, &key_size);
        trim(&value, &value_size);
        char *decoded = scratch + key_size + 1;
        const char *wrong = percent_decode(key, key_size, scratch);
        if (!wrong)
            wrong = percent_decode(value, value_size, decoded);
        if (wrong)
            return wrong;
        if (member)
            member(ctx, scratch, decoded);
    }
    return NULL;
}

const char *draft_split_pairs(const char *text,
                              void (*member)(void *ctx, const char *key, const char *value),
                              void *ctx)
{
    char *scratch = malloc(strlen(text) + 2);
    if (!scratch)
        return "is too long for the memory there is";
    const char *wrong = split_pairs(text, scratch, NULL, NULL);
    if (!wrong)
        split_pairs(text, scratch, member, ctx);
    free(scratch);
    return wrong;
}

struct member_ctx {
    struct settings_draft *draft;
    struct setting_target target;
    const struct setting_place *place;
};

bool draft_set_key(struct setting_target *target, const char *key)
{
    static const char suffix[] = "_file";
    size_t size = strlen(key), cut = sizeof suffix - 1;
    target->from_file = size > cut && strcmp(key + size - cut, suffix) == 0;
    if (target->from_file)
        size -= cut;
    if (size == 0 || size >= sizeof target->key)
        return false;
    memcpy(target->key, key, size);
    target->key[size] = '\0';
    return true;
}

static void add_member(void *ctx, const char *key, const char *value)
{
    struct member_ctx *member = ctx;
    if (draft_set_key(&member->target, key))
        draft_add(member->draft, &member->target, value, member->place);
    else
        draft_mistake(member->draft, member->place, member->target.row->path,
                      "a name in the list is empty or longer than %zu bytes",
                      sizeof member->target.key - 1);
}

static void add_names(struct settings_draft *draft, const struct setting_target *target,
                      const char *text, const struct setting_place *place)
{
    char name[EXPORTER_NAME_MAX];
    do {
        size_t size = strcspn(text, ",");
        const char *item = text, *end = text + size;
        trim(&item, &size);
        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name), item);
        draft_add(draft, target, name, place);
        text = *end ? end + 1 : end;
    } while (*text);
}

static void add_pairs(struct settings_draft *draft, const struct setting_target *target,
                      const char *text, const struct setting_place *place)
{
    char path[SETTING_PATH_MAX];
    draft_path(target, path, sizeof path);
    struct member_ctx ctx = {draft, *target, place};
    const char *wrong = draft_split_pairs(text, add_member, &ctx);
    if (wrong) // any member may be a secret, and where one ends is what is unclear
        draft_mistake(draft, place, path, "the text of %zu bytes %s", strlen(text), wrong);
}

// A whole map or list that a file holds: its lines count as commas.
static void add_from_file(struct settings_draft *draft, const struct setting_target *target,
                          const char *file, const struct setting_place *place)
{
    char path[SETTING_PATH_MAX];
    struct setting_target inner = *target;
    draft_path(target, path, sizeof path);
    char *text = value_of_file(draft, path, file, place);
    if (!text)
        return;
    for (char *at = text; (at = strchr(at, '\n'));)
        *at = ',';
    inner.from_file = false;
    draft_add_text(draft, &inner, text, place);
    free(text);
}

void draft_add_text(struct settings_draft *draft, const struct setting_target *target,
                    const char *text, const struct setting_place *place)
{
    bool list = target->row->type == SETTING_LIST;
    bool map = target->row->type == SETTING_MAP && !target->key[0];
    if ((list || map) && target->from_file)
        add_from_file(draft, target, text, place);
    else if (list)
        add_names(draft, target, text, place);
    else if (map)
        add_pairs(draft, target, text, place);
    else
        draft_add(draft, target, text, place);
}
