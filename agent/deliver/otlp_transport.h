// Bytes to and from a collector over a connected, non-blocking socket: as they are, or in TLS.
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_TRANSPORT_H
#define SLUICE_DELIVER_OTLP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct otlp_tls_context;
struct ssl_st;

// Embedded in a connection; zeroed and with fd -1 before its first open.
struct otlp_transport {
    int fd;             // -1: none. Not owned.
    struct ssl_st *ssl; // NULL: plain
    bool shaken;        // hands: bytes may flow
    bool broken;        // TLS has failed: no farewell
    // TLS may have to write to read on, and the other way round.
    bool read_waits_for_write, write_waits_for_read;
    char why[256]; // of the last failure
};

// tls NULL: plain, and a handshake is done at once. 0 or -ENOMEM.
int otlp_transport_open(struct otlp_transport *transport, int fd, struct otlp_tls_context *tls);
// Says goodbye where that is possible, and forgets the socket. Safe twice.
void otlp_transport_close(struct otlp_transport *transport);

// 0: done; -EAGAIN: wait for otlp_transport_events; -EPROTO: failed, see why.
int otlp_transport_handshake(struct otlp_transport *transport);
// Bytes, 0 at the peer's end, -EAGAIN, or -EPROTO: broken, see why. Where there is TLS, size is at
// least OTLP_TRANSPORT_RECORD, so that nothing stays decrypted inside while the socket is quiet.
ssize_t otlp_transport_read(struct otlp_transport *transport, uint8_t *out, size_t size);
// Bytes taken, -EAGAIN, or -EPROTO. After -EAGAIN the same bytes are offered again.
ssize_t otlp_transport_write(struct otlp_transport *transport, const uint8_t *data, size_t size);
// LOOP_READ and LOOP_WRITE as the next step needs them; more: there is output left.
unsigned otlp_transport_events(const struct otlp_transport *transport, bool more);

#define OTLP_TRANSPORT_RECORD (16u << 10) // the largest plain text of a TLS record

#endif
