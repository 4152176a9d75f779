// The files that a producer was made of (certificates, keys): new ones make a new producer.
#ifndef SLUICE_DELIVER_KAFKA_CERTIFICATES_H
#define SLUICE_DELIVER_KAFKA_CERTIFICATES_H

#include <stdint.h>

struct file_watch;
struct kafka_exporter;

struct kafka_certificates {
    struct file_watch *watch; // NULL: the properties name no file, or nothing can be watched
    uint64_t contents;        // a hash of what the files held when a producer was made of them
};

void kafka_certificates_watch(struct kafka_exporter *kafka);
void kafka_certificates_unwatch(struct kafka_exporter *kafka);
// What the watch calls: replaces the producer if the files hold something else that librdkafka
// takes.
void kafka_certificates_changed(struct kafka_exporter *kafka);

#endif
