// The names of signals, dialects and reasons.
#include "base/book_reasons.h"

const char *signal_name(enum signal_kind signal)
{
    static const char *const names[SIGNAL_COUNT] = {"logs", "spans", "metrics"};
    return names[signal];
}

const char *reject_reason_name(enum reject_reason reason)
{
    static const char *const names[REJECT_COUNT] = {"malformed", "too_large", "unrouted",
                                                    "overloaded"};
    return names[reason];
}

const char *drop_reason_name(enum drop_reason reason)
{
    static const char *const names[DROP_REASON_COUNT] = {"shed", "refused", "level", "damaged"};
    return names[reason];
}

const char *dialect_name(enum dialect_kind dialect)
{
    static const char *const names[DIALECT_COUNT] = {"unknown", "native", "otlp_grpc", "otlp_http",
                                                     "syslog",  "lines",  "foreign"};
    return names[dialect];
}

const char *batch_close_name(enum batch_close why)
{
    static const char *const names[BATCH_CLOSE_COUNT] = {"records", "bytes", "delay", "drain",
                                                         "change"};
    return names[why];
}

const char *close_reason_name(enum close_reason why)
{
    static const char *const names[CLOSE_REASON_COUNT] = {
        "too_many", "not_allowed", "silent", "stalled", "unread",
        "broken",   "tls",         "pickle", "http1",   "binary"};
    return names[why];
}

const char *spool_trouble_name(enum spool_trouble trouble)
{
    static const char *const names[TROUBLE_COUNT] = {"no_space", "low_space", "no_memory", "io",
                                                     "page_lost"};
    return names[trouble];
}
