// The gRPC client engine: against our own server for what is right, against a scripted HTTP/2
// server for what is not.
#include "base/clock.h"
#include "base/error.h"
#include "grpc/grpc_client.h"
#include "grpc/status_text.h"
#include "grpc_fixture.h"

#include <stdio.h>

#define MIB ((size_t)1 << 20)

struct outcome {
    unsigned answers, unprocessed;
    struct grpc_answer answer;
    char message[STATUS_MESSAGE_MAX + 1];
    char response[64];
};

struct owner {
    unsigned going_away;
};

static void answered(void *ctx, const struct grpc_answer *answer)
{
    struct outcome *outcome = ctx;
    outcome->answers++;
    outcome->answer = *answer;
    if (answer->message.size > 0)
        memcpy(outcome->message, answer->message.data, answer->message.size);
    outcome->message[answer->message.size] = '\0';
    size_t n = answer->response.size < sizeof outcome->response ? answer->response.size
                                                                : sizeof outcome->response;
    if (n > 0)
        memcpy(outcome->response, answer->response.data, n);
}

static void unprocessed(void *ctx)
{
    ((struct outcome *)ctx)->unprocessed++;
}

static void going_away(void *ctx)
{
    ((struct owner *)ctx)->going_away++;
}

static struct grpc_client *client_open(struct owner *owner)
{
    const struct grpc_header headers[] = {{"x-tenant", "blue"}};
    struct grpc_client_config config = {.authority = "localhost",
                                        .user_agent = "test",
                                        .headers = headers,
                                        .header_count = 1,
                                        .events = {answered, unprocessed, going_away, owner}};
    struct grpc_client *client;
    assert_int_equal(grpc_client_new(&client, &config), 0);
    return client;
}

static struct grpc_client_call *call_parts(struct grpc_client *client, const struct slice *parts,
                                           size_t count, bool gzip, struct outcome *outcome)
{
    struct grpc_client_call *call;
    struct grpc_request request = {"/p.S/M", parts, count, gzip, 1500 * NS_PER_MS};
    assert_int_equal(grpc_client_call(client, &call, &request, outcome), 0);
    return call;
}

static struct grpc_client_call *call_text(struct grpc_client *client, const char *text,
                                          struct outcome *outcome)
{
    static struct slice part; // must stay until the call's end
    part = slice_from(text);
    return call_parts(client, &part, 1, false, outcome);
}

#define NV_OK PEER_NV(":status", "200"), PEER_NV("content-type", "application/grpc")

// One call against one scripted answer.
static struct outcome ask(struct script *script, size_t piece)
{
    struct owner owner = {0};
    struct outcome outcome = {0};
    struct grpc_client *client = client_open(&owner);
    call_text(client, "hello", &outcome);
    assert_false(grpc_client_ready(client));
    script_carry(script, client, piece);
    assert_true(grpc_client_ready(client));
    assert_int_equal(outcome.answers + outcome.unprocessed, 1);
    grpc_client_free(client);
    nghttp2_session_del(script->session);
    assert_int_equal(outcome.answers + outcome.unprocessed, 1);
    return outcome;
}

static void test_ok(void **state)
{
    (void)state;
    const nghttp2_nv head[] = {NV_OK}, trailers[] = {PEER_NV("grpc-status", "0")};
    for (size_t piece = 1; piece < 50; piece += 7) {
        struct script script;
        script_open(&script);
        script.head = head;
        script.head_count = 2;
        script.body = "\0\0\0\0\4resp";
        script.body_size = 9;
        script.trailers = trailers;
        script.trailer_count = 1;
        struct outcome outcome = ask(&script, piece);
        assert_int_equal(outcome.answer.code, GRPC_OK);
        assert_int_equal(outcome.answer.response.size, 4);
        assert_memory_equal(outcome.response, "resp", 4);
        const char *expected[] = {":method: POST\n",
                                  ":path: /p.S/M\n",
                                  "te: trailers\n",
                                  "grpc-timeout: 1500m\n",
                                  "content-type: application/grpc\n",
                                  "x-tenant: blue\n",
                                  "user-agent: test\n",
                                  ":scheme: http\n",
                                  ":authority: localhost\n"};
        for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
            assert_non_null(strstr(script.fields, expected[i]));
    }
}

static struct outcome ask_head(const nghttp2_nv *head, size_t count)
{
    struct script script;
    script_open(&script);
    script.head = head;
    script.head_count = count;
    return ask(&script, 1000);
}

