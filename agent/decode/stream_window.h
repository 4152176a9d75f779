// How far each native stream has come, so that a run that its client sends again is known.
//
// Bounded: of more streams than STREAM_WINDOW_MAX the one that was heard of least recently is
// forgotten; what it sends again is then stored again, with the same ids. Private to decode. Loop
// thread only.
#ifndef SLUICE_DECODE_STREAM_WINDOW_H
#define SLUICE_DECODE_STREAM_WINDOW_H

#include <stdint.h>

#define STREAM_WINDOW_MAX 4096u

struct stream_window;

// NULL: no memory.
struct stream_window *stream_window_new(void);
// NULL is fine.
void stream_window_free(struct stream_window *window);

// The highest sequence that was stored of a stream; 0: not known.
uint64_t stream_window_last(const struct stream_window *window, const uint8_t stream[8]);
// Remembers it; a lower one than is known changes nothing.
void stream_window_store(struct stream_window *window, const uint8_t stream[8], uint64_t sequence);

#endif
