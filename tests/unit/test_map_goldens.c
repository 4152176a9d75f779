// What real loggers wrote becomes the documents that tests/goldens/lines has for it, and no line's
// document depends on the order of its keys.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode/map_time.h"
#include "decode_fixture.h"
#include "flat_document.h"

#include <math.h>

#define FOLDER "../goldens/lines/"

static char *read_all(const char *name, const char *suffix, size_t *size)
{
    char path[256];
    snprintf(path, sizeof path, FOLDER "%s%s", name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *text = NULL;
    size_t room = 0;
    *size = 0;
    do {
        room += 1 << 16;
        text = realloc(text, room + 1);
        *size += fread(text + *size, 1, room - *size, file);
    } while (*size == room);
    fclose(file);
    text[*size] = '\0';
    return text;
}

static bool is_ignored(const char *path)
{
    static const char *const exact[] = {"event.id", "event.created", "event.ingested",
                                        "event.sequence"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (strcmp(path, exact[i]) == 0)
            return true;
    return strncmp(path, "agent.", 6) == 0 || strncmp(path, "data_stream.", 12) == 0;
}

static bool same_value(const char *path, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    if (strcmp(path, "@timestamp") == 0) {
        uint64_t left, right;
        bool times = time_parse(slice_of(a + 1, strlen(a) - 2), &left) &&
                     time_parse(slice_of(b + 1, strlen(b) - 2), &right);
        return times && (left > right ? left - right : right - left) <= 1000;
    }
    char *end_a, *end_b;
    double left = strtod(a, &end_a), right = strtod(b, &end_b);
    return !*end_a && !*end_b && left == right;
}

// Makes of a golden what deviations.txt says the document must be.
static void deviate(struct flat_document *golden, const char *name, size_t record)
{
    size_t size;
    char *text = read_all("deviations", ".txt", &size);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char file[64], number[8], path[128];
        int at = 0;
        if (line[0] == '#' || sscanf(line, "%63s %7s %127s %n", file, number, path, &at) != 3)
            continue;
        if (strcmp(file, name) == 0 && strtoul(number, NULL, 10) == record)
            flat_set(golden, path, strcmp(line + at, "-") == 0 ? NULL : line + at);
    }
    free(text);
}

static int differences;

static void compare(const char *name, size_t record, const char *document, const char *golden_text)
{
    struct flat_document got = flat_parse(document), golden = flat_parse(golden_text);
    int wrong = 0;
    deviate(&golden, name, record);
    for (size_t i = 0; i < got.count; i++) {
        const char *path = got.leaves[i].path, *expected = flat_at(&golden, path);
        if (is_ignored(path) || (expected && same_value(path, got.leaves[i].value, expected)))
            continue;
        print_error("%s %zu: %s is %s, not %s\n", name, record, path, got.leaves[i].value,
                    expected ? expected : "absent");
        wrong++;
    }
    for (size_t i = 0; i < golden.count; i++) {
        if (flat_at(&got, golden.leaves[i].path))
            continue;
        print_error("%s %zu: %s is absent\n", name, record, golden.leaves[i].path);
        wrong++;
    }
    flat_free(&got);
    flat_free(&golden);
    differences += wrong;
}

static const char *const names[] = {
    "java-plain-text",
    "nasty-blank_lines",
    "nasty-cut_mid",
    "nasty-nested",
    "nasty-nul",
    "nasty-plain_P",
    "nasty-unterminated",
    "nasty-utf8",
    "py-loguru",
    "node-winston",
    "py-makefile-utf8",
    "py-uvicorn",
    "go-slog",
    "go-zap",
    "node-pino-net",
    "py-structlog-dict_tracebacks",
    "py-structlog-nasty",
    "nasty-dup_keys",
    "nasty-levels",
    "nasty-nan_inf",
    "nasty-timestamps",
    "ref-node-ecs-pino",
    "ref-py-ecs-stdlib",
    "ref-py-ecs-structlog",
};

static void goldens_match(void **state)
{
    (void)state;
    fixture.join = true;
    fixture_open(256 << 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size, golden_size, record = 0;
        char *input = read_all(names[i], ".in", &size);
        char *golden = read_all(names[i], ".ecs.ndjson", &golden_size);
        documents_forget();
        decode_stream(slice_of(input, size));
        for (char *line = golden; *line; record++) {
            char *end = strchr(line, '\n');
            *end = '\0';
            assert_true(record < documents.count);
            compare(names[i], record, documents.text[record], line);
            line = end + 1;
        }
        assert_int_equal(record, documents.count);
        assert_int_equal(documents.pending, 0);
        free(input);
        free(golden);
    }
    fixture_close();
    assert_int_equal(differences, 0);
}

static uint64_t random_state;

static size_t random_below(size_t bound)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(random_state >> 33) % bound;
}

