// TLS to a collector: files and their mistakes, who is trusted, and certificates that change.
#include "base/error.h"
#include "deliver/otlp_tls.h"
#include "otlp_fixture.h"
#include "tls_pki.h"

#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct bench {
    struct pki pki;
    struct fixture fixture;
    char ca[PKI_PATH_MAX], certificate[PKI_PATH_MAX], key[PKI_PATH_MAX];
    FILE *log; // what was written to stderr
    int stderr_kept;
    char text[8192];
};

// A collector with a certificate for those names, and an agent's certificate "agent".
static void bench_open(struct bench *bench, const char *names, int h2, int mutual)
{
    pki_open(&bench->pki);
    pki_issue(&bench->pki, "collector", names);
    pki_issue(&bench->pki, "agent", "DNS:agent");
    pki_path(&bench->pki, "ca.pem", bench->ca);
    pki_path(&bench->pki, "agent.pem", bench->certificate);
    pki_path(&bench->pki, "agent.key", bench->key);
    fixture_open(&bench->fixture);
    bench->fixture.collector.tls = pki_server(&bench->pki, "collector", h2, mutual);
    fflush(stderr);
    bench->stderr_kept = dup(STDERR_FILENO);
    bench->log = tmpfile();
    assert_non_null(bench->log);
    dup2(fileno(bench->log), STDERR_FILENO);
}

static const char *log_text(struct bench *bench)
{
    rewind(bench->log);
    size_t size = fread(bench->text, 1, sizeof bench->text - 1, bench->log);
    bench->text[size] = '\0';
    return bench->text;
}

static void bench_close(struct bench *bench)
{
    dup2(bench->stderr_kept, STDERR_FILENO);
    close(bench->stderr_kept);
    fclose(bench->log);
    fixture_close(&bench->fixture);
    SSL_CTX_free(bench->fixture.collector.tls);
    pki_close(&bench->pki);
}

static void start(struct bench *bench, struct otlp_tls tls)
{
    fixture_start(&bench->fixture,
                  (struct otlp_exporter_config){.tls = tls, .timeout_ns = 5 * NS_PER_S});
}

static void deliver(struct bench *bench, size_t count)
{
    fixture_offer(&bench->fixture, count, SIGNAL_SPANS);
    fixture_run(&bench->fixture, count);
    assert_all(&bench->fixture, count, VERDICT_DELIVERED);
}

static void test_delivers(void **state)
{
    (void)state;
    const char *names[] = {"DNS:localhost", "IP:127.0.0.1"}, *hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_open(&bench, names[i], 1, 0);
        collector_listen_tls(&bench.fixture.collector, hosts[i]);
        start(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true});
        deliver(&bench, 3000);
        for (size_t k = 0; k < 3000; k += 111)
            assert_int_equal(times_taken(&bench.fixture, k, SIGNAL_SPANS), 1);
        assert_int_equal(fixture_book(&bench.fixture)->failures, 0);
        assert_string_equal(bench.fixture.collector.client, ""); // no certificate of ours
        bench_close(&bench);
    }
}

static void test_server_name(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "DNS:collector.test", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench,
          (struct otlp_tls){.ca_path = bench.ca, .server_name = "collector.test", .verify = true});
    deliver(&bench, 10);
    bench_close(&bench);
}

static void test_client_certificate(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 1);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench, (struct otlp_tls){.ca_path = bench.ca,
                                    .certificate_path = bench.certificate,
                                    .key_path = bench.key,
                                    .verify = true});
    deliver(&bench, 10);
    assert_string_equal(bench.fixture.collector.client, "agent");
    bench_close(&bench);
}

