// What a connection has to write: pulled from its door, kept where the socket does not take it.
//
// Who does not read its answers holds at most one piece of them, and is read no more; for
// ANSWERS_UNREAD_NS. Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_CONNECTION_ANSWERS_H
#define SLUICE_RECEIVE_CONNECTION_ANSWERS_H

#include "base/clock.h"

struct connection;

#define ANSWERS_UNREAD_NS (10 * NS_PER_S) // without a byte taken

// Writes what the door has to say. 0 or -ENOMEM.
int connection_answers_pull(struct connection *connection);
// Goes on with what was kept, then with the door's. 0 or -ENOMEM.
int connection_answers_write(struct connection *connection);
// No answers any more: what is kept is dropped, and what comes.
void connection_answers_drop(struct connection *connection);

#endif
