// The handler of SIGBUS, and the table of mappings that it looks into.
//
// The handler may run on any thread at any instruction, so the table is only ever read through
// atomics and never shrinks: pieces of it are linked at the end and stay. A slot is taken by
// storing its start last and given back by clearing that first.
#include "spool/page_guard.h"

#include "base/error.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct page_guard {
    atomic_uintptr_t start; // 0: the slot is free
    atomic_size_t size;
    atomic_uint_least32_t lost;
    struct page_guard *next; // on the list of free slots
};

#define GUARDS_EACH 256

struct guard_piece {
    _Atomic(struct guard_piece *) next;
    struct page_guard guards[GUARDS_EACH];
};

static struct guard_piece first_piece;
static struct guard_piece *last_piece = &first_piece;
static size_t last_used; // slots of last_piece that were ever taken
static struct page_guard *free_guards;
static struct sigaction before;
static uintptr_t page_size;
static _Thread_local volatile sig_atomic_t mine;
static atomic_uint_least32_t all;

static struct page_guard *find(uintptr_t address)
{
    for (struct guard_piece *piece = &first_piece; piece; piece = atomic_load(&piece->next)) {
        for (size_t i = 0; i < GUARDS_EACH; i++) {
            struct page_guard *guard = &piece->guards[i];
            uintptr_t start = atomic_load(&guard->start);
            if (start && address >= start && address - start < atomic_load(&guard->size))
                return guard;
        }
    }
    return NULL;
}

static bool replace_page(char *address)
{
    struct page_guard *guard = find((uintptr_t)address);
    if (!guard)
        return false;
    // Counted first: nobody may see zeros and not the count.
    atomic_fetch_add(&guard->lost, 1);
    atomic_fetch_add(&all, 1);
    mine++;
    char *page = address - ((uintptr_t)address & (page_size - 1));
    return mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
                -1, 0) != MAP_FAILED;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    // Only a fault has an address: a signal that somebody sent has the sender's ids there.
    bool fault = info->si_code > 0;
    if (!fault || !replace_page(info->si_addr)) {
        sigaction(SIGBUS, &before, NULL);
        if (!fault)
            raise(signal_number); // a fault comes again by itself
    }
    errno = saved;
}

int page_guard_install(void)
{
    static bool installed;
    if (installed)
        return 0;
    page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    // SA_NODEFER is not set: a fault inside the handler must end the process, not its stack.
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &before) < 0)
        return error_from_errno();
    installed = true;
    return 0;
}

static struct page_guard *take_slot(void)
{
    struct page_guard *guard = free_guards;
    if (guard) {
        free_guards = guard->next;
        return guard;
    }
    if (last_used == GUARDS_EACH) {
        struct guard_piece *piece = calloc(1, sizeof *piece);
        if (!piece)
            return NULL;
        atomic_store(&last_piece->next, piece);
        last_piece = piece;
        last_used = 0;
    }
    return &last_piece->guards[last_used++];
}

int page_guard_add(struct page_guard **out, const void *data, size_t size)
{
    assert(data && size > 0);
    struct page_guard *guard = take_slot();
    if (!guard)
        return -ENOMEM;
    atomic_store(&guard->size, size);
    atomic_store(&guard->lost, 0);
    atomic_store(&guard->start, (uintptr_t)data);
    *out = guard;
    return 0;
}

void page_guard_remove(struct page_guard *guard)
{
    if (!guard)
        return;
    assert(atomic_load(&guard->start) != 0);
    atomic_store(&guard->start, 0);
    guard->next = free_guards;
    free_guards = guard;
}

uint32_t page_guard_lost(const struct page_guard *guard)
{
    if (!guard)
        return 0;
#if !defined(__SANITIZE_THREAD__) // which knows no fences
    atomic_thread_fence(memory_order_acquire);
#endif
    return atomic_load_explicit(&guard->lost, memory_order_acquire);
}

uint32_t page_guard_mine(void)
{
    return (uint32_t)mine;
}

uint32_t page_guard_all(void)
{
#if !defined(__SANITIZE_THREAD__) // which knows no fences
    atomic_thread_fence(memory_order_acquire);
#endif
    return atomic_load_explicit(&all, memory_order_acquire);
}