// A megabyte in one request: TLS has to stop and go on in the middle of writes.
static void test_large_request(void **state)
{
    (void)state;
    static char payload[1 << 20];
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true});
    memset(payload, 'x', sizeof payload);
    struct parcel parcel = {
        .payload = slice_of(payload, sizeof payload), .records = 1, .signal = SIGNAL_LOGS};
    bench.fixture.offered = 1;
    assert_int_equal(bench.fixture.exporter->ops->offer(bench.fixture.exporter, &parcel), 0);
    fixture_run(&bench.fixture, 1);
    assert_all(&bench.fixture, 1, VERDICT_DELIVERED);
    assert_int_equal(bench.fixture.collector.largest, sizeof payload);
    bench_close(&bench);
}

static bool failed_once(struct fixture *fixture)
{
    return fixture_book(fixture)->failures > 0;
}

static bool failed_twice(struct fixture *fixture)
{
    return fixture_book(fixture)->failures > 1;
}

// Nothing is lost, nothing is sent, the reason is told, and each failure is counted.
static void refused(struct bench *bench, struct otlp_tls tls, const char *reason)
{
    start(bench, tls);
    fixture_offer(&bench->fixture, 10, SIGNAL_SPANS);
    fixture_until(&bench->fixture, failed_twice);
    assert_int_equal(bench->fixture.settled, 0);
    assert_int_equal(bench->fixture.collector.requests, 0);
    if (!strstr(log_text(bench), reason)) {
        dup2(bench->stderr_kept, STDERR_FILENO);
        fail_msg("no \"%s\" in %s", reason, bench->text);
    }
    assert_non_null(strstr(bench->text, "otlp_unreachable"));
    bench_close(bench);
}

static void test_unknown_authority(void **state)
{
    (void)state;
    struct bench bench;
    struct pki other;
    char ca[PKI_PATH_MAX];
    pki_open(&other);
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = pki_path(&other, "ca.pem", ca), .verify = true},
            "certificate verify failed: ");
    pki_close(&other);
}

static void test_system_authorities(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.verify = true}, "certificate verify failed: ");
}

static void test_wrong_name(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "DNS:elsewhere.test,IP:127.0.0.2", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "IP address mismatch");
    bench_open(&bench, "DNS:elsewhere.test", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "localhost");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "hostname mismatch");
}

static void test_verify_none(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "DNS:elsewhere.test", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench, (struct otlp_tls){.verify = false});
    deliver(&bench, 10);
    bench_close(&bench);
}

static void test_certificate_wanted(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 1);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "certificate required");
}

static void test_no_alpn(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 0, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "ALPN h2");
}

static void test_old_tls(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    SSL_CTX *tls = bench.fixture.collector.tls;
    SSL_CTX_set_cipher_list(tls, "DEFAULT@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "protocol version");
}

static void test_plain_collector(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    SSL_CTX_free(bench.fixture.collector.tls);
    bench.fixture.collector.tls = NULL;
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    refused(&bench, (struct otlp_tls){.ca_path = bench.ca, .verify = true}, "speaks no TLS here");
}

static bool one_connection(struct fixture *fixture)
{
    return collector_open(&fixture->collector) == 1;
}

static bool other_client(struct fixture *fixture)
{
    if (strcmp(fixture->collector.client, "agent2") == 0)
        return true;
    // As an app goes on logging: the swap shows with the next request.
    if (fixture->settled == fixture->offered)
        fixture_offer(fixture, fixture->offered + 1, SIGNAL_SPANS);
    return false;
}

static void replace(struct pki *pki, const char *from, const char *to)
{
    char old[PKI_PATH_MAX], new[PKI_PATH_MAX];
    assert_int_equal(rename(pki_path(pki, from, old), pki_path(pki, to, new)), 0);
}

static void test_certificate_changes(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 1);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench, (struct otlp_tls){.ca_path = bench.ca,
                                    .certificate_path = bench.certificate,
                                    .key_path = bench.key,
                                    .verify = true});
    deliver(&bench, 10);
    assert_string_equal(bench.fixture.collector.client, "agent");
    pki_issue(&bench.pki, "agent2", "DNS:agent");
    replace(&bench.pki, "agent2.key", "agent.key");
    replace(&bench.pki, "agent2.pem", "agent.pem");
    fixture_until(&bench.fixture, other_client);
    fixture_run(&bench.fixture, bench.fixture.offered);
    assert_all(&bench.fixture, bench.fixture.offered, VERDICT_DELIVERED);
    assert_int_equal(bench.fixture.collector.accepted, 2);
    fixture_until(&bench.fixture, one_connection); // the old one ends with its last answer
    assert_int_equal(fixture_book(&bench.fixture)->failures, 0);
    assert_int_equal(fixture_book(&bench.fixture)->retries, 0);
    assert_non_null(strstr(log_text(&bench), "otlp_certificates_changed"));
    bench_close(&bench);
}

