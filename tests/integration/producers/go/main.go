// An app as a Go team writes it: slog or zap JSON lines to the socket, or OTLP/gRPC by environment alone.
//
//	producer slog|zap|spans COUNT
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const spansPerTrace = 10

func socket() net.Conn {
	connection, err := net.Dial("unix", os.Getenv("SLUICE_SOCKET"))
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

func withSlog(count int) {
	connection := socket()
	defer connection.Close()
	logger := slog.New(slog.NewJSONHandler(connection, nil)).With("producer", "go-slog")
	for n := range count {
		logger.Warn("slog says ünïcode \"quoted\"", "n", n, "ratio", 0.5, "flag", n%2 == 0)
	}
}

func withZap(count int) {
	connection := socket()
	defer connection.Close()
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	core := zapcore.NewCore(encoder, zapcore.AddSync(connection), zapcore.InfoLevel)
	logger := zap.New(core, zap.AddCaller()).Named("items.repo").With(zap.String("producer", "go-zap"))
	for n := range count {
		logger.Error("zap failed", zap.Int("n", n), zap.String("path", "/items/1"), zap.Any("nested", map[string]any{"k": []int{1, 2}}))
	}
}

// Only the environment says where: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_INSECURE, OTEL_SERVICE_NAME.
func withSpans(count int) {
	ctx := context.Background()
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()))
	tracer := provider.Tracer("go-producer")
	for made := 0; made < count; made += spansPerTrace {
		root, span := tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
		for child := 1; child < spansPerTrace; child++ {
			_, inner := tracer.Start(root, fmt.Sprintf("step-%d", child))
			inner.SetAttributes(attribute.Int("n", made+child), attribute.String("text", "grüße"))
			inner.End()
		}
		span.SetStatus(codes.Error, "boom")
		span.End()
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	map[string]func(int){"slog": withSlog, "zap": withZap, "spans": withSpans}[os.Args[1]](count)
}
