// A hash table that grows with the topics in use and is emptied as a whole.
#include "deliver/kafka_topics.h"

#include <stdlib.h>

#define CAPACITY_FIRST 16u
#define TOPIC_NAME_MAX 249 // Kafka's own limit

static uint32_t hash_of(struct slice name)
{
    uint32_t hash = 2166136261u; // FNV-1a
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return hash;
}

// Where this topic is, or would be.
static struct kafka_topic *place_of(const struct kafka_topics *topics, struct slice name,
                                    uint32_t hash)
{
    uint32_t mask = topics->capacity - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        struct kafka_topic *place = &topics->table[i];
        if (!place->topic)
            return place;
        if (place->hash == hash && place->size == name.size &&
            memcmp(rd_kafka_topic_name(place->topic), name.data, name.size) == 0)
            return place;
    }
}

// A free place more at least. False: no memory.
static bool make_room(struct kafka_topics *topics)
{
    if (topics->count == KAFKA_TOPICS_MAX)
        kafka_topics_clear(topics);
    if (2 * (topics->count + 1) <= topics->capacity)
        return true;
    struct kafka_topics larger = {.capacity =
                                      topics->capacity ? 2 * topics->capacity : CAPACITY_FIRST};
    larger.table = calloc(larger.capacity, sizeof *larger.table);
    if (!larger.table)
        return false;
    for (uint32_t i = 0; i < topics->capacity; i++) {
        const struct kafka_topic *old = &topics->table[i];
        if (old->topic)
            *place_of(&larger, slice_of(rd_kafka_topic_name(old->topic), old->size), old->hash) =
                *old;
    }
    larger.count = topics->count;
    free(topics->table);
    *topics = larger;
    return true;
}

static rd_kafka_resp_err_t add(struct kafka_topics *topics, rd_kafka_t *producer, struct slice name,
                               uint32_t hash, rd_kafka_topic_t **out)
{
    char text[TOPIC_NAME_MAX + 1];
    if (name.size > TOPIC_NAME_MAX || name.size == 0)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (!make_room(topics))
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    if (strlen(text) != name.size)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, text, NULL);
    if (!topic)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    *place_of(topics, name, hash) = (struct kafka_topic){topic, hash, (uint32_t)name.size};
    topics->count++;
    *out = topic;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t kafka_topics_find(struct kafka_topics *topics, rd_kafka_t *producer,
                                      struct slice name, rd_kafka_topic_t **out)
{
    uint32_t hash = hash_of(name);
    if (topics->capacity) {
        const struct kafka_topic *place = place_of(topics, name, hash);
        if (place->topic) {
            *out = place->topic;
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    }
    return add(topics, producer, name, hash, out);
}

void kafka_topics_clear(struct kafka_topics *topics)
{
    for (uint32_t i = 0; i < topics->capacity; i++)
        if (topics->table[i].topic)
            rd_kafka_topic_destroy(topics->table[i].topic);
    free(topics->table);
    *topics = (struct kafka_topics){0};
}
