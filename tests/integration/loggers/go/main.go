// Logs by Go's real loggers with random options, and says in a side file what it meant.
//
//	loggers SEED RECORDS SIDE_FILE        SLUICE_SOCKET says where to
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

var (
	words = []string{"", "plain", "ünïcode ✓ 日本語", "🙂🙃", "quo\"te \\back /slash", "ctl \x00\x01\x1b[31m\x7f\u0085\u2028",
		"tab\tnl\ncr\r", "<html> & 'co'", "{\"json\": 1}", "null", "123", "bad \xff\xc3 utf8", "cut \xe2\x9c"}
	names = []string{"colour", "Größe", "emoji🙂", "with space", "with.dot", "quo\"ted", "back\\slash", "UPPER", "a*b", "0",
		"kebab-case", "snake_case", "topic", "offset", "partition", "source_type", "message_key"}
	integers = []int64{0, -1, 1 << 31, 1<<53 + 1, math.MaxInt64, math.MinInt64}
	reals    = []float64{0.5, 123456789.123456789, 5e-324, 1e300, 1e21}
)

type object = map[string]any

// A seed's own choices.
type records struct {
	*rand.Rand
	positional bool // the logger writes a real number without an exponent, so that a large one looks like an integer
}

func (r records) chance(of float64) bool { return r.Float64() < of }

func pick[T any](r records, choices ...T) T { return choices[r.IntN(len(choices))] }

func (r records) text() string { return pick(r, words...) }

func (r records) scalar() any {
	switch r.IntN(7) {
	case 0, 1:
		return r.text()
	case 2:
		return pick(r, integers...)
	case 3:
		return uint64(math.MaxUint64)
	case 4:
		if r.positional {
			return pick(r, reals[:3]...)
		}
		return pick(r, reals...)
	default:
		return pick[any](r, true, false, nil, int64(r.IntN(1e6)))
	}
}

func (r records) value(depth int) any {
	kind := r.IntN(10)
	if depth > 3 || kind < 7 {
		return r.scalar()
	}
	if kind == 9 {
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = r.value(depth + 1)
		}
		return list
	}
	inner := object{}
	for n := range r.IntN(4) {
		inner[fmt.Sprint("k", n)] = r.value(depth + 1)
	}
	return inner
}

func (r records) fields() object {
	all := object{}
	for n := range r.IntN(6) {
		all[pick(r, names...)+pick(r, "", strconv.Itoa(n))] = r.value(0)
	}
	return all
}

// Fields that have a place in ECS: what to pass, and what must become of it.
func (r records) known() (given, meant object) {
	given, meant = object{}, object{}
	if r.chance(0.4) {
		trace, span := fmt.Sprintf("%016x%016x", r.Uint64()|1, r.Uint64()), fmt.Sprintf("%016x", r.Uint64()|1)
		switch r.IntN(3) {
		case 0:
			given["trace_id"], given["span_id"] = trace, span
		case 1:
			given["traceID"], given["spanID"] = trace, span
		default:
			given["traceparent"] = "00-" + trace + "-" + span + "-00"
		}
		meant["trace.id"], meant["span.id"] = trace, span
	}
	if r.chance(0.3) {
		status := int64(pick(r, 200, 404, 503))
		given["method"], given["path"], given["status_code"], given["user_agent"] = "PUT", "/ü", status, "curl/8"
		meant["http.request.method"], meant["url.path"], meant["http.response.status_code"] = "PUT", "/ü", status
		meant["user_agent.original"] = "curl/8"
	}
	return given, meant
}

// There must be a value; which one depends on where the module was built.
var anything = object{"$any": true}

// What a logger at random options does with one record.
type logger struct {
	name       string
	options    []any
	levels     map[string]string // its own level's name to ECS's
	resolution time.Duration     // of its clock; 0: it prints none
	ecs        object
	fields     object                  // what its options add
	group      string                  // it puts the record's fields into this object
	duration   func(time.Duration) any // how it is printed where nothing on the line tells the unit
	write      func(level, message string, fields object, err error, duration *time.Duration)
}

type side struct {
	*json.Encoder
	seed int
}

func (s side) logMany(r records, count int, l logger) {
	levels := make([]string, 0, len(l.levels))
	for _, level := range sorted(l.levels) {
		levels = append(levels, level)
	}
	for n := range count {
		uid := fmt.Sprintf("u~%s-%d-%d~", l.name, s.seed, n)
		level, message := pick(r, levels...), r.text()+" "+uid
		given, meant := r.known()
		fields := r.fields()
		all := object{"uid": uid}
		for _, some := range []object{given, fields} {
			for name, value := range some {
				all[name] = value
			}
		}
		var failure any
		var err error
		if r.chance(0.2) {
			err = fmt.Errorf("%s: %w", r.text(), errors.New("inner"))
			failure = object{"types": []any{}, "message": err.Error()}
		}
		var duration *time.Duration
		if r.chance(0.3) {
			d := time.Duration(r.Int64N(1e6)) * time.Millisecond
			duration = &d
			if l.duration == nil {
				meant["event.duration"] = d.Nanoseconds()
			} else {
				meant["numeric_labels.duration"] = l.duration(d)
			}
		}
		before := time.Now().UnixNano()
		l.write(level, message, all, err, duration)
		after := time.Now().UnixNano()
		meaning := object{"generator": l.name, "uid": uid, "options": l.options, "message": message, "lossy": true,
			"resolution": l.resolution.Nanoseconds(), "error": failure}
		if l.resolution > 0 {
			meaning["time"] = []int64{before, after}
		}
		ecs := object{"log.level": l.levels[level]}
		if l.group != "" { // what is inside a group of its own is the app's
			meaning["fields"] = object{l.group: all}
			if err != nil || duration != nil {
				delete(meaning, "fields") // written in the logger's own form beside them
				meaning["present"] = []any{uid}
			}
			meaning["error"] = nil
		} else {
			for path, value := range meant {
				ecs[path] = value
			}
			for name, value := range l.fields {
				fields[name] = value
			}
			meaning["fields"] = fields
		}
		for path, value := range l.ecs {
			ecs[path] = value
		}
		meaning["ecs"] = ecs
		if e := s.Encode(meaning); e != nil {
			log.Fatal(e)
		}
	}
}

func sorted(levels map[string]string) []string {
	all := []string{}
	for _, level := range []string{"trace", "DEBUG-8", "debug", "info", "INFO+2", "warn", "WARN+1", "error", "ERROR+4", "dpanic", "fatal", "panic"} {
		if _, there := levels[level]; there {
			all = append(all, level)
		}
	}
	return all
}

func main() {
	seed, _ := strconv.Atoi(os.Args[1])
	count, _ := strconv.Atoi(os.Args[2])
	file, err := os.OpenFile(os.Args[3], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	for n, one := range []struct {
		name string
		make func(records, io.Writer) logger
	}{{"slog", withSlog}, {"slog2", withSlog}, {"zap", withZap}, {"zap2", withZap}, {"zerolog", withZerolog}, {"logrus", withLogrus}} {
		connection, err := net.Dial("unix", os.Getenv("SLUICE_SOCKET"))
		if err != nil {
			log.Fatal(err)
		}
		r := records{rand.New(rand.NewPCG(uint64(seed), uint64(n))), strings.HasPrefix(one.name, "zap")}
		l := one.make(r, connection)
		l.name = one.name
		side{encoder, seed}.logMany(r, count, l)
		connection.Close()
	}
}
