// The least a program can do between a Unix socket and Kafka: recv, split at newlines,
// rd_kafka_produce. The yardstick.
//
//     relay SOCKET BROKERS TOPIC [DOCUMENTS]
//
// Without DOCUMENTS each line is sent as it came. With it (one document a line) the nth line that
// comes sends the nth document, over and over: the twin, which sends the very documents that the
// agent sends. Prints what was delivered and ends when its writer has closed and everything is
// acknowledged.
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_SIZE (64 << 10)

struct documents {
    char **lines;
    size_t *sizes;
    size_t count;
};

static unsigned long delivered, failed;

static void reported(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *ctx)
{
    (void)kafka;
    (void)ctx;
    if (message->err)
        failed++;
    else
        delivered++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static rd_kafka_t *producer(const char *brokers)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "compression.type", "lz4");
    set(conf, "linger.ms", "20");
    set(conf, "enable.idempotence", "true");
    set(conf, "queue.buffering.max.messages", "1000000");
    rd_kafka_conf_set_dr_msg_cb(conf, reported);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!kafka) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return kafka;
}

static int accept_one(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listening, 1) < 0) {
        perror(path);
        exit(1);
    }
    puts("ready");
    fflush(stdout);
    return accept(listening, NULL, NULL);
}

static void load(struct documents *documents, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    if (!file) {
        perror(path);
        exit(1);
    }
    while ((size = getline(&line, &room, file)) > 0) {
        documents->lines = realloc(documents->lines, (documents->count + 1) * sizeof(char *));
        documents->sizes = realloc(documents->sizes, (documents->count + 1) * sizeof(size_t));
        documents->lines[documents->count] = line;
        documents->sizes[documents->count++] = (size_t)size - 1;
        line = NULL;
    }
    fclose(file);
}

static void send_line(rd_kafka_t *kafka, rd_kafka_topic_t *topic, struct documents *documents,
                      char *line, size_t size)
{
    static size_t next;
    void *payload = line;
    int flags = RD_KAFKA_MSG_F_COPY;
    if (documents->count) { // they stay where they are, so they need no copy
        payload = documents->lines[next];
        size = documents->sizes[next];
        next = (next + 1) % documents->count;
        flags = 0;
    }
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, flags, payload, size, NULL, 0, NULL) < 0)
        rd_kafka_poll(kafka, 10);
}

int main(int argc, char **argv)
{
    static char buffer[BUFFER_SIZE];
    static struct documents documents;
    size_t held = 0;
    ssize_t n;
    if (argc < 4)
        return 2;
    if (argc > 4)
        load(&documents, argv[4]); // until the process ends
    rd_kafka_t *kafka = producer(argv[2]);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, argv[3], NULL);
    int fd = accept_one(argv[1]);
    while ((n = recv(fd, buffer + held, sizeof buffer - held, 0)) > 0) {
        char *start = buffer, *end = buffer + held + n, *newline;
        while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
            send_line(kafka, topic, &documents, start, (size_t)(newline - start));
            start = newline + 1;
        }
        held = (size_t)(end - start);
        memmove(buffer, start, held);
        rd_kafka_poll(kafka, 0);
    }
    rd_kafka_flush(kafka, 60000);
    printf("delivered=%lu failed=%lu\n", delivered, failed);
    fflush(stdout);
    pause(); // until the one who measures has read our CPU time
}
