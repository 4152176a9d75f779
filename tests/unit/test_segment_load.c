// Segments of other versions and forms in a log's folder: version 1 is sent and then removed, a
// newer one is left alone, another form is refused.
#include "spool_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE ((size_t)65536)

// What version 1 wrote into a segment of 64 KiB, where it is not zero: one entry delivered, one
// pending with two records, one dead, one pending with three. These bytes are history: they never
// change.
static const struct {
    size_t at;
    const char *hex;
} version_1[] = {
    {0x0000, "534c554943455347010000000010000000000100400000008000000000300000"
             "303132333435363738396162636465000700000000000000e803000000000000"
             "88130000000000004d00000000000000"},
    {0x007c, "5f19ef8304008701"
             "07000000"},
    {0x1000, "be056aae4411000061616161616161616161616161616161"
             "09000000000000002c0000000000000003000000010000000000000000300000"
             "0d000000f1ff0000"
             "3028698d5011000062626262626262626262626262626262"
             "09000000000000002c0000000000000003000000020000000100000"
             "00d3000000c000000f1ff0000"
             "8b00432e5811000063636363636363636363636363636363"
             "09000000000000002c0000000000000003000000010000000300000019300000"
             "0d00000000000000"
             "5f5094d35011000064646464646464646464646464646464"
             "09000000000000002c0000000000000003000000030000000400000026300000"
             "0c00000000000000"},
    {0x3000, "7b226d223a2273656e74227d0a7b226d223a226f6e65227d0a7b226d223a2264"
             "656164227d0a7b226d223a2274776f227d0a"},
    {0xfff1, "04000100020000006c6f67736b6868"},
};

static char folder[64];

static int folder_new(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-segment-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int folder_gone(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void version_1_bytes(uint8_t *out)
{
    memset(out, 0, SIZE);
    for (size_t i = 0; i < sizeof version_1 / sizeof *version_1; i++) {
        const char *hex = version_1[i].hex;
        for (size_t n = 0; hex[2 * n]; n++)
            out[version_1[i].at + n] = (uint8_t)(digit(hex[2 * n]) << 4 | digit(hex[2 * n + 1]));
    }
}

static void file_path(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static void file_write(const char *name, const uint8_t *bytes)
{
    char path[128];
    file_path(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, SIZE), SIZE);
    close(fd);
}

static bool file_exists(const char *name)
{
    char path[128];
    file_path(name, path);
    return access(path, F_OK) == 0;
}

struct run {
    struct fixture fixture;
    struct parcel parcels[8];
    char payloads[8][32];
    unsigned count;
};

static void offered(struct fake_exporter *fake, const struct parcel *parcel)
{
    struct run *run = fake->ctx;
    assert_true(run->count < 8 && parcel->payload.size < 32);
    memcpy(run->payloads[run->count], parcel->payload.data, parcel->payload.size);
    run->parcels[run->count++] = *parcel;
    fake_answer(fake, fake->taken[fake->taken_count - 1], VERDICT_DELIVERED, 0);
}

static int run_start(struct run *run, enum spool_form form)
{
    *run = (struct run){0};
    assert_int_equal(loop_new(&run->fixture.loop), 0);
    run->fixture.fake.exporter.ops = &fake_exporter_ops;
    run->fixture.fake.window = SIZE_MAX;
    run->fixture.fake.on_offer = offered;
    run->fixture.fake.ctx = run;
    struct spool_config config = fixture_config(&run->fixture, 4);
    config.level = SPOOL_PROCESS;
    config.folder = folder;
    config.form = form;
    return spool_log_new(&run->fixture.log, &config);
}

static void run_end(struct run *run)
{
    spool_log_free(run->fixture.log);
    loop_free(run->fixture.loop);
}

static void version_1_is_sent_and_then_removed(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    struct run run;
    version_1_bytes(bytes);
    file_write("00000001.segment", bytes);
    assert_int_equal(run_start(&run, SPOOL_FORM_ECS), 0);
    fixture_turn(&run.fixture);
    assert_int_equal(run.count, 2);
    assert_int_equal(run.fixture.book.recovered, 5);
    assert_int_equal(run.fixture.book.damaged + run.fixture.book.set_aside, 0);
    assert_string_equal(run.payloads[0], "{\"m\":\"one\"}\n");
    assert_string_equal(run.payloads[1], "{\"m\":\"two\"}\n");
    assert_memory_equal(run.parcels[0].id, "bbbbbbbbbbbbbbbb", 16);
    assert_int_equal(run.parcels[0].records, 2);
    assert_int_equal(run.parcels[0].key.size, 1);
    assert_int_equal(run.parcels[1].key.size, 0);
    // Never written into again: the next segment is another file.
    assert_false(file_exists("00000001.segment"));
    assert_int_equal(fixture_append(&run.fixture, 4, 'x', 1), 0);
    assert_int_equal(run.fixture.log->live[0]->identity.generation, 8);
    assert_int_equal(run.fixture.log->live[0]->version, SEGMENT_VERSION);
    assert_true(file_exists("00000002.segment"));
    fixture_turn(&run.fixture);
    run_end(&run);
}

static void a_newer_version_is_left_as_it_is(void **state)
{
    (void)state;
    uint8_t bytes[SIZE];
    struct run run;
    version_1_bytes(bytes);
    bytes[HEADER_VERSION] = SEGMENT_VERSION + 1;
    file_write("00000003.segment", bytes);
    for (int i = 0; i < 2; i++) { // and again by the next start
        assert_int_equal(run_start(&run, SPOOL_FORM_ECS), 0);
        fixture_turn(&run.fixture);
        assert_int_equal(run.count, 0);
        assert_int_equal(run.fixture.book.set_aside, 1);
        assert_int_equal(fixture_append(&run.fixture, 4, 'x', 1), 0);
        assert_true(file_exists("00000004.segment"));
        fixture_turn(&run.fixture);
        run_end(&run);
    }
    assert_true(file_exists("00000003.segment"));
}

static void another_form_is_refused(void **state)
{
    (void)state;
    struct run run;
    assert_int_equal(run_start(&run, SPOOL_FORM_ECS), 0);
    run.fixture.fake.window = 0; // takes nothing
    assert_int_equal(fixture_append(&run.fixture, 4, 'x', 1), 0);
    assert_int_equal(run.fixture.log->live[0]->identity.form, SPOOL_FORM_ECS);
    assert_string_equal(run.fixture.log->live[0]->identity.exporter, "fake");
    run_end(&run);
    assert_int_equal(run_start(&run, SPOOL_FORM_OTLP), -EMEDIUMTYPE);
    loop_free(run.fixture.loop);
    assert_true(file_exists("00000001.segment"));
    assert_int_equal(run_start(&run, SPOOL_FORM_ECS), 0);
    fixture_turn(&run.fixture);
    assert_int_equal(run.count, 1);
    run_end(&run);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_new, folder_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_1_is_sent_and_then_removed),
        TEST(a_newer_version_is_left_as_it_is),
        TEST(another_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
