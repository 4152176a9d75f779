// One message with its key, headers and topic, handed to librdkafka.
#include "deliver/kafka_message.h"

#include "deliver/kafka_exporter.h"

// The next field of an encoded header: size bytes after a little-endian width. False: none whole.
static bool take_field(struct slice *rest, size_t width, struct slice *field)
{
    if (rest->size < width)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < width; i++)
        size |= (size_t)(unsigned char)rest->data[i] << (8 * i);
    if (rest->size - width < size)
        return false;
    *field = slice_of(rest->data + width, size);
    *rest = slice_of(rest->data + width + size, rest->size - width - size);
    return true;
}

// NULL: not as kafka.h says.
static rd_kafka_headers_t *decode_headers(struct slice rest)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    while (rest.size > 0) {
        struct slice name, value;
        if (!take_field(&rest, 2, &name) || !take_field(&rest, 4, &value)) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
        rd_kafka_header_add(headers, name.data, (ssize_t)name.size, value.data,
                            (ssize_t)value.size);
    }
    return headers;
}

static rd_kafka_resp_err_t produce(rd_kafka_topic_t *topic, const struct kafka_message *message,
                                   struct kafka_slot *slot)
{
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, (void *)message->payload.data,
                         message->payload.size, message->key.size ? message->key.data : NULL,
                         message->key.size, slot) == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_last_error();
}

static rd_kafka_resp_err_t produce_with_headers(struct kafka_exporter *kafka,
                                                rd_kafka_topic_t *topic,
                                                const struct kafka_message *message,
                                                struct kafka_slot *slot)
{
    rd_kafka_headers_t *headers = decode_headers(message->headers);
    if (!headers)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)message->payload.data, .size = message->payload.size}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = slot},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)message->key.data, .size = message->key.size}},
    };
    size_t count = sizeof fields / sizeof *fields - (message->key.size == 0);
    rd_kafka_error_t *error = rd_kafka_produceva(kafka->producer, fields, count);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR; // the message owns the headers
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    return code;
}

rd_kafka_resp_err_t kafka_message_send(struct kafka_exporter *kafka,
                                       const struct kafka_message *message, struct kafka_slot *slot)
{
    rd_kafka_topic_t *topic;
    struct slice name = message->topic;
    if (name.size == 0)
        name = slice_from(kafka->config.topic);
    rd_kafka_resp_err_t error = kafka_topics_find(&kafka->topics, kafka->producer, name, &topic);
    if (!error)
        error = message->headers.size ? produce_with_headers(kafka, topic, message, slot)
                                      : produce(topic, message, slot);
    if (error)
        return error;
    kafka->exporter.book->requests++;
    kafka->flushing = false;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
