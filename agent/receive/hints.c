// One row for each reason: when it was last told, and how often it was not.
#include "receive/hints.h"

#include "base/clock.h"
#include "base/own_log.h"

#include <stdarg.h>
#include <stdio.h>

#define HINT_EVERY_NS (10 * NS_PER_S)

void hint(struct hints *hints, enum close_reason reason, const char *format, ...)
{
    static const char *const events[CLOSE_REASON_COUNT] = {
        [CLOSE_TOO_MANY] = "connections_full", [CLOSE_NOT_ALLOWED] = "peer_not_allowed",
        [CLOSE_SILENT] = "connection_silent",  [CLOSE_STALLED] = "connection_stalled",
        [CLOSE_UNREAD] = "answers_unread",     [CLOSE_BROKEN] = "dialect_broken",
        [CLOSE_TLS] = "foreign_bytes",         [CLOSE_PICKLE] = "foreign_bytes",
        [CLOSE_HTTP1] = "foreign_bytes",       [CLOSE_BINARY] = "foreign_bytes",
    };
    uint64_t now = clock_monotonic(hints->clock);
    if (hints->rows[reason].told_ns && now - hints->rows[reason].told_ns < HINT_EVERY_NS) {
        hints->rows[reason].untold++;
        return;
    }
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct log_field fields[] = {{"reason", close_reason_name(reason), 0},
                                 {"untold", NULL, (long long)hints->rows[reason].untold},
                                 {NULL, NULL, 0}};
    own_log_fields(OWN_WARN, events[reason], fields, "a connection was closed: %s", text);
    hints->rows[reason].told_ns = now;
    hints->rows[reason].untold = 0;
}
