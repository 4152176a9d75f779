// Splits a template at its braces, and puts values between the literals.
#include "enrich/template.h"

#include "base/error.h"

#include <stdlib.h>
#include <sys/random.h>

int template_compile(struct template *out, struct slice text)
{
    struct template made = {0};
    size_t most = 1;
    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == '{';
    made.text = malloc(text.size + 1);
    made.parts = calloc(most, sizeof *made.parts);
    if (!made.text || !made.parts) {
        template_deinit(&made);
        return -ENOMEM;
    }
    if (text.size)
        memcpy(made.text, text.data, text.size);
    made.text[text.size] = '\0';
    int r = 0;
    for (char *at = made.text; r == 0;) {
        struct template_part *part = &made.parts[made.count++];
        part->field.field = ECS_FIELD_COUNT;
        part->literal = slice_of(at, strcspn(at, "{}"));
        made.literals += part->literal.size;
        at += part->literal.size;
        if (!*at)
            break;
        char *close = *at == '{' ? strchr(at, '}') : NULL;
        r = close ? field_path_of(&part->field, slice_of(at + 1, (size_t)(close - at - 1)))
                  : -EINVAL;
        made.fields++;
        at = close ? close + 1 : at;
    }
    if (r < 0) {
        template_deinit(&made);
        return r;
    }
    *out = made;
    return 0;
}

void template_deinit(struct template *compiled)
{
    free(compiled->text);
    free(compiled->parts);
    *compiled = (struct template){0};
}

static bool in_topic(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

// One '_' for each character that may not stand there. At most room bytes.
static size_t put_safe(char *out, size_t room, struct slice text)
{
    size_t used = 0;
    for (size_t i = 0; i < text.size && used < room; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if ((byte & 0xc0) != 0x80)
            out[used++] = in_topic(byte) ? (char)byte : '_';
    }
    return used;
}

size_t template_topic(const struct template *compiled, const struct ecs_encoder *encoder,
                      const struct record *record, const char *other, char out[TOPIC_MAX])
{
    char scratch[FIELD_TEXT_MIN];
    size_t used = 0;
    size_t left = compiled->literals < TOPIC_MAX ? TOPIC_MAX - compiled->literals : 0;
    size_t fields = compiled->fields;
    for (size_t i = 0; i < compiled->count; i++) {
        const struct template_part *part = &compiled->parts[i];
        used += put_safe(out + used, TOPIC_MAX - used, part->literal);
        if (!field_path_is_set(&part->field))
            break;
        struct slice value = slice_from(other);
        if (!other)
            value = field_path_text(&part->field, encoder, record, scratch, sizeof scratch);
        if (!value.size)
            value = SLICE("unknown");
        // Each field has its share of what the literals leave, and what others did not use.
        size_t size = put_safe(out + used, left / fields, value);
        used += size;
        left -= size;
        fields--;
    }
    // Kafka reserves the names of folders.
    if (used && used <= 2 && out[0] == '.' && out[used - 1] == '.')
        memset(out, '_', used);
    return used;
}

size_t template_text(const struct template *compiled, const struct ecs_encoder *encoder,
                     const struct record *record, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < compiled->count; i++) {
        const struct template_part *part = &compiled->parts[i];
        char scratch[FIELD_TEXT_MAX];
        struct slice value = {0};
        if (field_path_is_set(&part->field)) {
            value = field_path_text(&part->field, encoder, record, scratch, sizeof scratch);
            if (!value.data)
                return SIZE_MAX;
        }
        if (part->literal.size + value.size > room - used)
            return room + 1;
        memcpy(out + used, part->literal.data, part->literal.size);
        used += part->literal.size;
        if (value.size)
            memcpy(out + used, value.data, value.size);
        used += value.size;
    }
    return used;
}

// --- how many topics ---

int topic_set_init(struct topic_set *set, size_t max)
{
    *set = (struct topic_set){.capacity = 2, .max = max};
    while (set->capacity < 2 * max)
        set->capacity *= 2;
    set->hashes = calloc(set->capacity, sizeof *set->hashes);
    if (!set->hashes)
        return -ENOMEM;
    if (getrandom(&set->seed, sizeof set->seed, GRND_NONBLOCK) < 0)
        set->seed = (uintptr_t)set->hashes;
    return 0;
}

void topic_set_deinit(struct topic_set *set)
{
    free(set->hashes);
    *set = (struct topic_set){0};
}

static uint64_t hash_of(uint64_t seed, struct slice name)
{
    uint64_t hash = seed ^ name.size;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ (unsigned char)name.data[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

bool topic_set_take(struct topic_set *set, struct slice name)
{
    // Names of one hash (one in 2^64) count as one: then a topic more than max may come to be.
    uint64_t hash = hash_of(set->seed, name);
    size_t at = hash & (set->capacity - 1);
    for (; set->hashes[at]; at = (at + 1) & (set->capacity - 1))
        if (set->hashes[at] == hash)
            return true;
    if (set->count == set->max)
        return false;
    set->hashes[at] = hash;
    set->count++;
    return true;
}
