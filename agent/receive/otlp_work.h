// The Export requests in hand: of every connection, from the bytes of its HTTP/2 session to the
// reply, in turns of the loop.
//
// A small request is appended in the turn in which it becomes whole. A large one is taken over and
// waits in a lane, one for each signal: its first is appended a turn at a time, the others wait
// behind it. Once its first record is appended a request is taken: where a log fills up, the rest
// waits for room, also when its connection has gone. The reply is the receipt, so it leaves when
// everything is appended. Private to receive/. Loop thread only. Source: OTLP specification,
// OTLP/gRPC.
#ifndef SLUICE_RECEIVE_OTLP_WORK_H
#define SLUICE_RECEIVE_OTLP_WORK_H

#include "base/slice.h"
#include "decode/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_budget;
struct clock;
struct decoder;
struct loop;
struct otlp_peer;
struct otlp_work;

struct otlp_work_config {
    struct loop *loop;
    struct clock *clock;
    struct decoder *decoder;
    size_t max_message;                // bytes, inflated
    struct byte_budget *message_bytes; // what all messages may hold; its limit may be 0
};

int otlp_work_new(struct otlp_work **out, const struct otlp_work_config *config);
// Finishes first. All peers must have gone.
void otlp_work_free(struct otlp_work *work);
// Appends everything in hand now, and from now on each request at once: the agent ends. What has no
// room is shed, or refused where nothing of it is appended.
void otlp_work_finish(struct otlp_work *work);
// One connection's part. resume is called when the connection is to go on: feed it again (with
// nothing, where there is nothing) and pull its output. Never from inside a call of the owner's,
// but for otlp_peer_feed and otlp_peer_output, so it must only take note. 0, -ENOMEM, or -ENOBUFS
// where the memory for sessions is used up.
int otlp_peer_new(struct otlp_peer **out, struct otlp_work *work, void (*resume)(void *ctx),
                  void *ctx);
// What is in hand is appended all the same; nobody gets its reply.
void otlp_peer_free(struct otlp_peer *peer);
// Whether it broke its protocol, or flooded us: the reason for DECODE_CLOSE.
bool otlp_peer_broken(const struct otlp_peer *peer);
// Takes all of data. DECODE_BLOCKED: read no more until resume is called. end: nothing follows; it
// is blocked until every reply is there. After otlp_work_finish it never blocks, and end says
// goodbye.
enum decode_stop otlp_peer_feed(struct otlp_peer *peer, struct slice data, bool end);
size_t otlp_peer_output(struct otlp_peer *peer, const uint8_t **data);

#endif
