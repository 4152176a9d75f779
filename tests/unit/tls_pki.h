// Certificates for tests: an authority of their own, made anew each time, in a folder of its own.
#ifndef SLUICE_TESTS_TLS_PKI_H
#define SLUICE_TESTS_TLS_PKI_H

#include <openssl/ssl.h>

struct pki {
    char folder[48];
    EVP_PKEY *key; // the authority's
    X509 *authority;
    long serial;
};

#define PKI_PATH_MAX 96

// Makes the authority; its certificate is ca.pem.
void pki_open(struct pki *pki);
// Removes the folder with everything in it.
void pki_close(struct pki *pki);
// Signs a certificate for alternative names such as "DNS:collector.test,IP:127.0.0.1" and writes
// NAME.pem and NAME.key, each by one rename.
void pki_issue(struct pki *pki, const char *name, const char *alternatives);
// FOLDER/FILE, in out.
const char *pki_path(const struct pki *pki, const char *file, char out[PKI_PATH_MAX]);
// A server's context with that certificate, which takes ALPN h2 where h2 is set, and asks for a
// client's certificate of this authority where mutual is.
SSL_CTX *pki_server(const struct pki *pki, const char *name, int h2, int mutual);

#endif
