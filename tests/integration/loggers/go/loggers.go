package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func withSlog(r records, out io.Writer) logger {
	source, renamed, group := r.chance(0.4), r.chance(0.3), ""
	options := &slog.HandlerOptions{AddSource: source, Level: slog.LevelDebug - 8}
	if renamed {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
			case a.Key == slog.LevelKey:
				a.Key = "severity"
			case a.Key == slog.TimeKey:
				a.Key = "timestamp"
			case a.Key == slog.MessageKey:
				a.Key = "message"
			}
			return a
		}
	}
	l := slog.New(slog.NewJSONHandler(out, options)).With("dup", "first").With("dup", "last")
	if r.chance(0.3) {
		group = "shop"
		l = l.WithGroup(group)
	}
	levels := map[string]slog.Level{"DEBUG-8": -12, "debug": slog.LevelDebug, "info": slog.LevelInfo, "INFO+2": 2,
		"warn": slog.LevelWarn, "WARN+1": 5, "error": slog.LevelError, "ERROR+4": 12}
	write := func(level, message string, fields object, err error, duration *time.Duration) {
		attributes := []slog.Attr{}
		for name, value := range fields {
			attributes = append(attributes, slog.Any(name, value))
		}
		if err != nil {
			attributes = append(attributes, slog.Any(pick(r, "err", "error"), err))
		}
		if duration != nil {
			attributes = append(attributes, slog.Duration("duration", *duration))
		}
		l.LogAttrs(context.Background(), levels[level], message, attributes...)
	}
	ecs := object{"labels.dup": "last"}
	if source {
		ecs["log.origin.file.name"], ecs["log.origin.function"] = anything, anything
	}
	var printed func(time.Duration) any
	if renamed {
		printed = func(d time.Duration) any { return d.Nanoseconds() }
	}
	return logger{options: []any{source, renamed, group}, duration: printed, group: group, resolution: time.Nanosecond, ecs: ecs, write: write,
		levels: map[string]string{"DEBUG-8": "trace", "debug": "debug", "info": "info", "INFO+2": "info", "warn": "warn",
			"WARN+1": "warn", "error": "error", "ERROR+4": "fatal"}}
}

func withZap(r records, out io.Writer) logger {
	configuration := zap.NewProductionEncoderConfig()
	development := r.chance(0.5)
	if development {
		configuration = zap.NewDevelopmentEncoderConfig()
	}
	clock := r.IntN(6)
	configuration.EncodeTime = []zapcore.TimeEncoder{zapcore.EpochTimeEncoder, zapcore.EpochMillisTimeEncoder,
		zapcore.EpochNanosTimeEncoder, zapcore.ISO8601TimeEncoder, zapcore.RFC3339TimeEncoder, zapcore.RFC3339NanoTimeEncoder}[clock]
	resolution := []time.Duration{time.Microsecond, time.Microsecond, time.Nanosecond, time.Millisecond, time.Second, 1}[clock]
	configuration.EncodeLevel = pick(r, zapcore.LowercaseLevelEncoder, zapcore.CapitalLevelEncoder)
	configuration.EncodeCaller = pick(r, zapcore.ShortCallerEncoder, zapcore.FullCallerEncoder)
	if !development && r.chance(0.3) {
		configuration.TimeKey, configuration.LevelKey, configuration.MessageKey = "timestamp", "severity", "message"
	}
	spelled := r.IntN(3) // how durations are written
	configuration.EncodeDuration = []zapcore.DurationEncoder{zapcore.SecondsDurationEncoder, zapcore.MillisDurationEncoder,
		zapcore.NanosDurationEncoder}[spelled]
	key := []string{"duration", "duration_ms", "duration_ns"}[spelled]
	core := zapcore.NewCore(zapcore.NewJSONEncoder(configuration), zapcore.AddSync(out), zapcore.DebugLevel)
	caller, named, group := r.chance(0.5), r.chance(0.5), ""
	l := zap.New(core, zap.WithCaller(caller)).With(zap.String("dup", "first")).With(zap.String("dup", "last"))
	ecs := object{"labels.dup": "last"}
	if named {
		l = l.Named("items").Named("repo")
		ecs["log.logger"] = "items.repo"
	}
	if caller {
		ecs["log.origin.file.name"] = anything
	}
	if r.chance(0.2) {
		group = "shop"
		l = l.With(zap.Namespace(group))
	}
	levels := map[string]zapcore.Level{"debug": zap.DebugLevel, "info": zap.InfoLevel, "warn": zap.WarnLevel,
		"error": zap.ErrorLevel, "dpanic": zap.DPanicLevel}
	write := func(level, message string, fields object, err error, duration *time.Duration) {
		all := []zap.Field{}
		for name, value := range fields {
			all = append(all, zap.Any(name, value))
		}
		if err != nil {
			all = append(all, zap.Error(err))
		}
		if duration != nil {
			all = append(all, zap.Duration(key, *duration))
		}
		l.Log(levels[level], message, all...)
	}
	var printed func(time.Duration) any
	if spelled == 0 && !development && (clock > 2 || configuration.TimeKey != "ts") {
		printed = func(d time.Duration) any { return d.Seconds() }
	}
	return logger{duration: printed, options: []any{development, clock, configuration.LevelKey, spelled, caller, named, group}, group: group,
		resolution: resolution, ecs: ecs, write: write, levels: map[string]string{"debug": "debug", "info": "info",
			"warn": "warn", "error": "error", "dpanic": "fatal"}}
}

