// What TLS to a collector needs besides a socket: authorities, our certificate, who the peer must
// be.
//
// Loop thread only. On OpenSSL 3.
#ifndef SLUICE_DELIVER_OTLP_TLS_H
#define SLUICE_DELIVER_OTLP_TLS_H

#include "deliver/otlp.h"

struct ssl_st;
struct otlp_tls_context;

// Enough for a setting's name, a path and a reason.
#define OTLP_TLS_ERROR_SIZE 512

// host: of the endpoint, a name or a literal address. 0, -ENOMEM, or -EINVAL with error naming the
// setting: a file that is missing or unusable, a key that does not belong to the certificate.
int otlp_tls_context_new(struct otlp_tls_context **out, const struct otlp_tls *tls,
                         const char *host, char *error, size_t error_size);
void otlp_tls_context_free(struct otlp_tls_context *context);
// Reads the files again, for sessions made from now on. Where that fails, as above, what was read
// before stays.
int otlp_tls_context_reload(struct otlp_tls_context *context, char *error, size_t error_size);
// The three files, "" where there is none.
void otlp_tls_context_paths(const struct otlp_tls_context *context, const char *paths[3]);
// A client's session over the socket *fd, which is not owned: TLS 1.2 at least, ALPN h2, server
// name, peer to be verified as set. Context and fd must outlive it. NULL: no memory.
struct ssl_st *otlp_tls_session(struct otlp_tls_context *context, int *fd);

#endif
