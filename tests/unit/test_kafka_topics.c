// Ten thousand topics of one producer: each found again, all let go of.
#include "deliver/kafka_topics.h"
#include "kafka_cluster.h"

#include <string.h>

static rd_kafka_t *lone_client(void)
{
    return new_client(RD_KAFKA_PRODUCER, NULL); // connects nowhere
}

static void each_is_found_again(void **state)
{
    (void)state;
    rd_kafka_t *client = lone_client();
    struct kafka_topics topics = {0};
    enum { COUNT = 2000 };
    rd_kafka_topic_t **first = calloc(COUNT, sizeof(rd_kafka_topic_t *));
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < COUNT; i++) {
            char name[32];
            snprintf(name, sizeof name, "logs.service-%u", i);
            rd_kafka_topic_t *topic = NULL;
            assert_int_equal(kafka_topics_find(&topics, client, slice_from(name), &topic), 0);
            assert_string_equal(rd_kafka_topic_name(topic), name);
            if (round == 0)
                first[i] = topic;
            else
                assert_ptr_equal(topic, first[i]);
        }
    assert_int_equal(topics.count, COUNT);
    assert_true(topics.capacity >= 2 * COUNT);
    kafka_topics_clear(&topics);
    assert_int_equal(topics.count, 0);
    assert_null(topics.table);
    free(first);
    rd_kafka_destroy(client);
}

static void impossible_names_are_refused(void **state)
{
    (void)state;
    rd_kafka_t *client = lone_client();
    struct kafka_topics topics = {0};
    rd_kafka_topic_t *topic = NULL;
    char name[250];
    memset(name, 'a', sizeof name);
    assert_int_equal(kafka_topics_find(&topics, client, slice_of(name, 250), &topic),
                     RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
    assert_int_equal(kafka_topics_find(&topics, client, slice_of("a\0b", 3), &topic),
                     RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
    assert_int_equal(kafka_topics_find(&topics, client, slice_of("", 0), &topic),
                     RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
    assert_int_equal(topics.count, 0);
    assert_int_equal(kafka_topics_find(&topics, client, slice_of(name, 249), &topic), 0);
    assert_int_equal(topics.count, 1);
    kafka_topics_clear(&topics);
    rd_kafka_destroy(client);
}

// A full table is emptied, and what is asked for afterwards is found as before. The table is said
// to be full: making so many topics takes librdkafka a minute.
static void a_full_table_is_emptied(void **state)
{
    (void)state;
    rd_kafka_t *client = lone_client();
    struct kafka_topics topics = {0};
    rd_kafka_topic_t *topic = NULL;
    assert_int_equal(kafka_topics_find(&topics, client, SLICE("one"), &topic), 0);
    topics.count = KAFKA_TOPICS_MAX;
    assert_int_equal(kafka_topics_find(&topics, client, SLICE("two"), &topic), 0);
    assert_string_equal(rd_kafka_topic_name(topic), "two");
    assert_int_equal(topics.count, 1);
    kafka_topics_clear(&topics);
    rd_kafka_destroy(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_again),
        cmocka_unit_test(impossible_names_are_refused),
        cmocka_unit_test(a_full_table_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