func withZerolog(r records, out io.Writer) logger {
	clock := r.IntN(6)
	zerolog.TimeFieldFormat = []string{time.RFC3339, zerolog.TimeFormatUnix, zerolog.TimeFormatUnixMs,
		zerolog.TimeFormatUnixMicro, zerolog.TimeFormatUnixNano, time.RFC3339Nano}[clock]
	resolution := []time.Duration{time.Second, time.Second, time.Millisecond, time.Microsecond, 1, 1}[clock]
	zerolog.TimestampFieldName = pick(r, "time", "timestamp", "ts")
	zerolog.LevelFieldName = pick(r, "level", "severity")
	zerolog.MessageFieldName = pick(r, "message", "msg")
	zerolog.ErrorFieldName = pick(r, "error", "err")
	with := zerolog.New(out).With().Timestamp().Str("dup", "first").Str("dup", "last")
	ecs := object{"labels.dup": "last"}
	if r.chance(0.4) {
		with = with.Caller()
		ecs["log.origin.file.name"] = anything
	}
	l := with.Logger().Level(zerolog.TraceLevel)
	levels := map[string]zerolog.Level{"trace": zerolog.TraceLevel, "debug": zerolog.DebugLevel, "info": zerolog.InfoLevel,
		"warn": zerolog.WarnLevel, "error": zerolog.ErrorLevel, "fatal": zerolog.FatalLevel, "panic": zerolog.PanicLevel}
	write := func(level, message string, fields object, err error, duration *time.Duration) {
		event := l.WithLevel(levels[level])
		for name, value := range fields {
			event = event.Interface(name, value)
		}
		if err != nil {
			event = event.Err(err)
		}
		if duration != nil {
			event = event.Dur("duration_ms", *duration) // zerolog's unit
		}
		event.Msg(message)
	}
	return logger{options: []any{clock, zerolog.TimestampFieldName, zerolog.LevelFieldName, zerolog.MessageFieldName},
		resolution: resolution, ecs: ecs, write: write, levels: map[string]string{"trace": "trace", "debug": "debug",
			"info": "info", "warn": "warn", "error": "error", "fatal": "fatal", "panic": "fatal"}}
}

func withLogrus(r records, out io.Writer) logger {
	clock := r.IntN(3)
	data, names := "", logrus.FieldMap{}
	if r.chance(0.3) {
		names = logrus.FieldMap{logrus.FieldKeyTime: "@timestamp", logrus.FieldKeyLevel: "severity", logrus.FieldKeyMsg: "message"}
	}
	if r.chance(0.2) {
		data = "data"
	}
	l := logrus.New()
	l.SetOutput(out)
	l.SetLevel(logrus.TraceLevel)
	l.SetReportCaller(r.chance(0.4))
	l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: []string{"", time.RFC3339Nano, "2006-01-02 15:04:05.000"}[clock],
		DataKey: data, FieldMap: names, DisableHTMLEscape: r.chance(0.5)})
	levels := map[string]logrus.Level{"trace": logrus.TraceLevel, "debug": logrus.DebugLevel, "info": logrus.InfoLevel,
		"warn": logrus.WarnLevel, "error": logrus.ErrorLevel, "fatal": logrus.FatalLevel}
	write := func(level, message string, fields object, err error, duration *time.Duration) {
		entry := l.WithFields(fields)
		if err != nil {
			entry = entry.WithError(err)
		}
		if duration != nil {
			entry = entry.WithField("duration_ns", *duration)
		}
		entry.Log(levels[level], message)
	}
	return logger{options: []any{clock, data, len(names), l.ReportCaller}, group: data, write: write,
		resolution: []time.Duration{time.Second, 1, time.Millisecond}[clock], levels: map[string]string{"trace": "trace",
			"debug": "debug", "info": "info", "warn": "warn", "error": "error", "fatal": "fatal"}}
}