// The line with its members in another order; NULL where it is no object or has a key twice.
static char *shuffle(const char *line)
{
    yajl_val tree = yajl_tree_parse(line, NULL, 0);
    if (!tree || !YAJL_IS_OBJECT(tree)) {
        yajl_tree_free(tree);
        return NULL;
    }
    size_t count = tree->u.object.len;
    bool unique = true;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            unique &= strcmp(tree->u.object.keys[i], tree->u.object.keys[j]) != 0;
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(i);
        const char *key = tree->u.object.keys[i - 1];
        yajl_val value = tree->u.object.values[i - 1];
        tree->u.object.keys[i - 1] = tree->u.object.keys[j];
        tree->u.object.values[i - 1] = tree->u.object.values[j];
        tree->u.object.keys[j] = key;
        tree->u.object.values[j] = value;
    }
    char *text = unique ? flat_text(tree) : NULL;
    yajl_tree_free(tree);
    return text;
}

static void same_documents(const char *a, const char *b)
{
    struct flat_document left = flat_parse(a), right = flat_parse(b);
    assert_int_equal(left.count, right.count);
    for (size_t i = 0; i < left.count; i++) {
        assert_string_equal(left.leaves[i].path, right.leaves[i].path);
        assert_string_equal(left.leaves[i].value, right.leaves[i].value);
    }
    flat_free(&left);
    flat_free(&right);
}

static size_t shuffle_line(const char *line)
{
    size_t shuffled = 0;
    // Through yajl once, so that both texts spell their strings alike.
    char *first = shuffle(line);
    if (!first)
        return 0;
    char *document = strdup(document_of(first));
    for (int round = 0; round < 8; round++) {
        char *other = shuffle(first);
        assert_non_null(other);
        same_documents(document, document_of(other));
        free(other);
        shuffled++;
    }
    free(document);
    free(first);
    return shuffled;
}

// Keys that share a field, a label's name or an object, in any order.
static const char *const contested[] = {
    "{\"a.b\":\"1\",\"a_b\":\"2\",\"a b\":\"3\",\"a*b\":\"4\",\"a_b_2\":\"5\",\"event\":\"e\"}",
    "{\"labels\":{\"k\":\"1\"},\"k\":\"2\",\"labels.k.x\":\"3\",\"level\":\"Warning\","
    "\"level_original\":\"mine\"}",
    "{\"log.level\":\"info\",\"log\":{\"level\":\"warn\",\"logger\":\"x\"},\"level\":\"error\"}",
    "{\"message\":\"m\",\"msg\":\"g\",\"event\":\"e\",\"M\":\"z\",\"body\":\"b\"}",
    "{\"msg\":1,\"message\":2,\"event\":true}",
    "{\"time\":1795375485229,\"timestamp\":\"2026-11-22T19:16:46Z\",\"ts\":5,\"date\":\"x\"}",
    "{\"trace_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"trace.id\":"
    "\"cccccccccccccccccccccccccccccccc\",\"traceparent\":"
    "\"00-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-dddddddddddddddd-01\"}",
    "{\"error\":\"e\",\"error.type\":\"T\",\"error.message\":\"m\",\"err\":{\"message\":\"n\","
    "\"errno\":-2},\"exception\":\"Traceback\\n  f\\nX: y\"}",
    "{\"ecs.version\":\"1\",\"file\":{\"path\":\"/a\"},\"file.path\":\"/b\",\"file.path.x\":\"c\","
    "\"rule\":\"r\",\"rule.name\":\"n\",\"http\":\"h\",\"http.request\":\"q\"}",
    "{\"duration_ms\":1.5,\"duration_ns\":7,\"elapsed\":\"2s\",\"event\":{\"duration\":9}}",
    "{\"@fields\":{\"level\":\"info\",\"user\":\"u\"},\"user\":\"v\",\"mdc\":{\"user\":\"w\"}}",
};

static void order_of_keys_does_not_matter(void **state)
{
    (void)state;
    size_t shuffled = 0;
    random_state = 20261122;
    fixture.join = false; // each line is asked for alone
    fixture_open(256 << 10);
    for (size_t i = 0; i < sizeof contested / sizeof *contested; i++)
        shuffled += shuffle_line(contested[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        if (strcmp(names[i], "nasty-nested") == 0)
            continue; // yajl does not write what is nested so deep
        char *input = read_all(names[i], ".in", &size), *rest = input;
        for (char *line; (line = strsep(&rest, "\n"));)
            shuffled += shuffle_line(line);
        free(input);
    }
    fixture_close();
    assert_true(shuffled > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_match),
        cmocka_unit_test(order_of_keys_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
