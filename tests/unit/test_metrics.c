// The exposition parses as Prometheus' text format, says what the books say, and so does /books.
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

static struct books books;

static void fill_books(void)
{
    memset(&books, 0, sizeof books);
    struct exporter_book *kafka = books_add_exporter(&books, "kafka");
    books_add_exporter(&books, "otlp");
    books.door[SIGNAL_LOGS].received = 10;
    books.door[SIGNAL_LOGS].routed = 7;
    books.door[SIGNAL_LOGS].rejected[REJECT_TOO_LARGE] = 3;
    books.receive.connections[DIALECT_LINES] = 2;
    kafka->routed = 7;
    kafka->delivered = 4;
    kafka->dropped[DROP_SHED] = 1;
    kafka->held = 2;
}

static char *write_all(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    metrics_write(out, &(struct metrics_source){&books, 1700000000500000000ull});
    fclose(out);
    return text;
}

static size_t name_length(const char *text)
{
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_' || text[size] == ':')
        size++;
    assert_true(size > 0 && !isdigit((unsigned char)text[0]));
    return size;
}

// {name="value",…}: returns what follows.
static const char *skip_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        at++;
        at += name_length(at);
        assert_memory_equal(at, "=\"", 2);
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\0' && *at != '\n');
            at += *at == '\\';
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

// A sample: its name belongs to the family, a counter ends in _total, and it was not there before.
static void check_sample(const char *line, const char *family, bool counter, const char *all)
{
    size_t size = name_length(line);
    assert_int_equal(strlen(family), size);
    assert_memory_equal(line, family, size);
    bool total = size > 6 && memcmp(line + size - 6, "_total", 6) == 0;
    assert_true(total == counter);
    const char *value = skip_labels(line + size);
    assert_int_equal(*value, ' ');
    char series[300], *end;
    snprintf(series, sizeof series, "\n%.*s ", (int)(value - line), line);
    const char *first = strstr(all, series);
    assert_ptr_equal(first + 1, line);
    assert_null(strstr(first + 1, series));
    assert_true(strtod(value + 1, &end) >= 0);
    assert_int_equal(*end, '\n');
}

static void the_exposition_is_valid(void **state)
{
    (void)state;
    fill_books();
    char *text = write_all();
    char family[200] = "", kind[20] = "";
    size_t samples = 0, families = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%199s", family), 1);
            families++;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            char name[200];
            assert_int_equal(sscanf(line + 7, "%199s %19s", name, kind), 2);
            assert_string_equal(name, family);
            assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "gauge") == 0);
        } else {
            check_sample(line, family, strcmp(kind, "counter") == 0, text);
            samples++;
        }
    }
    assert_true(families > 25);
    assert_true(samples > 60);
    free(text);
}

static void every_number_is_the_books(void **state)
{
    (void)state;
    fill_books();
    char *text = write_all();
    static const char *const lines[] = {
        "\nsluice_received_records_total{signal=\"logs\"} 10\n",
        "\nsluice_rejected_records_total{signal=\"logs\",reason=\"too_large\"} 3\n",
        "\nsluice_rejected_records_total{signal=\"spans\",reason=\"too_large\"} 0\n",
        "\nsluice_connections_total{dialect=\"lines\"} 2\n",
        "\nsluice_exporter_delivered_records_total{exporter=\"kafka\"} 4\n",
        "\nsluice_exporter_dropped_records_total{exporter=\"kafka\",reason=\"shed\"} 1\n",
        "\nsluice_exporter_held_records{exporter=\"otlp\"} 0\n",
        "\nsluice_books_balanced 1\n",
        "\nprocess_start_time_seconds 1700000000.5\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(text, lines[i]))
            fail_msg("missing:%sin:\n%s", lines[i], text);
    free(text);
    books.exporters[0].book.held = 1;
    text = write_all();
    assert_non_null(strstr(text, "\nsluice_books_balanced 0\n"));
    free(text);
}

// Every field of the structs is in /books: their sum is that of the raw memory.
static long long sum_of(yajl_val value)
{
    if (YAJL_IS_INTEGER(value))
        return YAJL_GET_INTEGER(value);
    long long sum = 0;
    for (size_t i = 0; YAJL_IS_OBJECT(value) && i < YAJL_GET_OBJECT(value)->len; i++)
        sum += sum_of(YAJL_GET_OBJECT(value)->values[i]);
    return sum;
}

static void books_are_whole(void **state)
{
    (void)state;
    char *text, why[200];
    size_t size;
    memset(&books, 0, sizeof books);
    books_add_exporter(&books, "kafka");
    uint64_t *pages[] = {(uint64_t *)books.door, (uint64_t *)&books.receive,
                         (uint64_t *)&books.exporters[0].book};
    size_t counts[] = {sizeof books.door / 8, sizeof books.receive / 8,
                       sizeof books.exporters[0].book / 8};
    long long sum = 0;
    for (size_t p = 0; p < 3; p++)
        for (size_t i = 0; i < counts[p]; i++)
            sum += (long long)(pages[p][i] = 1 + i * 7 + p * 1000);
    FILE *out = open_memstream(&text, &size);
    metrics_write_books(out, &books);
    fclose(out);
    yajl_val tree = yajl_tree_parse(text, why, sizeof why);
    assert_non_null(tree);
    assert_int_equal(sum_of(tree), sum);
    const char *path[] = {"door", "spans", "rejected", "malformed", NULL};
    assert_int_equal(YAJL_GET_INTEGER(yajl_tree_get(tree, path, yajl_t_number)),
                     books.door[SIGNAL_SPANS].rejected[REJECT_MALFORMED]);
    const char *balanced[] = {"balanced", NULL};
    assert_true(YAJL_IS_FALSE(yajl_tree_get(tree, balanced, yajl_t_any)));
    yajl_tree_free(tree);
    free(text);
}

static void the_document_lists_every_family(void **state)
{
    (void)state;
    char *document;
    size_t size;
    fill_books();
    char *text = write_all();
    FILE *out = open_memstream(&document, &size);
    metrics_write_document(out);
    fclose(out);
    for (const char *at = text; (at = strstr(at, "# TYPE ")); at++) {
        char name[200], row[220];
        assert_int_equal(sscanf(at + 7, "%199s", name), 1);
        snprintf(row, sizeof row, "\n| `%s` | ", name);
        if (!strstr(document, row))
            fail_msg("%s is not documented", name);
    }
    free(document);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exposition_is_valid),
        cmocka_unit_test(every_number_is_the_books),
        cmocka_unit_test(books_are_whole),
        cmocka_unit_test(the_document_lists_every_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
