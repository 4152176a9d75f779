// Credits: how many bytes of Records frames a native client may send, fewer as the logs fill up.
//
// Private to decode. Loop thread only. Source: docs/PROTOCOL.md, Credits.
#ifndef SLUICE_DECODE_NATIVE_CREDIT_H
#define SLUICE_DECODE_NATIVE_CREDIT_H

#include "base/urgency.h"
#include "decode/decode_native.h"

// What a client may send before Welcome, and is advised to keep for warn and above.
#define NATIVE_CREDIT_RESERVE ((uint64_t)64 << 10)

// Bytes of a Frame that the agent takes.
size_t native_max_frame(const struct decoder *decoder);

// What Welcome grants, what was sent before it included; 0 where credits are not spoken.
uint64_t native_first_credit(struct decoder *decoder, struct native_state *state);
// Whether a Records frame of that many bytes, its length included, was not granted.
bool native_is_overrun(const struct native_state *state, size_t bytes);
// Such a frame was taken.
void native_use_credit(struct native_state *state, size_t bytes, enum urgency urgency);
// Writes a Credit once enough is due.
void native_answer_credit(struct decoder *decoder, struct native_state *state);

#endif