struct told {
    struct bench *bench;
    const char *what;
};
static struct told awaited;

static bool told(struct fixture *fixture)
{
    (void)fixture;
    return strstr(log_text(awaited.bench), awaited.what) != NULL;
}

static void test_bad_change_is_told_and_undone(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "IP:127.0.0.1", 1, 1);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    start(&bench, (struct otlp_tls){.ca_path = bench.ca,
                                    .certificate_path = bench.certificate,
                                    .key_path = bench.key,
                                    .verify = true});
    deliver(&bench, 10);
    pki_issue(&bench.pki, "agent2", "DNS:agent");
    replace(&bench.pki, "agent2.key", "agent.key"); // the certificate stays: they do not match
    awaited = (struct told){&bench, "otlp_certificates_refused"};
    fixture_until(&bench.fixture, told);
    assert_non_null(strstr(bench.text, "tls_key_path"));
    deliver(&bench, 20);
    assert_int_equal(bench.fixture.collector.accepted, 1);
    bench_close(&bench);
}

// A clock that stands still: no back-off is ever over.
static uint64_t stand(struct clock *clock)
{
    (void)clock;
    return NS_PER_S;
}

// Back-off of ever longer waits ends with the files that were its cause.
static void test_right_files_come_at_last(void **state)
{
    (void)state;
    struct bench bench;
    struct pki other;
    char wrong[PKI_PATH_MAX], right[PKI_PATH_MAX];
    pki_open(&other);
    bench_open(&bench, "IP:127.0.0.1", 1, 0);
    collector_listen_tls(&bench.fixture.collector, "127.0.0.1");
    struct clock clock = {.monotonic = stand, .realtime = stand};
    fixture_start(&bench.fixture,
                  (struct otlp_exporter_config){
                      .tls = {.ca_path = pki_path(&other, "ca.pem", wrong), .verify = true},
                      .clock = &clock});
    fixture_offer(&bench.fixture, 10, SIGNAL_SPANS);
    fixture_until(&bench.fixture, failed_once);
    assert_int_equal(rename(pki_path(&bench.pki, "ca.pem", right), wrong), 0);
    fixture_run(&bench.fixture, 10);
    assert_all(&bench.fixture, 10, VERDICT_DELIVERED);
    bench_close(&bench);
    pki_close(&other);
}

static void bad(struct otlp_tls tls, const char *setting, const char *reason)
{
    char error[OTLP_TLS_ERROR_SIZE];
    tls.verify = true;
    assert_int_equal(otlp_tls_check(&tls, error, sizeof error), -EINVAL);
    if (strncmp(error, setting, strlen(setting)) != 0 || !strstr(error, reason))
        fail_msg("\"%s\" instead of %s … %s", error, setting, reason);
}

