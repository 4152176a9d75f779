// The TLS context of an OTLP exporter: built from files, built again when they change.
#include "deliver/otlp_tls.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct otlp_tls_context {
    struct otlp_tls tls; // its texts are ours, never NULL
    char *name;          // what the certificate must be for, and SNI where it is no address
    bool literal;        // name is an address
    SSL_CTX *ctx;
    BIO_METHOD *method;
};

// --- a socket that raises no SIGPIPE: OpenSSL's own BIO writes with write(2) ---

static int socket_write(BIO *bio, const char *data, size_t size, size_t *written)
{
    BIO_clear_retry_flags(bio);
    ssize_t n = send(*(const int *)BIO_get_data(bio), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR)
            BIO_set_retry_write(bio);
        return 0;
    }
    *written = (size_t)n;
    return 1;
}

static int socket_read(BIO *bio, char *data, size_t size, size_t *taken)
{
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(*(const int *)BIO_get_data(bio), data, size, MSG_DONTWAIT);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (n <= 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            BIO_set_retry_read(bio);
        return 0;
    }
    *taken = (size_t)n;
    return 1;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (method && BIO_meth_set_write_ex(method, socket_write) &&
        BIO_meth_set_read_ex(method, socket_read) && BIO_meth_set_ctrl(method, socket_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

// --- files ---

// OpenSSL would wait for a pipe's writer, and the loop with it.
static int regular_file(char *error, size_t size, const char *setting, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        snprintf(error, size, "%s: %s: %s", setting, path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        snprintf(error, size, "%s: %s: not a regular file", setting, path);
    else
        return 0;
    return -EINVAL;
}

// What OpenSSL says about a file's content; its text for a missing file names no reason.
static int file_mistake(char *error, size_t size, const char *setting, const char *path)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    FILE *file = fopen(path, "re");
    if (!file)
        reason = strerror(errno);
    else
        fclose(file);
    if (file && (!reason || ERR_GET_REASON(code) == ERR_R_SYS_LIB))
        reason = "not a PEM file of the kind that is needed";
    snprintf(error, size, "%s: %s: %s", setting, path, reason);
    ERR_clear_error();
    return -EINVAL;
}

// A key that asks for a passphrase is refused: nobody is there to type it.
static int no_passphrase(char *buffer, int size, int writing, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)ctx = true;
    return -1;
}

static int authorities_load(const struct otlp_tls_context *context, SSL_CTX *ctx, char *error,
                            size_t size)
{
    const char *path = context->tls.ca_path;
    if (!context->tls.verify)
        return 0;
    if (!*path)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -ENOMEM;
    if (regular_file(error, size, "tls_ca_path", path) < 0)
        return -EINVAL;
    if (SSL_CTX_load_verify_file(ctx, path) != 1)
        return file_mistake(error, size, "tls_ca_path", path);
    // The file says whom to trust: it may hold an intermediate authority, or the collector's own.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    return 0;
}

static int identity_load(const struct otlp_tls_context *context, SSL_CTX *ctx, char *error,
                         size_t size)
{
    const char *certificate = context->tls.certificate_path, *key = context->tls.key_path;
    if (!*certificate && !*key)
        return 0;
    if (!*certificate || !*key) {
        snprintf(error, size, "%s is set and %s is not: they go together",
                 *key ? "tls_key_path" : "tls_certificate_path",
                 *key ? "tls_certificate_path" : "tls_key_path");
        return -EINVAL;
    }
    bool asked = false;
    if (regular_file(error, size, "tls_certificate_path", certificate) < 0 ||
        regular_file(error, size, "tls_key_path", key) < 0)
        return -EINVAL;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        return file_mistake(error, size, "tls_certificate_path", certificate);
    int used = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (used == 1)
        return 0;
    file_mistake(error, size, "tls_key_path", key);
    if (asked)
        snprintf(error, size, "tls_key_path: %s: the key has a passphrase; use one without", key);
    return -EINVAL;
}

static int context_build(const struct otlp_tls_context *context, SSL_CTX **out, char *error,
                         size_t size)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return -ENOMEM;
    // An idle connection gives its 33 KiB of buffers back.
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // HTTP/2 marks the ends of its messages itself: a missing close_notify cuts nothing off unseen.
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                 SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, context->tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    bool made = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
                SSL_CTX_set_alpn_protos(ctx, h2, sizeof h2) == 0;
    int r = made ? authorities_load(context, ctx, error, size) : -ENOMEM;
    if (r == 0)
        r = identity_load(context, ctx, error, size);
    if (r < 0) {
        SSL_CTX_free(ctx);
        return r;
    }
    *out = ctx;
    return 0;
}

// --- the context ---

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

// True for an address, as which a certificate must name it in another field than a host's name.
static bool is_literal(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

int otlp_tls_context_new(struct otlp_tls_context **out, const struct otlp_tls *tls,
                         const char *host, char *error, size_t error_size)
{
    snprintf(error, error_size, "out of memory");
    struct otlp_tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return -ENOMEM;
    bool named = tls->server_name && *tls->server_name;
    context->tls = (struct otlp_tls){.ca_path = copy(tls->ca_path),
                                     .certificate_path = copy(tls->certificate_path),
                                     .key_path = copy(tls->key_path),
                                     .verify = tls->verify};
    context->name = copy(named ? tls->server_name : host);
    context->method = method_new();
    int r = -ENOMEM;
    if (context->tls.ca_path && context->tls.certificate_path && context->tls.key_path &&
        context->name && context->method) {
        context->name[strcspn(context->name, "%")] = '\0'; // an address' scope is no part of it
        context->literal = is_literal(context->name);
        r = context_build(context, &context->ctx, error, error_size);
    }
    if (r < 0) {
        otlp_tls_context_free(context);
        return r;
    }
    *out = context;
    return 0;
}

void otlp_tls_context_free(struct otlp_tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->method);
    free((char *)context->tls.ca_path);
    free((char *)context->tls.certificate_path);
    free((char *)context->tls.key_path);
    free(context->name);
    free(context);
}

int otlp_tls_context_reload(struct otlp_tls_context *context, char *error, size_t error_size)
{
    SSL_CTX *ctx;
    snprintf(error, error_size, "out of memory");
    int r = context_build(context, &ctx, error, error_size);
    if (r < 0)
        return r;
    SSL_CTX_free(context->ctx); // sessions that use it keep it
    context->ctx = ctx;
    return 0;
}

void otlp_tls_context_paths(const struct otlp_tls_context *context, const char *paths[3])
{
    paths[0] = context->tls.ca_path;
    paths[1] = context->tls.certificate_path;
    paths[2] = context->tls.key_path;
}

static bool peer_expect(const struct otlp_tls_context *context, SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (!context->literal && SSL_set_tlsext_host_name(ssl, context->name) != 1)
        return false;
    if (!context->tls.verify)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return context->literal ? X509_VERIFY_PARAM_set1_ip_asc(param, context->name) == 1
                            : SSL_set1_host(ssl, context->name) == 1;
}

SSL *otlp_tls_session(struct otlp_tls_context *context, int *fd)
{
    SSL *ssl = SSL_new(context->ctx);
    BIO *bio = ssl ? BIO_new(context->method) : NULL;
    if (bio) {
        BIO_set_data(bio, fd);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl, bio, bio);
        SSL_set_connect_state(ssl);
        if (peer_expect(context, ssl))
            return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

int otlp_tls_check(const struct otlp_tls *tls, char *error, size_t error_size)
{
    struct otlp_tls_context *context;
    int r = otlp_tls_context_new(&context, tls, "localhost", error, error_size);
    if (r == 0)
        otlp_tls_context_free(context);
    return r;
}
