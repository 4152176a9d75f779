// Reads and writes of a collector's connection, plain and TLS; failures become words.
#include "deliver/otlp_transport.h"

#include "base/error.h"
#include "base/loop.h"
#include "deliver/otlp_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(OTLP_TRANSPORT_RECORD == SSL3_RT_MAX_PLAIN_LENGTH, "one read empties a record");

int otlp_transport_open(struct otlp_transport *transport, int fd, struct otlp_tls_context *tls)
{
    *transport = (struct otlp_transport){.fd = fd, .shaken = !tls};
    if (!tls)
        return 0;
    transport->ssl = otlp_tls_session(tls, &transport->fd);
    return transport->ssl ? 0 : -ENOMEM;
}

void otlp_transport_close(struct otlp_transport *transport)
{
    if (transport->ssl) {
        ERR_clear_error();
        if (transport->shaken && !transport->broken)
            SSL_shutdown(transport->ssl); // one close_notify, if the socket takes it
        SSL_free(transport->ssl);
        ERR_clear_error();
    }
    transport->ssl = NULL;
    transport->fd = -1;
    transport->shaken = false;
}

static int broken(struct otlp_transport *transport, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int broken(struct otlp_transport *transport, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(transport->why, sizeof transport->why, format, arguments);
    va_end(arguments);
    transport->broken = true;
    return -EPROTO;
}

static int no_h2(struct otlp_transport *transport)
{
    return broken(transport, "the collector offers no HTTP/2 over TLS (ALPN h2): is this its "
                             "OTLP/gRPC port?");
}

// OpenSSL's reason, and where it can be had the way out.
static int protocol_failed(struct otlp_transport *transport)
{
    unsigned long code = ERR_peek_last_error(); // the first is of a layer below
    long verified = SSL_get_verify_result(transport->ssl);
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        switch (ERR_GET_REASON(code)) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return broken(transport, "certificate verify failed: %s",
                          X509_verify_cert_error_string(verified));
        case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
            return no_h2(transport);
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_HTTP_REQUEST:
            return broken(transport, "the collector speaks no TLS here; without it the endpoint "
                                     "is http://…");
        default:
            break;
        }
    return broken(transport, "TLS: %s", reason ? reason : "unknown failure");
}

// What a call of OpenSSL has come to. writing: which of the two directions it was.
static int session_result(struct otlp_transport *transport, int r, bool writing)
{
    int saved = errno;
    switch (SSL_get_error(transport->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        transport->write_waits_for_read = writing;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        transport->read_waits_for_write = !writing;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return broken(transport, "the connection broke: %s",
                      saved ? strerror(saved) : "closed by the collector");
    default:
        return protocol_failed(transport);
    }
}

static void session_begin(struct otlp_transport *transport, bool writing)
{
    *(writing ? &transport->write_waits_for_read : &transport->read_waits_for_write) = false;
    ERR_clear_error();
    errno = 0;
}

int otlp_transport_handshake(struct otlp_transport *transport)
{
    if (transport->shaken)
        return 0;
    transport->write_waits_for_read = false;
    session_begin(transport, false);
    int r = SSL_do_handshake(transport->ssl);
    if (r != 1) {
        r = session_result(transport, r, false);
        return r == 0 ? broken(transport, "the collector closed the connection during the TLS "
                                          "handshake")
                      : r;
    }
    const unsigned char *protocol;
    unsigned size;
    SSL_get0_alpn_selected(transport->ssl, &protocol, &size);
    if (size != 2 || memcmp(protocol, "h2", 2) != 0)
        return no_h2(transport);
    transport->shaken = true;
    return 0;
}

ssize_t otlp_transport_read(struct otlp_transport *transport, uint8_t *out, size_t size)
{
    if (!transport->ssl) {
        ssize_t n;
        do
            n = recv(transport->fd, out, size, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n >= 0 || errno == EAGAIN)
            return n < 0 ? -EAGAIN : n;
        return broken(transport, "the connection broke: %s", strerror(errno));
    }
    size_t n;
    session_begin(transport, false);
    int r = SSL_read_ex(transport->ssl, out, size, &n);
    return r == 1 ? (ssize_t)n : session_result(transport, r, false);
}

ssize_t otlp_transport_write(struct otlp_transport *transport, const uint8_t *data, size_t size)
{
    if (!transport->ssl) {
        ssize_t n;
        do
            n = send(transport->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n >= 0 || errno == EAGAIN)
            return n < 0 ? -EAGAIN : n;
        return broken(transport, "the connection broke while writing: %s", strerror(errno));
    }
    size_t n;
    session_begin(transport, true);
    int r = SSL_write_ex(transport->ssl, data, size, &n);
    if (r == 1)
        return (ssize_t)n;
    r = session_result(transport, r, true);
    return r == 0 ? broken(transport, "the collector closed the connection") : r;
}

unsigned otlp_transport_events(const struct otlp_transport *transport, bool more)
{
    bool write = transport->read_waits_for_write;
    if (transport->shaken)
        write = write || (more && !transport->write_waits_for_read);
    return LOOP_READ | (write ? LOOP_WRITE : 0u);
}
