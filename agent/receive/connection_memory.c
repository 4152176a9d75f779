// Charges what connections keep, and decides who goes on when there is no room.
#include "receive/connection_memory.h"

#include "base/clock.h"
#include "base/error.h"
#include "receive/connection.h"
#include "receive/hints.h"
#include "receive/receive_state.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_ITEM ((size_t)16 << 10) // buffers up to this double, and are kept spare
#define ORDINARY_ITEM ((size_t)4 << 10)
#define LARGE_STEP ((size_t)64 << 10)
#define SMALL_CAPACITY ((size_t)64)
#define LEAST_READ ((size_t)4 << 10)
#define SPARE_MAX ((size_t)256 << 10) // beside the budget
#define LINE_HELD_NS (100 * NS_PER_MS)
#define STALLED_NS (10 * NS_PER_S)
#define SERVED_PER_TURN 64

enum { SMALL, LARGE };
enum { LINES, FRAMES };

static struct byte_budget *budget_of(const struct receive *receive)
{
    return &receive->config.book->read_bytes;
}

static uint64_t now(const struct receive *receive)
{
    return clock_monotonic(receive->config.clock);
}

// --- buffers ---

// Small ones double, large ones grow by steps: what is charged is near what is kept.
static size_t capacity_for(size_t size)
{
    size_t capacity = SMALL_CAPACITY;
    if (size > SMALL_ITEM)
        return (size + LARGE_STEP - 1) / LARGE_STEP * LARGE_STEP;
    while (capacity < size)
        capacity *= 2;
    return capacity;
}

// Or KEPT_CLASSES, where it is none that is kept spare.
static unsigned class_of(size_t capacity)
{
    unsigned i = 0;
    while (i < KEPT_CLASSES && SMALL_CAPACITY << i != capacity)
        i++;
    return i;
}

static uint8_t *buffer_new(struct connection_memory *memory, size_t capacity)
{
    unsigned i = class_of(capacity);
    if (i == KEPT_CLASSES || !memory->spare[i])
        return malloc(capacity);
    uint8_t *buffer = memory->spare[i];
    memcpy(&memory->spare[i], buffer, sizeof memory->spare[i]);
    memory->spare_bytes -= capacity;
    return buffer;
}

static void buffer_free(struct connection_memory *memory, uint8_t *buffer, size_t capacity)
{
    unsigned i = class_of(capacity);
    if (i == KEPT_CLASSES || memory->spare_bytes + capacity > SPARE_MAX) {
        free(buffer);
        return;
    }
    memcpy(buffer, &memory->spare[i], sizeof memory->spare[i]);
    memory->spare[i] = buffer;
    memory->spare_bytes += capacity;
}

// --- the budget ---

static void call_waiters(struct receive *receive)
{
    if (receive->memory.starved_count > 0 && !receive->memory.serving)
        loop_defer(receive->config.loop, &receive->memory.again);
}

bool connection_memory_take(struct receive *receive, size_t size)
{
    return byte_budget_take(budget_of(receive), size);
}

void connection_memory_force(struct receive *receive, size_t size)
{
    byte_budget_force(budget_of(receive), size);
}

void connection_memory_give(struct receive *receive, size_t size)
{
    if (size == 0)
        return;
    byte_budget_give(budget_of(receive), size);
    call_waiters(receive);
}

// Whether a capacity may be charged: large items leave the last quarter alone. What the one that
// may go over holds is beside the limit, so that it stops nobody.
static bool has_room(const struct receive *receive, size_t capacity, size_t extra)
{
    const struct byte_budget *budget = budget_of(receive);
    uint64_t limit = budget->limit, used = budget->used;
    if (receive->memory.over)
        used -= receive->memory.over->charged;
    if (capacity > ORDINARY_ITEM)
        limit -= limit / 4;
    return budget->limit == 0 || (used <= limit && extra <= limit - used);
}