static void key_with_passphrase(const struct pki *pki, const char *path)
{
    char plain[PKI_PATH_MAX];
    FILE *in = fopen(pki_path(pki, "a.key", plain), "r"), *out = fopen(path, "w");
    assert_true(in && out);
    EVP_PKEY *key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
    assert_int_equal(
        PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), (unsigned char *)"x", 1, NULL, NULL), 1);
    EVP_PKEY_free(key);
    fclose(in);
    fclose(out);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct pki pki;
    char ca[PKI_PATH_MAX], a[PKI_PATH_MAX], a_key[PKI_PATH_MAX], b_key[PKI_PATH_MAX],
        none[PKI_PATH_MAX], locked[PKI_PATH_MAX], error[OTLP_TLS_ERROR_SIZE];
    pki_open(&pki);
    pki_issue(&pki, "a", "DNS:a");
    pki_issue(&pki, "b", "DNS:b");
    pki_path(&pki, "ca.pem", ca);
    pki_path(&pki, "a.pem", a);
    pki_path(&pki, "a.key", a_key);
    pki_path(&pki, "b.key", b_key);
    pki_path(&pki, "none.pem", none);
    key_with_passphrase(&pki, pki_path(&pki, "locked.key", locked));
    struct otlp_tls good = {
        .ca_path = ca, .certificate_path = a, .key_path = a_key, .verify = true};
    assert_int_equal(otlp_tls_check(&good, error, sizeof error), 0);
    assert_int_equal(otlp_tls_check(&(struct otlp_tls){.verify = true}, error, sizeof error), 0);
    bad((struct otlp_tls){.ca_path = none}, "tls_ca_path: /tmp", "No such file");
    bad((struct otlp_tls){.ca_path = a_key}, "tls_ca_path: /tmp", ": n");
    bad((struct otlp_tls){.certificate_path = none, .key_path = a_key}, "tls_certificate_path",
        "No such file");
    bad((struct otlp_tls){.certificate_path = a_key, .key_path = a_key}, "tls_certificate_path",
        "no start line");
    bad((struct otlp_tls){.certificate_path = a, .key_path = none}, "tls_key_path", "No such file");
    bad((struct otlp_tls){.certificate_path = a, .key_path = a}, "tls_key_path", "");
    bad((struct otlp_tls){.certificate_path = a, .key_path = b_key}, "tls_key_path", "mismatch");
    bad((struct otlp_tls){.certificate_path = a, .key_path = locked}, "tls_key_path", "passphrase");
    bad((struct otlp_tls){.certificate_path = a}, "tls_certificate_path is set and tls_key_path",
        "together");
    bad((struct otlp_tls){.key_path = a_key}, "tls_key_path is set and tls_certificate_path", "");
    pki_close(&pki);
}

static void test_bad_files_at_start(void **state)
{
    (void)state;
    struct bench bench;
    struct exporter *exporter;
    bench_open(&bench, "DNS:localhost", 1, 0);
    struct exporter_book book = {0};
    struct otlp_exporter_config config = {.name = "traces",
                                          .endpoint = "https://localhost:4317",
                                          .tls = {.ca_path = "/nonexistent/ca.pem", .verify = true},
                                          .loop = bench.fixture.loop,
                                          .clock = clock_system(),
                                          .book = &book};
    assert_int_equal(otlp_exporter_new(&exporter, &config), -EINVAL);
    assert_non_null(strstr(log_text(&bench), "exporters.traces.tls_ca_path: /nonexistent/ca.pem: "
                                             "No such file or directory"));
    config.endpoint = "http://localhost:4317"; // without TLS the files do not matter
    assert_int_equal(otlp_exporter_new(&exporter, &config), 0);
    exporter->ops->free(exporter);
    bench_close(&bench);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); // for the collector, which is OpenSSL's own socket
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers),
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_large_request),
        cmocka_unit_test(test_unknown_authority),
        cmocka_unit_test(test_system_authorities),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_verify_none),
        cmocka_unit_test(test_certificate_wanted),
        cmocka_unit_test(test_no_alpn),
        cmocka_unit_test(test_old_tls),
        cmocka_unit_test(test_plain_collector),
        cmocka_unit_test(test_certificate_changes),
        cmocka_unit_test(test_bad_change_is_told_and_undone),
        cmocka_unit_test(test_right_files_come_at_last),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_files_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
