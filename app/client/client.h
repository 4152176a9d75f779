// What the files of libsluice share: the handle, its queue of encoded records, its connection.
//
// Private to app/client. Everything of a handle is under its mutex.
#ifndef SLUICE_CLIENT_CLIENT_H
#define SLUICE_CLIENT_CLIENT_H

#include "queue.h"

#include <pthread.h>
#include <sys/un.h>

#define CREDIT_FIRST ((uint64_t)64 << 10)     // bytes of Records frames before the agent's word
#define SLUICE_RECORD_MAX ((size_t)256 << 10) // bytes of one record

enum sluice_drop { SLUICE_DROP_BUFFER_FULL, SLUICE_DROP_TOO_LARGE, SLUICE_DROP_COUNT };

enum sluice_outgoing { OUT_NONE, OUT_HELLO, OUT_RECORDS, OUT_CONTROL, OUT_FLUSH };

struct sluice_connection {
    struct sockaddr_un address;
    int fd;                // -1: none
    uint64_t next_attempt; // monotonic ms
    unsigned backoff;      // ms
    bool greeted;          // the hello is written
    bool welcomed;         // so is the agent's answer read
    bool credits;          // the agent counts them too: until its Welcome it does
    uint64_t credit;       // bytes of Records frames that may still be sent
    uint64_t max_frame;    // that the agent takes; 0: not told yet
    bool going;            // the agent asked us to leave
    bool resend;           // the oldest run was already written in part
    unsigned pumps;        // since the agent's side was last read
    enum sluice_outgoing sending;
    uint8_t head[320]; // of the frame that is being sent
    size_t head_size;
    size_t written; // of head and run
    uint8_t in[1024];
    size_t in_size;
    size_t in_skip; // bytes of a frame too long for us, still to come
};

struct sluice {
    pthread_mutex_t lock;
    struct sluice_queue queue;
    struct sluice_connection connection;
    uint8_t *hello; // preamble and Hello frame
    size_t hello_size;
    uint8_t scope[256]; // the encoded scope field of every run
    size_t scope_size;
    uint64_t dropped[SLUICE_SIGNAL_COUNT][SLUICE_DROP_COUNT];
    uint64_t reported[SLUICE_SIGNAL_COUNT][SLUICE_DROP_COUNT]; // of these, to the agent
    uint64_t sent, confirmed, unconfirmed, connections;        // records; connections
    uint64_t flush_wanted, flush_sent, flush_answered;         // tokens
    uint64_t flush_barrier; // sequence that flush_wanted waits for
    uint64_t flush_mark;    // `sent` when flush_sent was written
    bool goodbye;           // to be said once all is sent
};

// Moves what can be moved now: connects, writes, reads. Never blocks. Under the lock.
void sluice_pump(struct sluice *sluice);
void sluice_disconnect(struct sluice *sluice);
// Builds the next frame's head in connection.head; OUT_NONE where nothing is to be sent.
enum sluice_outgoing sluice_next_frame(struct sluice *sluice);
// Whether the oldest run waits for the agent's credit.
bool sluice_waits_for_credit(const struct sluice *sluice);
// Builds preamble and Hello. 0 or a positive errno.
int sluice_build_hello(struct sluice *sluice, const struct sluice_options *options);
// Takes in one of the agent's frames.
void sluice_take_frame(struct sluice *sluice, const uint8_t *frame, size_t size);

// Adds a record to the queue by encode (called again where the first room was too small), and
// pumps. Takes the lock.
void sluice_add(struct sluice *sluice, enum sluice_signal signal, sluice_encode_function *encode,
                const void *record);

uint64_t sluice_now_ns(void); // real time
uint64_t sluice_monotonic_ns(void);
void sluice_random(void *data, size_t size);

#endif