static bool charge(struct connection *connection, size_t capacity)
{
    size_t extra = capacity > connection->charged ? capacity - connection->charged : 0;
    if (!has_room(connection->receive, capacity, extra))
        return false;
    connection_memory_force(connection->receive, extra);
    connection->charged += extra;
    return true;
}

static void charge_anyway(struct connection *connection, size_t capacity)
{
    if (capacity <= connection->charged)
        return;
    connection_memory_force(connection->receive, capacity - connection->charged);
    connection->charged = capacity;
}

// Within a long item more bytes cost no more work.
static size_t read_size(const struct connection *connection)
{
    return connection->kept_size > KEPT_COPIED ? READ_SIZE : TURN_SIZE;
}

// Charges for as many bytes behind what is kept as there is room for; 0 for none.
static size_t charge_read(struct connection *connection)
{
    static const size_t sizes[] = {READ_SIZE, TURN_SIZE, LEAST_READ, (size_t)1 << 10};
    size_t kept = connection->kept_size;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i] <= read_size(connection) && charge(connection, capacity_for(kept + sizes[i])))
            return sizes[i];
    if (connection->charged > kept) // what it has is not full yet
        return connection->charged - kept;
    size_t least = capacity_for(kept + 1);
    return charge(connection, least) ? least - kept : 0;
}

// --- who waits, and who holds ---

static unsigned size_class(const struct connection *connection)
{
    return capacity_for(connection->kept_size + 1) > ORDINARY_ITEM ? LARGE : SMALL;
}

static void starve(struct connection *connection)
{
    struct receive *receive = connection->receive;
    struct connection_memory *memory = &receive->memory;
    connection->starved = true;
    connection->starved_ns = now(receive);
    link_append(&memory->starved[size_class(connection)], &connection->queue);
    connection_memory_excuse(connection);
    receive->config.book->paused++;
    budget_of(receive)->refused++;
    if (memory->starved_count++ == 0)
        loop_timer_start(receive->config.loop, &memory->patience, memory->line_held_ns);
    call_waiters(receive);
}

void connection_memory_unstarve(struct connection *connection)
{
    if (!connection->starved)
        return;
    connection->starved = false;
    link_remove(&connection->queue);
    if (--connection->receive->memory.starved_count == 0)
        loop_timer_stop(&connection->receive->memory.patience);
}

size_t connection_memory_grant(struct connection *connection)
{
    struct connection_memory *memory = &connection->receive->memory;
    assert(!connection->starved);
    // OTLP keeps nothing here: its messages have a budget of their own.
    if (connection->door && connection->door->dialect == DIALECT_OTLP_GRPC)
        return READ_SIZE;
    if (memory->over == connection || memory->unlimited) {
        charge_anyway(connection, capacity_for(connection->kept_size + read_size(connection)));
        return read_size(connection);
    }
    size_t size = charge_read(connection);
    if (size == 0)
        starve(connection);
    return size < read_size(connection) ? size : read_size(connection);
}

int connection_memory_extend(struct connection *connection, size_t size)
{
    size_t capacity = connection->kept_size + size;
    if (capacity <= connection->kept_capacity)
        return 0;
    capacity = capacity_for(capacity);
    assert(connection->charged >= capacity);
    uint8_t *grown = realloc(connection->kept, capacity);
    if (!grown)
        return -ENOMEM;
    connection->kept = grown;
    connection->kept_capacity = capacity;
    return 0;
}

static void forget_kept(struct connection *connection)
{
    if (connection->kept)
        buffer_free(&connection->receive->memory, connection->kept, connection->kept_capacity);
    connection->kept = NULL;
    connection->kept_size = connection->kept_capacity = 0;
}

