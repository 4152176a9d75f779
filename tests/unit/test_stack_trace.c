// Stack traces: every line of one becomes part of the record it belongs to, however the stream was
// cut, and ordinary output stays as it is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode_fixture.h"
#include "flat_document.h"
#include "trace_cases.h"

static int setup(void **state)
{
    (void)state;
    fixture.join = true;
    fixture_open(64 << 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close();
    return 0;
}

// The text of a JSON string, to be freed; NULL for NULL.
static char *text_of(const char *json)
{
    if (!json)
        return NULL;
    yajl_val tree = yajl_tree_parse(json, NULL, 0);
    const char *string = YAJL_GET_STRING(tree);
    assert_non_null(string);
    char *text = strdup(string ? string : "");
    yajl_tree_free(tree);
    return text;
}

static void same_text(const char *name, const char *path, const char *json, const char *expected)
{
    char *text = text_of(json);
    if ((!text) != (!expected) || (text && strcmp(text, expected) != 0))
        fail_msg("%s: %s is %s, not %s", name, path, text ? text : "absent",
                 expected ? expected : "absent");
    free(text);
}

static void check_record(const char *name, const char *document, const struct trace_record *record)
{
    struct flat_document flat = flat_parse(document);
    same_text(name, "message", flat_at(&flat, "message"), record->message);
    same_text(name, "error.type", flat_at(&flat, "error.type"), record->type);
    same_text(name, "error.message", flat_at(&flat, "error.message"), record->error);
    same_text(name, "log.level", flat_at(&flat, "log.level"), record->level);
    char *trace = text_of(flat_at(&flat, "error.stack_trace"));
    if (trace) {
        char *last = strrchr(trace, '\n');
        if (!record->first)
            fail_msg("%s: there is a trace: %s", name, trace);
        assert_string_equal(last ? last + 1 : trace, record->last ? record->last : "");
        size_t first = record->first ? strlen(record->first) : 0;
        assert_int_equal(strncmp(trace, record->first ? record->first : "", first), 0);
    } else {
        if (record->first)
            fail_msg("%s: there is no trace in %s", name, document);
    }
    free(trace);
    flat_free(&flat);
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n' && text[-1] != '\n';
    return lines;
}

// Whether some message or trace holds the line.
static bool is_kept(const char *line)
{
    static const char *const paths[] = {"message", "error.stack_trace"};
    bool kept = false;
    for (size_t i = 0; i < documents.count; i++) {
        struct flat_document flat = flat_parse(documents.text[i]);
        for (size_t p = 0; p < 2; p++) {
            char *text = text_of(flat_at(&flat, paths[p]));
            kept |= text && strstr(text, line);
            free(text);
        }
        flat_free(&flat);
    }
    return kept;
}

static void holds_every_line(const struct trace_case *at)
{
    char *copy = strdup(at->input), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (line[0] != '{' && !is_kept(line))
            fail_msg("%s: lost: %s", at->name, line);
    free(copy);
}

static void traces_become_records(void **state)
{
    (void)state;
    for (unsigned i = 0; i < trace_case_count; i++) {
        const struct trace_case *at = &trace_cases[i];
        documents_forget();
        decode_stream(slice_from(at->input));
        size_t count = 0;
        while (count < TRACE_RECORDS_MAX && at->records[count].message)
            count++;
        for (size_t n = 0; n < count && n < documents.count; n++)
            check_record(at->name, documents.text[n], &at->records[n]);
        if (documents.count != count)
            fail_msg("%s: %zu records, not %zu", at->name, documents.count, count);
        holds_every_line(at);
        assert_int_equal(documents.count + documents.joined, lines_in(at->input));
        assert_int_equal(documents.pending, 0);
    }
}

// Feeds in pieces, each an exact copy; after each, the books hold for the lines consumed so far.
static void feed(struct slice data, size_t first_cut, size_t step)
{
    struct line_state state = {0};
    size_t from = 0, to = first_cut, lines = 0;
    while (true) {
        size_t consumed;
        bool end = to == data.size;
        assert_true(to >= from);
        char *copy = malloc(to > from ? to - from : 1); // exact: a read past it is seen
        memcpy(copy, data.data + from, to - from);
        assert_int_equal(
            decode_lines(fixture.decoder, &state, slice_of(copy, to - from), end, &consumed),
            DECODE_MORE);
        free(copy);
        for (size_t i = from; i < from + consumed; i++)
            lines += data.data[i] == '\n' && i > 0 && data.data[i - 1] != '\n';
        from += consumed;
        assert_int_equal(documents.count + documents.joined + documents.pending, lines);
        assert_int_equal(line_state_pending(&state), documents.pending > 0);
        if (end)
            break;
        to = to + step < data.size ? to + step : data.size;
    }
    assert_int_equal(from, data.size);
    assert_int_equal(fixture.read_bytes.used, 0);
    line_state_deinit(fixture.decoder, &state);
}

static void any_chunking_gives_the_same_records(void **state)
{
    (void)state;
    for (unsigned c = 0; c < trace_case_count; c++) {
        struct slice data = slice_from(trace_cases[c].input);
        documents_forget();
        decode_stream(data);
        struct documents whole = documents;
        documents = (struct documents){.admit_limit = SIZE_MAX};
        for (size_t cut = 0; cut <= data.size; cut++) {
            feed(data, cut, cut % 3 == 0 ? 1 + cut : data.size);
            assert_int_equal(documents.count, whole.count);
            for (size_t i = 0; i < whole.count; i++)
                assert_string_equal(documents.text[i], whole.text[i]);
            documents_forget();
        }
        documents = whole;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(traces_become_records, setup, teardown),
        cmocka_unit_test_setup_teardown(any_chunking_gives_the_same_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
