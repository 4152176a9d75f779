// What became of an Export request, as the gRPC reply that says so.
//
// Private to receive/. Source: opentelemetry-proto, collector services (ExportPartialSuccess); OTLP
// specification, OTLP/gRPC failures.
#ifndef SLUICE_RECEIVE_OTLP_REPLY_H
#define SLUICE_RECEIVE_OTLP_REPLY_H

struct grpc_call;
struct otlp_result;

// outcome: 0 or DECODE_… of decode_otlp_step, or -errno.
void otlp_reply(struct grpc_call *call, int outcome, const struct otlp_result *result);

#endif