// Into a buffer of just the size, unless it is in one already.
static int store(struct connection *connection, const uint8_t *data, size_t size)
{
    size_t capacity = capacity_for(size);
    bool inside = connection->kept && data >= connection->kept &&
                  data < connection->kept + connection->kept_capacity;
    if (inside && capacity > SMALL_ITEM) { // a large one shrinks where it is
        memmove(connection->kept, data, size);
        uint8_t *shrunk = realloc(connection->kept, capacity);
        if (shrunk) {
            connection->kept = shrunk;
            connection->kept_capacity = capacity;
        }
    } else if (connection->kept && connection->kept_capacity == capacity) {
        memmove(connection->kept, data, size);
    } else {
        uint8_t *buffer = buffer_new(&connection->receive->memory, capacity);
        if (!buffer)
            return -ENOMEM;
        memcpy(buffer, data, size);
        forget_kept(connection);
        connection->kept = buffer;
        connection->kept_capacity = capacity;
    }
    connection->kept_size = size;
    return 0;
}

// An item that began now is the youngest of its kind.
static void note_holder(struct connection *connection, bool began)
{
    struct receive *receive = connection->receive;
    if (connection->kept_size == 0 || connection->blocked) {
        connection_memory_excuse(connection);
    } else if (connection->door && (began || !link_listed(&connection->place))) {
        connection->since_ns = now(receive);
        link_append(&receive->memory.holders[connection_is_lines(connection) ? LINES : FRAMES],
                    &connection->place);
    }
}

int connection_memory_keep(struct connection *connection, const uint8_t *data, size_t size,
                           bool began)
{
    struct receive *receive = connection->receive;
    int r = 0;
    if (size == 0)
        forget_kept(connection);
    else
        r = store(connection, data, size);
    if (r < 0)
        return r;
    assert(connection->charged >= connection->kept_capacity);
    size_t given = connection->charged - connection->kept_capacity;
    connection->charged = connection->kept_capacity;
    if ((began || size == 0) && receive->memory.over == connection) {
        receive->memory.over = NULL;
        call_waiters(receive);
    }
    note_holder(connection, began);
    connection_memory_give(receive, given);
    return 0;
}

void connection_memory_excuse(struct connection *connection)
{
    if (connection->door) // else its place is among the undecided
        link_remove(&connection->place);
}

void connection_memory_leave(struct connection *connection)
{
    struct receive *receive = connection->receive;
    connection_memory_unstarve(connection);
    link_remove(&connection->place);
    if (receive->memory.over == connection) {
        receive->memory.over = NULL;
        call_waiters(receive);
    }
    forget_kept(connection);
    connection_memory_give(receive, connection->charged);
    connection->charged = 0;
}

// --- serving those who wait ---

static struct connection *first_starved(struct receive *receive, unsigned size)
{
    struct link *link = link_first(&receive->memory.starved[size]);
    return link ? CONNECTION_OF(link, queue) : NULL;
}

// Lets the oldest go on, where there is room by now, or it may go over.
static bool serve_first(struct receive *receive, unsigned size)
{
    struct connection *connection = first_starved(receive, size);
    if (!connection)
        return false;
    bool room = charge_read(connection) > 0;
    if (!room && !receive->memory.over && connection->door && !connection_is_lines(connection)) {
        receive->memory.over = connection;
        room = true;
    }
    if (!room)
        return false;
    connection_memory_unstarve(connection);
    // It was we who paused it: its item is as good as new.
    if (connection_read(connection) && connection->kept_size > 0 && !connection->starved)
        note_holder(connection, true);
    return true;
}

// What they give back lets others go on, but after a look at all sockets.
static void run_again(struct loop_deferred *deferred)
{
    struct receive *receive =
        (struct receive *)((char *)deferred - offsetof(struct receive, memory.again));
    struct connection_memory *memory = &receive->memory;
    unsigned served = 0;
    memory->serving = true;
    for (unsigned size = SMALL; size <= LARGE; size++)
        while (served < SERVED_PER_TURN && serve_first(receive, size))
            served++;
    memory->serving = false;
    if (served > 0 && memory->starved_count > 0)
        loop_timer_start(receive->config.loop, &memory->patience, 0);
}

