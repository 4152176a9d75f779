// What stands in the dead-letter file, and that it never holds half a line or more than it may.
#include "base/clock.h"
#include "deliver/dead_letter_line.h"
#include "deliver/dead_letters.h"
#include "deliver/exporter.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include <cmocka.h>

static char folder[64];
static char path[128];

static uint64_t fixed_time(struct clock *clock)
{
    (void)clock;
    return 1795397609000000042u; // 2026-11-22T…
}

static struct clock fixed_clock = {fixed_time, fixed_time};

static struct parcel document_parcel(const char *document)
{
    return (struct parcel){.position = 7,
                           .payload = slice_from(document),
                           .records = 1,
                           .id = {1, 2, 3, 0xff},
                           .time_ns = 1000000001,
                           .severity = 9,
                           .signal = SIGNAL_LOGS};
}

static struct dead_letters *open_letters(uint64_t max_bytes)
{
    struct dead_letters *letters = NULL;
    assert_int_equal(dead_letters_new(&letters, path, max_bytes, &fixed_clock), 0);
    return letters;
}

static size_t read_file(const char *name, char *out, size_t size)
{
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t n = fread(out, 1, size - 1, file);
    fclose(file);
    out[n] = '\0';
    return n;
}

static const char *text_at(yajl_val tree, const char *name)
{
    const char *names[] = {name, NULL};
    return YAJL_GET_STRING(yajl_tree_get(tree, names, yajl_t_string));
}

static void a_document_is_kept_verbatim(void **state)
{
    (void)state;
    struct dead_letters *letters = open_letters(1 << 20);
    struct exporter_book book = {0};
    struct parcel parcel =
        document_parcel("{\"message\":\"a \\\"b\\\"\",\"service\":{\"name\":\"shop\"}}\n");
    parcel.topic = SLICE("logs.shop");
    parcel.key = SLICE("k\"1\n");
    parcel.headers = slice_of("\1\0a\1\0\0\0b", 8);
    dead_letters_take(letters, &book, "kafka", &parcel, "message_too_large");
    parcel.key = slice_of("\xff\xfe", 2);
    dead_letters_take(letters, &book, "kafka", &parcel, "message_too_large");
    assert_int_equal(book.dead_letters, 2);
    assert_int_equal(book.dead_letters_lost, 0);
    dead_letters_free(letters);

    char text[4096], error[256];
    read_file(path, text, sizeof text);
    assert_non_null(strstr(
        text, "\"document\":{\"message\":\"a \\\"b\\\"\",\"service\":{\"name\":\"shop\"}}}\n"));
    char *second = strchr(text, '\n');
    *second++ = '\0';
    yajl_val tree = yajl_tree_parse(text, error, sizeof error);
    assert_non_null(tree);
    assert_string_equal(text_at(tree, "time"), "2026-11-23T01:33:29.000000042Z");
    assert_string_equal(text_at(tree, "exporter"), "kafka");
    assert_string_equal(text_at(tree, "reason"), "message_too_large");
    assert_string_equal(text_at(tree, "signal"), "logs");
    assert_string_equal(text_at(tree, "id"), "010203ff000000000000000000000000");
    assert_string_equal(text_at(tree, "record_time"), "1970-01-01T00:00:01.000000001Z");
    assert_string_equal(text_at(tree, "topic"), "logs.shop");
    assert_string_equal(text_at(tree, "key"), "k\"1\n");
    assert_string_equal(text_at(tree, "headers_base64"), "AQBhAQAAAGI=");
    yajl_tree_free(tree);
    tree = yajl_tree_parse(second, error, sizeof error);
    assert_non_null(tree);
    assert_string_equal(text_at(tree, "key_base64"), "//4=");
    yajl_tree_free(tree);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_fragment_is_kept_as_base64(void **state)
{
    (void)state;
    struct dead_letters *letters = open_letters(1 << 20);
    struct exporter_book book = {0};
    struct parcel parcel = document_parcel("");
    parcel.payload = slice_of("\x0a\x02\x0a\x00", 4);
    parcel.records = 5;
    parcel.signal = SIGNAL_SPANS;
    dead_letters_take(letters, &book, "otlp", &parcel, NULL);
    assert_int_equal(book.dead_letters, 5);
    dead_letters_free(letters);
    char text[4096];
    read_file(path, text, sizeof text);
    assert_non_null(strstr(text, "\"signal\":\"spans\",\"records\":5,"));
    assert_non_null(strstr(text, "\"otlp_base64\":\"CgIKAA==\"}\n"));
    assert_non_null(strstr(text, "\"reason\":\"refused\""));
}

static void keys_that_are_no_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool plain;
    } keys[] = {{"caf\xc3\xa9", true}, {"\xe2\x82\xac", true},  {"\xf0\x9f\x98\x80", true},
                {"\xc0\x80", false},   {"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false},
                {"\xe2\x82", false},   {"\x80", false},         {"a\xc3", false}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct parcel parcel = document_parcel("{}\n");
        parcel.key = slice_from(keys[i].key);
        struct dead_letter letter = {0, "kafka", "x", &parcel};
        size_t size;
        char *line = dead_letter_line(&letter, &size);
        assert_non_null(line);
        assert_int_equal(line[size - 1], '\n');
        line[size - 1] = '\0';
        assert_int_equal(strstr(line, "\"key\":") != NULL, keys[i].plain);
        assert_int_equal(strstr(line, "\"key_base64\":") != NULL, !keys[i].plain);
        free(line);
    }
}

