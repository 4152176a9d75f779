// What an exporter needs of each document beside its bytes: Kafka's topic, key and headers, made
// from the record as its settings say.
//
// Made once for each target; what does not depend on the record costs nothing later. Loop thread
// only.
#ifndef SLUICE_ENRICH_RESEND_H
#define SLUICE_ENRICH_RESEND_H

#include "enrich/template.h"
#include "spool/spool.h"

struct enrich_target;
struct exporter_book;

struct header_plan {
    struct slice name; // in the plan's text
    struct template value;
};

struct resend_plan {
    const char *exporter; // its name, for the own log
    struct exporter_book *book;
    char *text; // the key's path and the headers' names
    struct field_path key;
    struct template topic; // without fields: the exporter's own topic, nothing is rendered
    struct topic_set topics;
    struct header_plan *headers;
    size_t header_count;
    bool headers_vary;
    uint8_t *encoded; // the headers as deliver/kafka.h has them; SPOOL_RESEND_MAX + 1 bytes of room
    size_t encoded_size;
    bool topics_told, cut_told;
    char topic_text[TOPIC_MAX];
    char key_text[FIELD_TEXT_MAX];
};

// The target's topic, key and headers are copied. 0, -ENOMEM, or -EINVAL: a field that nobody could
// look up. deinit it in any case.
int resend_plan_init(struct resend_plan *plan, const struct enrich_target *target,
                     const char *exporter);
void resend_plan_deinit(struct resend_plan *plan);

// Of the record, which is prepared: views into it and the plan, valid until the plan's next. Counts
// and tells what the spool will not keep.
struct spool_resend resend_of(struct resend_plan *plan, const struct ecs_encoder *encoder,
                              const struct record *record);

#endif
