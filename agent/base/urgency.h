// How urgent a record is: what a log that fills up refuses first.
//
// Pure; any thread. Source: OpenTelemetry's SeverityNumber (1–4 trace, 5–8 debug, 9–12 info, 13–16
// warn, 17–20 error, 21–24 fatal; 0 none).
#ifndef SLUICE_BASE_URGENCY_H
#define SLUICE_BASE_URGENCY_H

enum urgency {
    URGENCY_LOW,    // trace, debug
    URGENCY_NORMAL, // info, no level; spans whose status is no error; metrics
    URGENCY_HIGH,   // warn and above; spans whose own status is error
};

static inline enum urgency urgency_of(unsigned severity)
{
    if (severity == 0)
        return URGENCY_NORMAL;
    return severity <= 8 ? URGENCY_LOW : severity <= 12 ? URGENCY_NORMAL : URGENCY_HIGH;
}

#endif