static void test_trailers_only(void **state)
{
    (void)state;
    const nghttp2_nv head[] = {NV_OK, PEER_NV("grpc-status", "14"),
                               PEER_NV("grpc-message", "queue%20full %e2%82%ac ")};
    struct outcome outcome = ask_head(head, 4);
    assert_int_equal(outcome.answer.code, GRPC_UNAVAILABLE);
    assert_string_equal(outcome.message, "queue full \xe2\x82\xac ");
    assert_false(outcome.answer.retry);
}

static void test_retry_info(void **state)
{
    (void)state;
    struct grpc_status status = {GRPC_RESOURCE_EXHAUSTED, "slow", 3 * NS_PER_S};
    char details[STATUS_DETAILS_MAX + 1] = {0};
    size_t n = status_details_encode(&status, details);
    for (int padded = 0; padded < 2; padded++) {
        while (padded && n % 4)
            details[n++] = '=';
        const nghttp2_nv head[] = {NV_OK, PEER_NV("grpc-status", "8"),
                                   PEER_NV("grpc-status-details-bin", details)};
        struct outcome outcome = ask_head(head, 4);
        assert_int_equal(outcome.answer.code, GRPC_RESOURCE_EXHAUSTED);
        assert_true(outcome.answer.retry);
        assert_int_equal(outcome.answer.retry_delay_ns, 3 * NS_PER_S);
    }
}

static void test_http_200_is_no_success(void **state)
{
    (void)state;
    const nghttp2_nv head[] = {NV_OK};
    assert_int_equal(ask_head(head, 2).answer.code, GRPC_UNKNOWN);
    const nghttp2_nv junk[] = {NV_OK, PEER_NV("grpc-status", "zero")};
    assert_int_equal(ask_head(junk, 3).answer.code, GRPC_UNKNOWN);
}