static void a_full_file_takes_no_more(void **state)
{
    (void)state;
    struct dead_letters *letters = open_letters(1000);
    struct exporter_book book = {0};
    struct parcel parcel = document_parcel("{\"message\":\"x\"}\n");
    for (unsigned i = 0; i < 10; i++)
        dead_letters_take(letters, &book, "kafka", &parcel, "invalid_record");
    assert_true(book.dead_letters > 0);
    assert_int_equal(book.dead_letters + book.dead_letters_lost, 10);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size <= 1000);
    // Whoever moves it away makes room.
    char other[160];
    snprintf(other, sizeof other, "%s.1", path);
    assert_int_equal(rename(path, other), 0);
    uint64_t before = book.dead_letters;
    dead_letters_take(letters, &book, "kafka", &parcel, "invalid_record");
    assert_int_equal(book.dead_letters, before + 1);
    assert_int_equal(stat(path, &status), 0);
    dead_letters_free(letters);
}

// A file system without room, as a limit on the file's size.
static void half_a_line_is_taken_back(void **state)
{
    (void)state;
    struct dead_letters *letters = open_letters(1 << 20);
    struct exporter_book book = {0};
    struct parcel parcel = document_parcel("{\"message\":\"short\"}\n");
    dead_letters_take(letters, &book, "kafka", &parcel, "invalid_record");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    off_t whole = status.st_size;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = (rlim_t)whole + 20; // not enough for a line: a partial write, then EFBIG
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    dead_letters_take(letters, &book, "kafka", &parcel, "invalid_record");
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(book.dead_letters, 1);
    assert_int_equal(book.dead_letters_lost, 1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, whole);
    dead_letters_take(letters, &book, "kafka", &parcel, "invalid_record");
    assert_int_equal(book.dead_letters, 2);
    dead_letters_free(letters);
}

static void a_broken_last_line_is_ended(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    fputs("{\"time\":\"half", file);
    fclose(file);
    struct dead_letters *letters = open_letters(1 << 20);
    struct exporter_book book = {0};
    struct parcel parcel = document_parcel("{}\n");
    dead_letters_take(letters, &book, "kafka", &parcel, "x");
    dead_letters_free(letters);
    char text[1024];
    read_file(path, text, sizeof text);
    assert_non_null(strstr(text, "half\n{\"time\""));
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct dead_letters *letters = open_letters(1 << 20), *second = NULL;
    assert_int_equal(dead_letters_new(&second, path, 1, &fixed_clock), -EBUSY);
    dead_letters_free(letters);
    unlink(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(dead_letters_new(&second, path, 1, &fixed_clock), -ELOOP);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(dead_letters_new(&second, path, 1, &fixed_clock), -EINVAL);
    unlink(path);
    assert_int_equal(dead_letters_new(&second, "/nonexistent/x", 1, &fixed_clock), -ENOENT);
    assert_null(second);
}

static void without_a_file_they_are_counted(void **state)
{
    (void)state;
    struct exporter_book book = {0};
    struct parcel parcel = document_parcel("{}\n");
    parcel.records = 3;
    dead_letters_take(NULL, &book, "kafka", &parcel, "x");
    assert_int_equal(book.dead_letters_lost, 3);
    assert_int_equal(book.dead_letters, 0);
    dead_letters_free(NULL);
}

static void service_is(const char *document, const char *expected)
{
    char service[DEAD_LETTER_SERVICE_MAX];
    struct parcel parcel = document_parcel(document);
    dead_letter_service(&parcel, service);
    assert_string_equal(service, expected);
}

static void whose_it_is(void **state)
{
    (void)state;
    service_is("{\"service\":{\"name\":\"shop\"}}\n", "shop");
    service_is("{\"app\":{\"service\":{\"name\":\"no\"}},\"service\":{\"version\":\"1\",\"node\":{"
               "\"name\":"
               "\"no\"},\"name\":\"shop\"}}\n",
               "shop");
    service_is("{\"message\":\"\\\"service\\\":{\\\"name\\\":\\\"no\\\"}\"}\n", "");
    service_is("{\"labels\":{\"name\":\"no\"},\"service\":{\"name\":\"shop\"}}\n", "shop");
    service_is("{\"service\":\"no\",\"name\":\"no\"}\n", "");
    service_is("{\"service\":[\"no\"]}\n", "");

    uint8_t value[64], attribute[64], resource[96], run[128], all[160];
    size_t n = (size_t)(wire_put_bytes(value, OTLP_ANY_STRING, "shop", 4) - value);
    uint8_t *at = wire_put_bytes(attribute, OTLP_KEY_VALUE_KEY, "service.name", 12);
    n = (size_t)(wire_put_bytes(at, OTLP_KEY_VALUE_VALUE, value, n) - attribute);
    n = (size_t)(wire_put_bytes(resource, OTLP_RESOURCE_ATTRIBUTES, attribute, n) - resource);
    n = (size_t)(wire_put_bytes(run, OTLP_RUN_RESOURCE, resource, n) - run);
    n = (size_t)(wire_put_bytes(all, OTLP_REQUEST_RESOURCES, run, n) - all);
    struct parcel parcel = {.payload = slice_of(all, n)};
    char service[DEAD_LETTER_SERVICE_MAX];
    dead_letter_service(&parcel, service);
    assert_string_equal(service, "shop");
    parcel.payload.size--; // broken: no name, no crash
    dead_letter_service(&parcel, service);
    assert_string_equal(service, "");
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sluice-letters-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/dead.jsonl", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_document_is_kept_verbatim),
        IN_FOLDER(a_fragment_is_kept_as_base64),
        IN_FOLDER(keys_that_are_no_utf8),
        IN_FOLDER(a_full_file_takes_no_more),
        IN_FOLDER(half_a_line_is_taken_back),
        IN_FOLDER(a_broken_last_line_is_ended),
        IN_FOLDER(what_cannot_be_opened_is_told),
        IN_FOLDER(without_a_file_they_are_counted),
        IN_FOLDER(whose_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
