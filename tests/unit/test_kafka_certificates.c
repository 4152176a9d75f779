// New files make a new producer, half-written ones do not, and nothing is lost either way.
#include "kafka_read_back.h"

#include "deliver/kafka_exporter.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128], other[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(other, sizeof other, "%s.new", path);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(other, path), 0);
}

// A certificate that signs itself, and its key.
static void make_pair(const char *certificate, const char *key)
{
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
             "-keyout k.tmp -out c.tmp 2>/dev/null && mv k.tmp %s && mv c.tmp %s",
             folder, key, certificate);
    assert_int_equal(system(command), 0);
}

static struct kafka_exporter *of(struct bench *bench)
{
    return (struct kafka_exporter *)(void *)bench->exporter;
}

static uint64_t before; // when the first producer was opened; the next may have its address

static bool is_another(struct bench *bench)
{
    return of(bench)->producer && of(bench)->opened_ns != before;
}

static void new_files_make_a_new_producer(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    make_pair("cert.pem", "key.pem");
    char ca[128];
    snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    // The mock cluster speaks no TLS: the file is watched all the same.
    struct setting_pair properties[] = {{"ssl.ca.location", ca}};
    bench->stop_at = 100;
    start(bench, properties, 1, 50);
    before = of(bench)->opened_ns;
    uint64_t contents = of(bench)->certificates.contents;
    pump(bench);
    make_pair("cert.pem", "key.pem");
    run_until(bench, is_another);
    assert_int_not_equal(of(bench)->certificates.contents, contents);
    bench->stop_at = 0;
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    read_back(bench);
    tear_down(bench);
}

static void a_key_that_does_not_fit_keeps_the_old_producer(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    make_pair("cert.pem", "key.pem");
    char certificate[128], key[128];
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    struct setting_pair properties[] = {{"security.protocol", "ssl"},
                                        {"ssl.certificate.location", certificate},
                                        {"ssl.key.location", key}};
    start(bench, properties, 3, 50);
    before = of(bench)->opened_ns;
    uint64_t contents = of(bench)->certificates.contents;
    make_pair("cert.pem", "other.pem"); // the key is still the old one's
    // As the watch does when the files are quiet, without waiting for that.
    kafka_certificates_changed(of(bench));
    assert_int_equal(of(bench)->opened_ns, before);
    assert_int_equal(of(bench)->state, KAFKA_OPEN);
    assert_int_equal(of(bench)->certificates.contents, contents);
    char from[128];
    snprintf(from, sizeof from, "%s/other.pem", folder);
    assert_int_equal(rename(from, key), 0);
    run_until(bench, is_another);
    tear_down(bench);
}

static void the_same_contents_change_nothing(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    make_pair("cert.pem", "key.pem");
    char ca[128], text[8192] = "";
    snprintf(ca, sizeof ca, "%s/cert.pem", folder);
    struct setting_pair properties[] = {{"security.protocol", "ssl"}, {"ssl.ca.location", ca}};
    start(bench, properties, 2, 50);
    before = of(bench)->opened_ns;
    FILE *file = fopen(ca, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    write_file("cert.pem", text);
    struct kafka_exporter *kafka = of(bench);
    kafka_certificates_changed(kafka);
    assert_int_equal(kafka->state, KAFKA_OPEN);
    write_file("cert.pem", "not a certificate\n");
    kafka_certificates_changed(kafka);
    assert_int_equal(kafka->state, KAFKA_OPEN);
    assert_int_equal(kafka->opened_ns, before);
    tear_down(bench);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sluice-certificates-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_files_make_a_new_producer, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_does_not_fit_keeps_the_old_producer, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_same_contents_change_nothing, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