static void test_http_statuses(void **state)
{
    (void)state;
    const struct {
        const char *status;
        enum grpc_code code;
    } cases[] = {{"400", GRPC_INTERNAL},          {"401", GRPC_UNAUTHENTICATED},
                 {"403", GRPC_PERMISSION_DENIED}, {"404", GRPC_UNIMPLEMENTED},
                 {"415", GRPC_UNKNOWN},           {"429", GRPC_UNAVAILABLE},
                 {"500", GRPC_UNKNOWN},           {"502", GRPC_UNAVAILABLE},
                 {"503", GRPC_UNAVAILABLE},       {"504", GRPC_UNAVAILABLE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const nghttp2_nv head[] = {PEER_NV(":status", cases[i].status)};
        assert_int_equal(ask_head(head, 1).answer.code, cases[i].code);
        // A proxy's page with the very word of success is none.
        const nghttp2_nv lying[] = {PEER_NV(":status", cases[i].status),
                                    PEER_NV("grpc-status", "0")};
        assert_int_equal(ask_head(lying, 2).answer.code, cases[i].code);
    }
}

static void test_unreadable_response_is_still_ok(void **state)
{
    (void)state;
    const nghttp2_nv head[] = {NV_OK}, trailers[] = {PEER_NV("grpc-status", "0")};
    const struct {
        const char *body;
        size_t size;
    } cases[] = {{"", 0},
                 {"\0\0", 2},
                 {"\0\0\0\0\5abc", 8},
                 {"\0\377\377\377\377a", 6},
                 {"\1\0\0\0\3abc", 8},
                 {"\7\0\0\0\0", 5},
                 {"\0\0\0\0\0\0\0\0\0\0", 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct script script;
        script_open(&script);
        script.head = head;
        script.head_count = 2;
        script.body = cases[i].body;
        script.body_size = cases[i].size;
        script.trailers = trailers;
        script.trailer_count = 1;
        struct outcome outcome = ask(&script, 1000);
        assert_int_equal(outcome.answer.code, GRPC_OK);
        assert_int_equal(outcome.answer.response.size, 0);
    }
}

static void test_resets(void **state)
{
    (void)state;
    const struct {
        uint32_t reset;
        enum grpc_code code;
    } cases[] = {{NGHTTP2_CANCEL, GRPC_CANCELLED},
                 {NGHTTP2_INTERNAL_ERROR, GRPC_INTERNAL},
                 {NGHTTP2_PROTOCOL_ERROR, GRPC_INTERNAL},
                 {NGHTTP2_ENHANCE_YOUR_CALM, GRPC_RESOURCE_EXHAUSTED},
                 {NGHTTP2_INADEQUATE_SECURITY, GRPC_PERMISSION_DENIED}};
    struct script script;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        script_open(&script);
        script.do_reset = true;
        script.reset = cases[i].reset;
        struct outcome outcome = ask(&script, 1000);
        assert_int_equal(outcome.answers, 1);
        assert_int_equal(outcome.answer.code, cases[i].code);
    }
    script_open(&script);
    script.do_reset = true;
    script.reset = NGHTTP2_REFUSED_STREAM;
    assert_int_equal(ask(&script, 1000).unprocessed, 1);
}

static void test_early_answer_ends_the_upload(void **state)
{
    (void)state;
    const nghttp2_nv head[] = {NV_OK, PEER_NV("grpc-status", "8")};
    struct script script;
    struct owner owner = {0};
    struct outcome outcome = {0};
    struct grpc_client *client = client_open(&owner);
    script_open(&script);
    script.head = head;
    script.head_count = 3;
    script.at_headers = true;
    char *big = calloc(1, MIB);
    struct slice part = slice_of(big, MIB); // beyond the window, which stays shut
    call_parts(client, &part, 1, false, &outcome);
    script_carry(&script, client, 16384);
    assert_int_equal(outcome.answers, 1);
    assert_int_equal(outcome.answer.code, GRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(script.resets, 1);
    grpc_client_free(client);
    nghttp2_session_del(script.session);
    free(big);
}

static void test_goaway_gives_back_what_was_not_processed(void **state)
{
    (void)state;
    struct script script;
    struct owner owner = {0};
    struct outcome outcomes[3] = {0};
    struct grpc_client *client = client_open(&owner);
    script_open(&script);
    call_text(client, "a", &outcomes[0]);
    script_carry(&script, client, 1000);
    int32_t first = script.last_id;
    call_text(client, "a", &outcomes[1]);
    script_carry(&script, client, 1000);
    call_text(client, "a", &outcomes[2]); // not even sent
    nghttp2_submit_goaway(script.session, 0, first, NGHTTP2_NO_ERROR, NULL, 0);
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(script.session, &data)) > 0)
        assert_int_equal(grpc_client_feed(client, data, (size_t)n), 0);
    assert_int_equal(owner.going_away, 1);
    assert_int_equal(outcomes[1].unprocessed, 1);
    struct grpc_client_call *call;
    struct grpc_request request = {"/p.S/M", NULL, 0, false, 0};
    struct outcome late = {0};
    assert_int_equal(grpc_client_call(client, &call, &request, &late), GRPC_CLIENT_CLOSED);
    script_carry(&script, client, 1000);
    assert_int_equal(outcomes[2].unprocessed, 1);
    assert_false(grpc_client_finished(client)); // the first may still be answered
    const nghttp2_nv head[] = {NV_OK, PEER_NV("grpc-status", "0")};
    nghttp2_submit_response(script.session, first, head, 3, NULL);
    script_carry(&script, client, 1000);
    assert_int_equal(outcomes[0].answers, 1);
    assert_int_equal(outcomes[0].answer.code, GRPC_OK);
    assert_true(grpc_client_finished(client));
    grpc_client_free(client);
    nghttp2_session_del(script.session);
}

static void test_odd_goaway_is_an_end_too(void **state)
{
    (void)state;
    struct script script;
    struct owner owner = {0};
    struct outcome outcome = {0};
    struct grpc_client *client = client_open(&owner);
    script_open(&script);
    call_text(client, "a", &outcome);
    script_carry(&script, client, 1000);
    static const uint8_t goaway[] = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0};
    assert_int_equal(grpc_client_feed(client, goaway, sizeof goaway), 0);
    assert_int_equal(owner.going_away, 1);
    const uint8_t *data;
    while (grpc_client_output(client, &data) > 0)
        ;
    assert_true(grpc_client_finished(client));
    grpc_client_lost(client);
    assert_int_equal(outcome.answers, 1);
    assert_int_equal(outcome.answer.code, GRPC_UNAVAILABLE);
    grpc_client_free(client);
    nghttp2_session_del(script.session);
}

static void test_lost_connection(void **state)
{
    (void)state;
    struct script script;
    struct owner owner = {0};
    struct outcome sent = {0}, unsent = {0}, cancelled = {0};
    struct grpc_client *client = client_open(&owner);
    script_open(&script);
    call_text(client, "a", &sent);
    script_carry(&script, client, 1000);
    call_text(client, "a", &unsent);
    grpc_client_cancel(call_text(client, "a", &cancelled));
    grpc_client_lost(client);
    assert_int_equal(sent.answers, 1);
    assert_int_equal(sent.answer.code, GRPC_UNAVAILABLE);
    assert_int_equal(unsent.unprocessed, 1);
    assert_int_equal(cancelled.answers + cancelled.unprocessed, 0);
    grpc_client_free(client);
    assert_int_equal(sent.answers, 1);
    nghttp2_session_del(script.session);
}

