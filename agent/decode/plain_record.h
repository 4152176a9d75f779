// A record of plain text: its message, and what a stack trace that belongs to it says.
//
// Private to agent/decode. Loop thread only.
#ifndef SLUICE_DECODE_PLAIN_RECORD_H
#define SLUICE_DECODE_PLAIN_RECORD_H

#include "decode/decoder.h"
#include "decode/stack_trace.h"

// Fills decoder->record, which decoder_next_record has made ready, from the record's lines. The
// text must stay until the record is done with. False where memory ran out.
bool plain_record(struct decoder *decoder, struct slice text, const struct stack_trace *trace);

#endif
