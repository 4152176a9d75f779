// Renders topic, key and headers; keeps the number of topics bounded.
#include "enrich/resend.h"

#include "base/books.h"
#include "base/error.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "enrich/enrich_config.h"

#include <stdlib.h>

// u16 size of name, name, u32 size of value, value: little-endian (deliver/kafka.h).
#define HEADER_FIXED 6
#define ENCODED_ROOM                                                                               \
    (SPOOL_RESEND_MAX + 1) // one byte more than the spool keeps: it sees the excess

static int copy_text(struct resend_plan *plan, const struct enrich_target *target,
                     struct slice *key)
{
    const struct setting_map *headers = target->headers;
    size_t size = target->key_field.size + 1;
    for (size_t i = 0; headers && i < headers->count; i++)
        size += strlen(headers->items[i].name);
    plan->text = malloc(size);
    plan->headers = calloc(headers ? headers->count + 1 : 1, sizeof *plan->headers);
    plan->encoded = malloc(ENCODED_ROOM);
    if (!plan->text || !plan->headers || !plan->encoded)
        return -ENOMEM;
    char *at = plan->text;
    *key = slice_of(at, target->key_field.size);
    if (key->size)
        memcpy(at, target->key_field.data, key->size);
    at += key->size;
    for (size_t i = 0; headers && i < headers->count; i++) {
        struct slice name = slice_from(headers->items[i].name);
        memcpy(at, name.data, name.size);
        plan->headers[i].name = slice_of(at, name.size);
        at += name.size;
    }
    return 0;
}

static void put_little_endian(uint8_t *out, size_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

// Leaves out a header that a missing field would be part of. Sets encoded_size, ENCODED_ROOM where
// it is too much.
static void encode_headers(struct resend_plan *plan, const struct ecs_encoder *encoder,
                           const struct record *record)
{
    size_t used = 0;
    for (size_t i = 0; i < plan->header_count; i++) {
        const struct header_plan *header = &plan->headers[i];
        size_t fixed = HEADER_FIXED + header->name.size;
        size_t room = ENCODED_ROOM - used > fixed ? ENCODED_ROOM - used - fixed : 0;
        uint8_t *out = plan->encoded + used;
        size_t size =
            template_text(&header->value, encoder, record, (char *)out + (room ? fixed : 0), room);
        if (size == SIZE_MAX)
            continue;
        if (size >= room) {
            used = ENCODED_ROOM;
            break;
        }
        put_little_endian(out, header->name.size, 2);
        memcpy(out + 2, header->name.data, header->name.size);
        put_little_endian(out + 2 + header->name.size, size, 4);
        used += fixed + size;
    }
    plan->encoded_size = used;
}

int resend_plan_init(struct resend_plan *plan, const struct enrich_target *target,
                     const char *exporter)
{
    struct slice key = {0};
    *plan = (struct resend_plan){.exporter = exporter, .book = target->book};
    plan->key.field = ECS_FIELD_COUNT;
    int r = copy_text(plan, target, &key);
    if (r == 0 && key.size)
        r = field_path_of(&plan->key, key);
    if (r == 0)
        r = template_compile(&plan->topic, target->topic);
    if (r == 0 && plan->topic.fields)
        r = topic_set_init(&plan->topics, target->max_topics);
    for (size_t i = 0; r == 0 && target->headers && i < target->headers->count; i++) {
        struct header_plan *header = &plan->headers[i];
        r = template_compile(&header->value, slice_from(target->headers->items[i].value));
        plan->header_count += r == 0;
        plan->headers_vary |= header->value.fields > 0;
    }
    if (r == 0 && !plan->headers_vary)
        encode_headers(plan, NULL, NULL);
    return r;
}

void resend_plan_deinit(struct resend_plan *plan)
{
    for (size_t i = 0; i < plan->header_count; i++)
        template_deinit(&plan->headers[i].value);
    template_deinit(&plan->topic);
    topic_set_deinit(&plan->topics);
    free(plan->headers);
    free(plan->encoded);
    free(plan->text);
    *plan = (struct resend_plan){0};
}

static struct slice topic_of(struct resend_plan *plan, const struct ecs_encoder *encoder,
                             const struct record *record)
{
    size_t size = template_topic(&plan->topic, encoder, record, NULL, plan->topic_text);
    if (topic_set_take(&plan->topics, slice_of(plan->topic_text, size)))
        return slice_of(plan->topic_text, size);
    if (!plan->topics_told)
        own_log(OWN_WARN, "topics_capped",
                "exporters.%s.topic: the template %s would make more than %zu topics; further "
                "values become `other`; raise exporters.%s.max_topics or choose another field",
                plan->exporter, plan->topic.text, plan->topics.max, plan->exporter);
    plan->topics_told = true;
    size = template_topic(&plan->topic, encoder, record, "other", plan->topic_text);
    return slice_of(plan->topic_text, size);
}

static void count_cut(struct resend_plan *plan, size_t size)
{
    if (plan->book)
        plan->book->resends_cut++;
    if (!plan->cut_told)
        own_log(OWN_WARN, "headers_cut",
                "exporters.%s: key and headers of a record take %zu bytes or more, above %d: such "
                "records go without them; shorten exporters.%s.headers (counted, told once)",
                plan->exporter, size, SPOOL_RESEND_MAX, plan->exporter);
    plan->cut_told = true;
}

struct spool_resend resend_of(struct resend_plan *plan, const struct ecs_encoder *encoder,
                              const struct record *record)
{
    struct spool_resend resend = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (plan->topic.fields)
        resend.topic = topic_of(plan, encoder, record);
    if (field_path_is_set(&plan->key))
        resend.key =
            field_path_text(&plan->key, encoder, record, plan->key_text, sizeof plan->key_text);
    if (plan->header_count) {
        if (plan->headers_vary)
            encode_headers(plan, encoder, record);
        resend.headers = slice_of(plan->encoded, plan->encoded_size);
    }
    size_t size = resend.topic.size + resend.key.size + resend.headers.size;
    if (size > SPOOL_RESEND_MAX)
        count_cut(plan, size);
    return resend;
}