static void test_cancel(void **state)
{
    (void)state;
    struct script script;
    struct owner owner = {0};
    struct outcome before = {0}, during = {0}, after = {0}, next = {0};
    struct grpc_client *client = client_open(&owner);
    script_open(&script);
    char *big = malloc(MIB);
    memset(big, 'b', MIB);
    struct slice part = slice_of(big, MIB);
    struct grpc_client_call *uploading = call_parts(client, &part, 1, false, &during);
    struct grpc_client_call *silent = call_text(client, "a", &after);
    const uint8_t *data;
    size_t size;
    for (int i = 0; i < 3 && (size = grpc_client_output(client, &data)) > 0; i++)
        nghttp2_session_mem_recv(script.session, data, size);
    grpc_client_cancel(call_text(client, "a", &before));
    grpc_client_cancel(uploading);
    free(big); // nothing may read it any more
    script_carry(&script, client, 16384);
    grpc_client_cancel(silent);
    const nghttp2_nv head[] = {NV_OK, PEER_NV("grpc-status", "0")};
    script.head = head;
    script.head_count = 3;
    call_text(client, "a", &next);
    script_carry(&script, client, 16384);
    assert_int_equal(next.answers, 1);
    assert_int_equal(before.answers + during.answers + after.answers, 0);
    assert_int_equal(before.unprocessed + during.unprocessed + after.unprocessed, 0);
    assert_true(script.resets >= 1);
    grpc_client_free(client);
    nghttp2_session_del(script.session);
}

static void test_headers_are_checked(void **state)
{
    (void)state;
    assert_true(grpc_header_valid("authorization", "Bearer x=="));
    assert_true(grpc_header_valid("x.y_z-1", ""));
    assert_true(grpc_header_valid("key-bin", "AAEC"));
    const char *bad_names[] = {"",           "Upper",        "a b",  ":path", "grpc-timeout", "te",
                               "connection", "content-type", "host", "a\n",   "na\xc3\xafve"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        assert_false(grpc_header_valid(bad_names[i], "v"));
    assert_false(grpc_header_valid("a", "line\nbreak"));
    assert_false(grpc_header_valid("a", " edge"));
    assert_false(grpc_header_valid("a", "\xff"));
    struct grpc_client *client;
    struct grpc_header headers[40];
    for (size_t i = 0; i < 40; i++)
        headers[i] = (struct grpc_header){"a", "b"};
    struct grpc_client_config config = {.authority = "h",
                                        .headers = headers,
                                        .header_count = 40,
                                        .events = {answered, unprocessed, NULL, NULL}};
    assert_int_equal(grpc_client_new(&client, &config), -EINVAL);
    char *huge = calloc(1, 17000);
    memset(huge, 'v', 16999);
    headers[0].value = huge;
    config.header_count = 1;
    assert_int_equal(grpc_client_new(&client, &config), -EINVAL);
    free(huge);
}

static void test_not_http2(void **state)
{
    (void)state;
    struct owner owner = {0};
    struct outcome outcome = {0};
    struct grpc_client *client = client_open(&owner);
    call_text(client, "a", &outcome);
    const uint8_t *data;
    while (grpc_client_output(client, &data) > 0)
        ;
    const char *page = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n";
    grpc_client_feed(client, (const uint8_t *)page, strlen(page));
    while (grpc_client_output(client, &data) > 0)
        ;
    assert_true(grpc_client_finished(client));
    grpc_client_lost(client);
    assert_int_equal(outcome.answers, 1);
    grpc_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ok),
        cmocka_unit_test(test_trailers_only),
        cmocka_unit_test(test_retry_info),
        cmocka_unit_test(test_http_200_is_no_success),
        cmocka_unit_test(test_http_statuses),
        cmocka_unit_test(test_unreadable_response_is_still_ok),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_early_answer_ends_the_upload),
        cmocka_unit_test(test_goaway_gives_back_what_was_not_processed),
        cmocka_unit_test(test_odd_goaway_is_an_end_too),
        cmocka_unit_test(test_lost_connection),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_headers_are_checked),
        cmocka_unit_test(test_not_http2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
