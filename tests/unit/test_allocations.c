// Our own allocations: their count stays the same over a million records of each dialect, from the
// bytes to the verdict, once the first few have made every buffer. Only an Export request has one
// of its own, whatever it holds, which goes with it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "decode/decode_native.h"
#include "decode/decode_otlp.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "native_bytes.h"
#include "otlp_build.h"
#include "spool/spool.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RECORDS ((uint64_t)100000)
#else
#define RECORDS ((uint64_t)1000000)
#endif
#define WARM ((uint64_t)10000)
#define BATCH 100 // records between two turns of the loop

// The linker leads every call of ours here (--wrap), from the rooms' archives as from this file;
// the shared libraries' own go past.
static uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, long offset);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, long offset);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    allocations++;
    return __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, long offset)
{
    allocations++;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

char *__wrap_strdup(const char *text)
{
    allocations++;
    return __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    allocations++;
    return __real_strndup(text, size);
}

// The rooms between the socket and the network, and an exporter that confirms at once.
struct rooms {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    struct loop *loop;
    struct books books;
    struct spool_log *log;
    struct enrich *enrich;
    struct decoder *decoder;
    struct line_state lines;
    struct native_state native;
    struct message request; // of BATCH records
    uint64_t requests;      // fed
    uint64_t sequence;
};

static int sink_start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct rooms *)exporter)->verdicts = verdicts;
    return 0;
}

static int sink_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct rooms *rooms = (struct rooms *)exporter;
    struct verdict verdict = {.position = parcel->position, .kind = VERDICT_DELIVERED};
    rooms->verdicts.verdict(rooms->verdicts.ctx, &verdict, 1);
    return 0;
}

static void sink_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops sink_ops = {
    .type = "test", .start = sink_start, .offer = sink_offer, .flush = sink_flush};

static int open_rooms(void **state)
{
    struct rooms *rooms = calloc(1, sizeof *rooms);
    assert_int_equal(loop_new(&rooms->loop), 0);
    struct exporter_book *book = books_add_exporter(&rooms->books, "test");
    rooms->exporter = (struct exporter){&sink_ops, "test", book};
    struct spool_config spool = {.name = "test",
                                 .max_bytes = 8 << 20,
                                 .when_full = SPOOL_WHEN_FULL_BLOCK,
                                 .loop = rooms->loop,
                                 .clock = clock_system(),
                                 .exporter = &rooms->exporter,
                                 .book = book};
    assert_int_equal(spool_log_new(&rooms->log, &spool), 0);
    struct enrich_target documents = {.log = rooms->log, .form = WIRE_ECS_JSON};
    struct enrich_target fragments = {.log = rooms->log, .form = WIRE_OTLP};
    struct enrich_config enrich = {
        .clock = clock_system(),
        .books = &rooms->books,
        .targets = {[SIGNAL_LOGS] = &documents, [SIGNAL_SPANS] = &fragments},
        .target_count = {[SIGNAL_LOGS] = 1, [SIGNAL_SPANS] = 1},
        .agent_version = "0"};
    assert_int_equal(enrich_new(&rooms->enrich, &enrich), 0);
    struct decoder_config decoder = {.enrich = rooms->enrich,
                                     .clock = clock_system(),
                                     .max_line = 16384,
                                     .max_message = 1 << 20,
                                     .join = true};
    assert_int_equal(decoder_new(&rooms->decoder, &decoder), 0);
    *state = rooms;
    return 0;
}

static int close_rooms(void **state)
{
    struct rooms *rooms = *state;
    assert_true(books_balanced(&rooms->books));
    line_state_deinit(rooms->decoder, &rooms->lines);
    native_state_deinit(&rooms->native);
    message_free(&rooms->request);
    decoder_free(rooms->decoder);
    enrich_free(rooms->enrich);
    spool_log_free(rooms->log);
    loop_free(rooms->loop);
    free(rooms);
    return 0;
}

// Feeds BATCH records and has them delivered, until there were so many, and counts.
static void run(struct rooms *rooms, enum signal_kind signal, void (*feed)(struct rooms *rooms))
{
    uint64_t after_warm = 0, fed = 0, requests = 0;
    while (fed < RECORDS) {
        feed(rooms);
        fed += BATCH;
        event_base_loop(loop_event_base(rooms->loop), EVLOOP_NONBLOCK);
        if (fed == WARM) {
            after_warm = allocations;
            requests = rooms->requests;
        }
    }
    uint64_t more = allocations - after_warm;
    assert_true(after_warm > 0); // else nothing was counted at all
    assert_int_equal(rooms->books.door[signal].routed, RECORDS);
    assert_int_equal(more, rooms->requests - requests);
}

