// The doors that have a file of their own; doors.c has the others and the table.
//
// Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_DOORS_H
#define SLUICE_RECEIVE_DOORS_H

struct door;

extern const struct door native_door;
extern const struct door otlp_grpc_door;

#endif
