// The agent's own log: JSON lines on stderr, one event a line, never a secret.
//
// Any thread: a line is one write(2), of at most PIPE_BUF bytes. Never blocks: a line that stderr
// has no room for is lost, and the next one that it takes says how many (lost_before). Of one event
// OWN_LOG_BURST lines come in OWN_LOG_PERIOD_S; the next one after that says how many were left out
// (suppressed). base/own_log_events.c lists the events, and which have no such limit.
#ifndef SLUICE_BASE_OWN_LOG_H
#define SLUICE_BASE_OWN_LOG_H

enum log_level { OWN_DEBUG, OWN_INFO, OWN_WARN, OWN_ERROR };

#define OWN_LOG_BURST 10
#define OWN_LOG_PERIOD_S 10

struct clock;

struct log_field {
    const char *name;
    const char *text; // NULL: number is used
    long long number;
};

// event: a name of base/own_log_events.c, that an operator can search for. The message says what
// happened and the way out.
void own_log(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The same with fields of its own, written as top-level members. fields ends with {NULL, NULL, 0}.
void own_log_fields(enum log_level level, const char *event, const struct log_field *fields,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

// Lines below this level are not written. The default is info.
void own_log_threshold(enum log_level level);

// By whose time lines are limited; NULL: the kernel's. Forgets what was counted. For tests: no
// other thread may log meanwhile.
void own_log_clock(struct clock *clock);

#endif
