// An authority for tests, on OpenSSL.
#include "tls_pki.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

const char *pki_path(const struct pki *pki, const char *file, char out[PKI_PATH_MAX])
{
    snprintf(out, PKI_PATH_MAX, "%s/%s", pki->folder, file);
    return out;
}

// Writes a certificate or a key, whole or not at all.
static void write_pem(const struct pki *pki, const char *name, const char *ending,
                      X509 *certificate, EVP_PKEY *key)
{
    char file[64], fresh[PKI_PATH_MAX], path[PKI_PATH_MAX];
    snprintf(file, sizeof file, "%s.%s", name, ending);
    pki_path(pki, file, path);
    pki_path(pki, "fresh", fresh);
    FILE *out = fopen(fresh, "w");
    assert_non_null(out);
    if (certificate)
        assert_int_equal(PEM_write_X509(out, certificate), 1);
    else
        assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

// issuer NULL: signs itself.
static X509 *certify(struct pki *pki, const char *name, EVP_PKEY *key, X509 *issuer,
                     const char *constraint, const char *alternatives)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++pki->serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    extend(certificate, NID_basic_constraints, constraint);
    if (alternatives)
        extend(certificate, NID_subject_alt_name, alternatives);
    assert_true(X509_sign(certificate, pki->key, EVP_sha256()) > 0);
    return certificate;
}

void pki_open(struct pki *pki)
{
    *pki = (struct pki){0};
    snprintf(pki->folder, sizeof pki->folder, "/tmp/sluice-pki-XXXXXX");
    assert_non_null(mkdtemp(pki->folder));
    pki->key = EVP_EC_gen("P-256");
    assert_non_null(pki->key);
    pki->authority = certify(pki, "authority", pki->key, NULL, "critical,CA:TRUE", NULL);
    write_pem(pki, "ca", "pem", pki->authority, NULL);
}

void pki_close(struct pki *pki)
{
    DIR *folder = opendir(pki->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(pki->folder);
    X509_free(pki->authority);
    EVP_PKEY_free(pki->key);
}

void pki_issue(struct pki *pki, const char *name, const char *alternatives)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = certify(pki, name, key, pki->authority, "CA:FALSE", alternatives);
    write_pem(pki, name, "key", NULL, key);
    write_pem(pki, name, "pem", certificate, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                     const unsigned char *in, unsigned in_size, void *ctx)
{
    (void)ssl;
    (void)ctx;
    static const unsigned char h2[] = {2, 'h', '2'};
    unsigned char *chosen;
    int r = SSL_select_next_proto(&chosen, out_size, h2, sizeof h2, in, in_size);
    *out = chosen;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX *pki_server(const struct pki *pki, const char *name, int h2, int mutual)
{
    char file[64], path[PKI_PATH_MAX];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(ctx);
    snprintf(file, sizeof file, "%s.pem", name);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, pki_path(pki, file, path)), 1);
    snprintf(file, sizeof file, "%s.key", name);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, pki_path(pki, file, path), SSL_FILETYPE_PEM),
                     1);
    if (h2)
        SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
    if (mutual) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        assert_int_equal(SSL_CTX_load_verify_file(ctx, pki_path(pki, "ca.pem", path)), 1);
    }
    return ctx;
}