static void feed_lines(struct rooms *rooms, const char *format)
{
    static char data[BATCH * 512];
    size_t size = 0, consumed;
    for (int i = 0; i < BATCH; i++)
        size += (size_t)snprintf(data + size, sizeof data - size, format,
                                 (unsigned)(rooms->sequence++ % 1000000));
    assert_true(size < sizeof data);
    assert_int_equal(
        decode_lines(rooms->decoder, &rooms->lines, slice_of(data, size), false, &consumed),
        DECODE_MORE);
    assert_int_equal(consumed, size);
}

static void feed_json(struct rooms *rooms)
{
    feed_lines(rooms, "{\"status_code\": 200, \"duration_ms\": 1.5, \"user_id\": \"u-%u\", "
                      "\"event\": \"done \\ud83d\\ude42\", \"nested\": {\"k\": [1, 2]}, \"ratio\": "
                      "0.25, \"level\": \"info\", \"trace_id\": "
                      "\"543de5296f126dd2accb28ce4e4ce346\", \"timestamp\": "
                      "\"2026-11-22T19:16:46.583596Z\"}\n");
}

static void feed_plain(struct rooms *rooms)
{
    feed_lines(rooms, "2026-11-22 19:31:38.558 [main] INFO  items.repo.Repo - hello user=%u\n");
    assert_int_equal(decode_lines_flush(rooms->decoder, &rooms->lines), DECODE_MORE);
}

static void feed_native(struct rooms *rooms)
{
    static char data[BATCH * 256 + NATIVE_OPENING_SIZE];
    size_t size = 0, consumed;
    if (rooms->sequence == 0) {
        memcpy(data, NATIVE_OPENING, NATIVE_OPENING_SIZE);
        size = NATIVE_OPENING_SIZE;
    }
    for (int i = 0; i < BATCH; i++)
        size += native_put_log(data + size, (size_t)++rooms->sequence, 100);
    assert_int_equal(decode_native(rooms->decoder, &rooms->native, slice_of(data, size), &consumed),
                     DECODE_MORE);
    assert_int_equal(consumed, size);
    rooms->native.out_size = 0;
}

static struct message log_record(void)
{
    struct message record = {0};
    put_fixed64(&record, OTLP_LOG_TIME_UNIX_NANO, 1795375485229000000U);
    put_varint(&record, OTLP_LOG_SEVERITY_NUMBER, 9);
    put_message(&record, OTLP_LOG_BODY, any_text("hello"));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("http.method", any_text("GET")));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("n", any_int(7)));
    return record;
}

static struct message span(void)
{
    static const char id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct message record = {0};
    put_bytes(&record, OTLP_SPAN_TRACE_ID, slice_of(id, 16));
    put_bytes(&record, OTLP_SPAN_SPAN_ID, slice_of(id, 8));
    put_text(&record, OTLP_SPAN_NAME, "GET /items");
    return record;
}

static void build_request(struct rooms *rooms, struct message (*record)(void))
{
    struct message scope = {0}, resource_run = {0};
    for (int i = 0; i < BATCH; i++)
        put_message(&scope, OTLP_SCOPE_RECORDS, record());
    put_message(&resource_run, OTLP_RUN_RESOURCE, resource_of("service.name", "shop"));
    put_message(&resource_run, OTLP_RUN_SCOPES, scope);
    put_message(&rooms->request, OTLP_REQUEST_RESOURCES, resource_run);
}

static void feed_otlp(struct rooms *rooms, enum signal_kind signal)
{
    struct otlp_progress *progress;
    struct otlp_result result;
    struct slice message = message_slice(&rooms->request);
    assert_int_equal(decode_otlp_begin(rooms->decoder, signal, message, NULL, &progress), 0);
    int r;
    do
        r = decode_otlp_step(progress, false, &result);
    while (r == DECODE_AGAIN);
    assert_int_equal(r, 0);
    assert_int_equal(result.accepted, BATCH);
    decode_otlp_free(progress);
    rooms->requests++;
}

static void feed_otlp_logs(struct rooms *rooms)
{
    feed_otlp(rooms, SIGNAL_LOGS);
}

static void feed_otlp_spans(struct rooms *rooms)
{
    feed_otlp(rooms, SIGNAL_SPANS);
}

static void test_json_lines(void **state)
{
    run(*state, SIGNAL_LOGS, feed_json);
}

static void test_plain_lines(void **state)
{
    run(*state, SIGNAL_LOGS, feed_plain);
}

static void test_native_frames(void **state)
{
    run(*state, SIGNAL_LOGS, feed_native);
}

static void test_otlp_logs(void **state)
{
    build_request(*state, log_record);
    run(*state, SIGNAL_LOGS, feed_otlp_logs);
}

static void test_otlp_spans(void **state)
{
    build_request(*state, span);
    run(*state, SIGNAL_SPANS, feed_otlp_spans);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_rooms, close_rooms)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_json_lines), CASE(test_plain_lines), CASE(test_native_frames),
        CASE(test_otlp_logs),  CASE(test_otlp_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