// The oldest holder of a kind, where it is older than it may be.
static struct connection *overdue(struct receive *receive, unsigned kind, uint64_t allowed_ns)
{
    struct link *link = link_first(&receive->memory.holders[kind]);
    struct connection *connection = link ? CONNECTION_OF(link, place) : NULL;
    return connection && now(receive) - connection->since_ns >= allowed_ns ? connection : NULL;
}

static void cut_overdue_lines(struct receive *receive, unsigned *work)
{
    struct connection *connection;
    while (*work > 0 && (connection = overdue(receive, LINES, receive->memory.line_held_ns))) {
        --*work;
        connection_cut(connection);
    }
}

static void close_stalled_frames(struct receive *receive, unsigned *work)
{
    struct connection *connection;
    while (*work > 0 && (connection = overdue(receive, FRAMES, receive->memory.stalled_ns))) {
        --*work;
        hint(&receive->hints, CLOSE_STALLED,
             "a frame of a client (uid %ld) did not end within %u s while others waited for "
             "memory; raise max_memory, or write frames whole",
             (long)connection->uid, (unsigned)(receive->memory.stalled_ns / NS_PER_S));
        connection_count_closed(connection, CLOSE_STALLED);
        connection_end(connection);
    }
}

// Lines, and who has not said what it is, go on without room: what they then have not ended is cut,
// or is a prefix.
static void go_on_regardless(struct connection *connection)
{
    connection_memory_unstarve(connection);
    if (!connection->door) {
        charge_anyway(connection, SMALL_CAPACITY);
        connection_read(connection);
        return;
    }
    charge_anyway(connection, capacity_for(connection->kept_size + LEAST_READ));
    if (connection_read(connection) && connection->kept_size > 0 && !connection->blocked &&
        !has_room(connection->receive, connection->kept_capacity, 0))
        connection_cut(connection); // from now on it skips, and needs no memory
}

static void serve_impatient(struct receive *receive, unsigned size, unsigned *work)
{
    struct link *list = &receive->memory.starved[size];
    uint64_t allowed_ns = receive->memory.line_held_ns;
    for (struct link *link = list->next, *next; *work > 0 && link != list; link = next) {
        struct connection *connection = CONNECTION_OF(link, queue);
        next = link->next; // stays: only this connection is touched
        if (now(receive) - connection->starved_ns < allowed_ns)
            break; // and so are those behind it
        --*work;
        if (!connection->door || connection_is_lines(connection))
            go_on_regardless(connection);
    }
}

static void patience_over(struct loop_timer *timer)
{
    struct receive *receive =
        (struct receive *)((char *)timer - offsetof(struct receive, memory.patience));
    unsigned work = SERVED_PER_TURN;
    cut_overdue_lines(receive, &work);
    close_stalled_frames(receive, &work);
    serve_impatient(receive, SMALL, &work);
    serve_impatient(receive, LARGE, &work);
    call_waiters(receive);
    if (receive->memory.starved_count > 0)
        loop_timer_start(receive->config.loop, timer, work > 0 ? receive->memory.line_held_ns : 0);
}

void connection_memory_init(struct receive *receive)
{
    struct connection_memory *memory = &receive->memory;
    for (unsigned i = SMALL; i <= LARGE; i++) {
        link_list_init(&memory->starved[i]);
        link_list_init(&memory->holders[i]);
    }
    memory->again.run = run_again;
    memory->patience.expired = patience_over;
    memory->line_held_ns = LINE_HELD_NS;
    memory->stalled_ns = STALLED_NS;
}

void connection_memory_deinit(struct receive *receive)
{
    struct connection_memory *memory = &receive->memory;
    loop_deferred_stop(&memory->again);
    loop_timer_stop(&memory->patience);
    for (unsigned i = 0; i < KEPT_CLASSES; i++) {
        for (uint8_t *buffer = memory->spare[i], *next; buffer; buffer = next) {
            memcpy(&next, buffer, sizeof next);
            free(buffer);
        }
        memory->spare[i] = NULL;
    }
}
