// What every payload of a log is, so that none is sent as what it is not.
#ifndef SLUICE_SPOOL_SPOOL_FORM_H
#define SLUICE_SPOOL_SPOOL_FORM_H

#include <stdint.h>

// The numbers stand in segments (docs/SPOOL.md).
enum spool_form {
    SPOOL_FORM_UNKNOWN, // an older version did not say
    SPOOL_FORM_ECS,     // an ECS JSON document with its '\n'
    SPOOL_FORM_OTLP,    // a field of an OTLP request
};

// As people are told it: "ECS JSON documents" …
const char *spool_form_name(uint32_t form);

#endif
