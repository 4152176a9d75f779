// Fuzzes a native connection with the real rooms behind it: however the bytes are cut, the outcome
// is the same, the answers stay within their buffer, and the door's books balance.
//
// The first byte of the input is the size of the pieces (0: whole); the rest is the connection.
#include "base/clock.h"
#include "decode/decode.h"
#include "enrich/enrich.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct books books;
static struct decoder *decoder;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void build(void)
{
    static const uint8_t agent_id[16] = {1};
    static struct enrich *enrich;
    // No route: every record ends as rejected{unrouted}, after it was decoded.
    struct enrich_config config = {.clock = clock_system(), .books = &books, .agent_version = "0"};
    require(enrich_new(&enrich, &config) == 0);
    struct decoder_config decoder_config = {.enrich = enrich,
                                            .clock = clock_system(),
                                            .max_line = 4096,
                                            .max_message = 65536,
                                            .agent_id = agent_id,
                                            .agent_version = "0"};
    require(decoder_new(&decoder, &decoder_config) == 0);
}

static enum decode_stop run(struct native_state *state, const uint8_t *data, size_t size,
                            size_t step)
{
    enum decode_stop stop = DECODE_MORE;
    size_t from = 0;
    size_t to = 0;
    while (stop == DECODE_MORE && to < size) {
        size_t consumed = SIZE_MAX;
        to = step == 0 || size - to < step ? size : to + step;
        stop = decode_native(decoder, state, slice_of(data + from, to - from), &consumed);
        require(consumed <= to - from && state->out_size <= sizeof state->out);
        require(stop != DECODE_BLOCKED); // nothing can be full
        state->out_size = 0;
        from += consumed;
    }
    return stop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct native_state pieces = {0};
    struct native_state whole = {0};
    if (!decoder)
        build();
    if (size == 0)
        return 0;
    enum decode_stop first = run(&pieces, data + 1, size - 1, data[0]);
    enum decode_stop second = run(&whole, data + 1, size - 1, 0);
    require(first == second && pieces.error_code == whole.error_code);
    require(pieces.greeted == whole.greeted && pieces.received == whole.received);
    require(pieces.flush_token == whole.flush_token);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        require(books_door_gap(&books.door[i]) == 0);
    native_state_deinit(&pieces);
    native_state_deinit(&whole);
    return 0;
}
