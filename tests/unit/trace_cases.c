// The table of traces: each with ordinary output around it.
#include "trace_cases.h"

#include <stddef.h>

#define TRACEBACK "Traceback (most recent call last):\n"

const struct trace_case trace_cases[] = {
    {"python below a record",
     "INFO:     ready\nERROR:    Exception in ASGI application\n" TRACEBACK
     "  File \"a.py\", line 7, in f\n    g()\n    ~^^\nValueError: no good\nINFO:     bye\n",
     {{"INFO:     ready", NULL, NULL, NULL, NULL, NULL},
      {"ERROR:    Exception in ASGI application", "error", "ValueError", "no good",
       "Traceback (most recent call last):", "ValueError: no good"},
      {"INFO:     bye", NULL, NULL, NULL, NULL, NULL}}},
    {"python alone, and what is printed after it",
     "starting\n" TRACEBACK "  File \"a.py\", line 7, in <module>\n    f()\nKeyError: 'k'\nbye\n",
     {{"starting", NULL, NULL, NULL, NULL, NULL},
      {"KeyError: 'k'", "error", "KeyError", "'k'",
       "Traceback (most recent call last):", "KeyError: 'k'"},
      {"bye", NULL, NULL, NULL, NULL, NULL}}},
    {"python chains",
     "2026-11-22 19:31:38,558 CRITICAL app: failed\n" TRACEBACK
     "  File \"a.py\", line 1, in f\n    g()\nKeyError: 'k'\n\n"
     "The above exception was the direct cause of the following exception:\n\n" TRACEBACK
     "  File \"a.py\", line 2, in g\n    h()\napp.My: two\n\n"
     "During handling of the above exception, another exception occurred:\n\n" TRACEBACK
     "  File \"a.py\", line 3, in h\n    i()\ng.<locals>.Odd\n",
     {{"2026-11-22 19:31:38,558 CRITICAL app: failed", "fatal", "g.<locals>.Odd", NULL,
       "Traceback (most recent call last):", "g.<locals>.Odd"}}},
    {"two python traces are two records",
     TRACEBACK "  File \"a.py\", line 1, in f\n    g()\nValueError: 1\n" TRACEBACK
               "  File \"a.py\", line 1, in f\n    g()\nValueError: 2\n",
     {{"ValueError: 1", "error", "ValueError", "1",
       "Traceback (most recent call last):", "ValueError: 1"},
      {"ValueError: 2", "error", "ValueError", "2",
       "Traceback (most recent call last):", "ValueError: 2"}}},
    {"python group",
     "ERROR:root:group\n  + Exception Group Traceback (most recent call last):\n"
     "  |   File \"a.py\", line 3, in <module>\n  |     raise e\n"
     "  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n"
     "    | ValueError: a\n    +---------------- 2 ----------------\n    | TypeError: b\n"
     "    +------------------------------------\nDone: 5\n",
     {{"ERROR:root:group", "error", "ExceptionGroup", "two (2 sub-exceptions)",
       "  + Exception Group Traceback (most recent call last):",
       "    +------------------------------------"},
      {"Done: 5", NULL, NULL, NULL, NULL, NULL}}},
    {"python syntax",
     TRACEBACK "  File \"a.py\", line 1, in <module>\n    import b\n  File \"b.py\", line 1\n"
               "    a b\n    ^^^\nSyntaxError: invalid syntax\n",
     {{"SyntaxError: invalid syntax", "error", "SyntaxError", "invalid syntax",
       "Traceback (most recent call last):", "SyntaxError: invalid syntax"}}},
    {"python with pydantic's and SQLAlchemy's details",
     "ERROR: a\n" TRACEBACK "  File \"a.py\", line 1, in f\n    g()\n"
     "pydantic_core._pydantic_core.ValidationError: 1 validation error for Model\nage\n"
     "  Input should be a valid integer [type=int_parsing]\n"
     "ERROR: b\n" TRACEBACK "  File \"a.py\", line 1, in f\n    g()\n"
     "sqlalchemy.exc.IntegrityError: duplicate\nDETAIL:  Key (id)=(1) already exists.\n\n"
     "[SQL: INSERT INTO t]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)\n",
     {{"ERROR: a", "error", "pydantic_core._pydantic_core.ValidationError",
       "1 validation error for Model\nage\n  Input should be a valid integer [type=int_parsing]",
       "Traceback (most recent call last):",
       "  Input should be a valid integer [type=int_parsing]"},
      {"ERROR: b", "error", "sqlalchemy.exc.IntegrityError",
       "duplicate\nDETAIL:  Key (id)=(1) already exists.\n\n[SQL: INSERT INTO t]\n"
       "(Background on this error at: https://sqlalche.me/e/20/gkpj)",
       "Traceback (most recent call last):",
       "(Background on this error at: https://sqlalche.me/e/20/gkpj)"}}},
    {"asyncio",
     "ERROR asyncio: Task exception was never retrieved\nfuture: <Task finished name='T-2'>\n"
     "source_traceback: Object created at (most recent call last):\n"
     "  File \"a.py\", line 1, in f\n    g()\n" TRACEBACK
     "  File \"a.py\", line 1, in f\n    g()\nRuntimeError: in task\n"
     "Exception in thread Thread-1 (f):\n" TRACEBACK
     "  File \"a.py\", line 1, in f\n    g()\nZeroDivisionError: division by zero\n",
     {{"ERROR asyncio: Task exception was never retrieved\nfuture: <Task finished name='T-2'>\n"
       "source_traceback: Object created at (most recent call last):",
       "error", "RuntimeError", "in task", "  File \"a.py\", line 1, in f",
       "RuntimeError: in task"},
      {"ZeroDivisionError: division by zero", "error", "ZeroDivisionError", "division by zero",
       "Exception in thread Thread-1 (f):", "ZeroDivisionError: division by zero"}}},
    {"java below a record, with a cause and a message of two lines",
     "2026-11-22 19:31:38.633 [main] ERROR items.Repo - failed\n"
     "java.lang.IllegalStateException: outer\nsecond line\n\tat Main.main(Main.java:5)\n"
     "\tSuppressed: java.io.IOException: c\n\t\tat Main.g(Main.java:6)\n"
     "Caused by: java.lang.NumberFormatException: For input string: \"x\"\n"
     "\tat java.base/java.lang.Integer.parseInt(Integer.java:668)\n\t... 1 more\n"
     "2026-11-22 19:31:38.638 [main] INFO  items.Repo - marker\n",
     {{"2026-11-22 19:31:38.633 [main] ERROR items.Repo - failed", "error",
       "java.lang.IllegalStateException", "outer\nsecond line",
       "java.lang.IllegalStateException: outer", "\t... 1 more"},
      {"2026-11-22 19:31:38.638 [main] INFO  items.Repo - marker", NULL, NULL, NULL, NULL, NULL}}},
    {"java alone",
     "hello\nException in thread \"main\" app.Refused: no\n\tat Main.main(Main.java:5)\n"
     "java.io.IOException: reset\n\tat a.B.c(B.java:1)\nA$My: x\n\tat a.B.c(B.java:1)\nbye\n",
     {{"hello", NULL, NULL, NULL, NULL, NULL},
      {"Exception in thread \"main\" app.Refused: no", "error", "app.Refused", "no",
       "Exception in thread \"main\" app.Refused: no", "\tat Main.main(Main.java:5)"},
      {"java.io.IOException: reset", "error", "java.io.IOException", "reset",
       "java.io.IOException: reset", "\tat a.B.c(B.java:1)"},
      {"A$My: x", "error", "A$My", "x", "A$My: x", "\tat a.B.c(B.java:1)"},
      {"bye", NULL, NULL, NULL, NULL, NULL}}},
    {"java.util.logging",
     "Nov 22, 2026 7:31:38 PM app.Main run\nSEVERE: failed\njava.io.IOException: reset\n"
     "\tat a.B.c(B.java:1)\nNov 22, 2026 7:31:39 PM app.Main run\nINFO: ok\n",
     {{"Nov 22, 2026 7:31:38 PM app.Main run\nSEVERE: failed", "error", "java.io.IOException",
       "reset", "java.io.IOException: reset", "\tat a.B.c(B.java:1)"},
      {"Nov 22, 2026 7:31:39 PM app.Main run\nINFO: ok", NULL, NULL, NULL, NULL, NULL}}},
    {"the type in the record's own line",
     "[error] 12: TypeError [ERR_X]: in args\n    at f (/a.js:9:31)\n    at "
     "node:internal/m:28:49\n",
     {{"[error] 12: TypeError [ERR_X]: in args", "error", "TypeError", "in args",
       "    at f (/a.js:9:31)", "    at node:internal/m:28:49"}}},
    {"node prints an error with its cause and fields",
     "ok\nError: ENOENT: no such file\n    at Object.openSync (node:fs:573:18)\n"
     "    at a.js:4:21 {\n  errno: -2,\n  [cause]: Error: x\n      at f (a.js:1:1) {\n"
     "    code: 'E'\n  }\n}\nnext\n",
     {{"ok", NULL, NULL, NULL, NULL, NULL},
      {"Error: ENOENT: no such file", "error", "Error", "ENOENT: no such file",
       "Error: ENOENT: no such file", "}"},
      {"next", NULL, NULL, NULL, NULL, NULL}}},
    {"node dies",
     "/srv/app.js:10\nnull.foo;\n     ^\n\nTypeError: Cannot read properties of null\n"
     "    at Object.<anonymous> (/srv/app.js:10:6)\n\nNode.js v20.20.2\n"
     "node:internal/process/promises:389\n      new UnhandledPromiseRejection(reason);\n      ^\n\n"
     "[UnhandledPromiseRejection: reason \"r\".] {\n  code: 'ERR_UNHANDLED_REJECTION'\n}\n\n"
     "Node.js v20.20.2\n",
     {{"TypeError: Cannot read properties of null", "error", "TypeError",
       "Cannot read properties of null", "/srv/app.js:10", "Node.js v20.20.2"},
      {"[UnhandledPromiseRejection: reason \"r\".] {", "error", "UnhandledPromiseRejection",
       "reason \"r\".] {", "node:internal/process/promises:389", "Node.js v20.20.2"}}},
    {"node's assertion with its difference",
     "node:assert:90\n  throw new AssertionError(obj);\n  ^\n\n"
     "AssertionError [ERR_ASSERTION]: not equal:\n+ actual - expected\n\n  {\n+   a: 1\n-   a: 2\n"
     "  }\n\n    at [eval]:1:40 {\n  diff: 'simple'\n}\n\nNode.js v20.20.2\n",
     {{"AssertionError [ERR_ASSERTION]: not equal:", "error", "AssertionError",
       "not equal:\n+ actual - expected\n\n  {\n+   a: 1\n-   a: 2\n  }", "node:assert:90",
       "Node.js v20.20.2"}}},
    {"go panics",
     "2026/11/23 01:45:21 started\npanic: runtime error: invalid memory address\n"
     "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x65f9bd]\n\n"
     "goroutine 1 [running]:\nmain.(*T).f(0xc00, {0x1, 0x2})\n\t/a.go:5 +0x1d\nmain.main()\n"
     "\t/a.go:9 +0x1f\n\ngoroutine 7 [select, 2 minutes]:\nnet/http.(*conn).serve(0xc0)\n"
     "\t/s.go:1 +0x2\ncreated by net/http.(*Server).Serve in goroutine 1\n\t/s.go:3 +0x4\n"
     "exit status 2\n2026/11/23 01:45:22 started\n",
     {{"2026/11/23 01:45:21 started", NULL, NULL, NULL, NULL, NULL},
      {"panic: runtime error: invalid memory address", "error", "panic",
       "runtime error: invalid memory address", "panic: runtime error: invalid memory address",
       "exit status 2"},
      {"2026/11/23 01:45:22 started", NULL, NULL, NULL, NULL, NULL}}},
    {"go below a record, go's fatal errors",
     "2026/11/23 01:45:21 http: panic serving 127.0.0.1:1: boom\ngoroutine 5 [running]:\n"
     "panic({0x6e3300?, 0x7776c0?})\n\t/p.go:860 +0x13a\nmain.f()\n\t/a.go:7 +0x25\n"
     "2026/11/23 01:45:21 after\nruntime: goroutine stack exceeds 1000-byte limit\n"
     "runtime: sp=0x9 stack=[0x9, 0x9]\nfatal error: stack overflow\n\nruntime stack:\n"
     "runtime.throw({0x1, 0x2})\n\t/p.go:1\n\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/a.go:1\n"
     "...22369471 frames elided...\nmain.f(0x1)\n\t/a.go:1\nrip    0x45e9b1\n",
     {{"2026/11/23 01:45:21 http: panic serving 127.0.0.1:1: boom", "error", NULL, NULL,
       "goroutine 5 [running]:", "\t/a.go:7 +0x25"},
      {"2026/11/23 01:45:21 after", NULL, NULL, NULL, NULL, NULL},
      {"fatal error: stack overflow", "error", "fatal error", "stack overflow",
       "runtime: goroutine stack exceeds 1000-byte limit", "rip    0x45e9b1"}}},
    {"zap's console",
     "2026-11-22T19:31:38.633Z\tERROR\tapp\ta.go:3\tfailed\nmain.main\n\t/a.go:3\n"
     "runtime.main\n\t/p.go:1\n2026-11-22T19:31:38.633Z\tINFO\tapp\ta.go:3\tok\nmain.go\n",
     {{"2026-11-22T19:31:38.633Z\tERROR\tapp\ta.go:3\tfailed", "error", NULL, NULL, "main.main",
       "\t/p.go:1"},
      {"2026-11-22T19:31:38.633Z\tINFO\tapp\ta.go:3\tok", NULL, NULL, NULL, NULL, NULL},
      {"main.go", NULL, NULL, NULL, NULL, NULL}}},
    {"ruby",
     "a.rb:2:in 'Object#m': boom (RuntimeError)\n\tfrom a.rb:5:in '<main>'\n"
     "E, [2026-11-22T19:31:38.633 #1] ERROR -- : boom (App::Err)\na.rb:2:in `m'\n"
     "a.rb:5:in `<main>'\nI, [2026-11-22T19:31:38.633 #1]  INFO -- : ok\n" TRACEBACK
     "\t1: from a.rb:5:in `<main>'\na.rb:2:in `m': late (RuntimeError)\n"
     "a.rb:2:in 'm': undefined method 'x' for nil (NoMethodError)\n\nnil.x\n   ^^\n"
     "\tfrom a.rb:5:in '<main>'\n",
     {{"a.rb:2:in 'Object#m': boom (RuntimeError)", "error", "RuntimeError", "boom",
       "a.rb:2:in 'Object#m': boom (RuntimeError)", "\tfrom a.rb:5:in '<main>'"},
      {"E, [2026-11-22T19:31:38.633 #1] ERROR -- : boom (App::Err)", "error", NULL, NULL,
       "a.rb:2:in `m'", "a.rb:5:in `<main>'"},
      {"I, [2026-11-22T19:31:38.633 #1]  INFO -- : ok", "info", "RuntimeError", "late",
       "Traceback (most recent call last):", "a.rb:2:in `m': late (RuntimeError)"},
      {"a.rb:2:in 'm': undefined method 'x' for nil (NoMethodError)", "error", "NoMethodError",
       "undefined method 'x' for nil",
       "a.rb:2:in 'm': undefined method 'x' for nil (NoMethodError)",
       "\tfrom a.rb:5:in '<main>'"}}},
    {".NET",
     "fail: App.Svc[13]\n      An unhandled exception\n      System.X: msg\n"
     "         at N.M() in /a.cs:line 3\ninfo: App.Svc[1]\n      ok\n"
     "Unhandled exception. System.InvalidOperationException: outer\n"
     " ---> System.IO.IOException: inner\n   at N.M() in /a.cs:line 3\n"
     "   --- End of inner exception stack trace ---\n   at N.Main()\n"
     "--- End of stack trace from previous location ---\n   at N.Later()\nbye\n",
     {{"fail: App.Svc[13]\n      An unhandled exception\n      System.X: msg", "error", NULL, NULL,
       "         at N.M() in /a.cs:line 3", "         at N.M() in /a.cs:line 3"},
      {"info: App.Svc[1]\n      ok", NULL, NULL, NULL, NULL, NULL},
      {"Unhandled exception. System.InvalidOperationException: outer", "error",
       "System.InvalidOperationException", "outer",
       "Unhandled exception. System.InvalidOperationException: outer", "   at N.Later()"},
      {"bye", NULL, NULL, NULL, NULL, NULL}}},
    {"rust",
     "thread 'main' (7) panicked at a.rs:2:92:\nindex out of bounds\nstack backtrace:\n"
     "   0: __rustc::rust_begin_unwind\n             at /rustc/std.rs:1\n"
     "note: Some details are omitted\nafter\nthread 'w k' panicked at 'old', a.rs:2:5\n"
     "note: run with `RUST_BACKTRACE=1`\n",
     {{"thread 'main' (7) panicked at a.rs:2:92:", "error", "panic", "index out of bounds",
       "thread 'main' (7) panicked at a.rs:2:92:", "note: Some details are omitted"},
      {"after", NULL, NULL, NULL, NULL, NULL},
      {"thread 'w k' panicked at 'old', a.rs:2:5", "error", "panic", "old",
       "thread 'w k' panicked at 'old', a.rs:2:5", "note: run with `RUST_BACKTRACE=1`"}}},
    {"php",
     "PHP Fatal error:  Uncaught RuntimeException: boom in /a.php:3\nStack trace:\n#0 /a.php(9): "
     "f()\n"
     "#1 {main}\n\nNext LogicException: after in /a.php:4\nStack trace:\n#0 {main}\n"
     "  thrown in /a.php on line 4\nok\n",
     {{"PHP Fatal error:  Uncaught RuntimeException: boom in /a.php:3", "error", "RuntimeException",
       "boom in /a.php:3", "PHP Fatal error:  Uncaught RuntimeException: boom in /a.php:3",
       "  thrown in /a.php on line 4"},
      {"ok", NULL, NULL, NULL, NULL, NULL}}},
    {"what is indented belongs to the line above",
     "Config:\n  a: 1\n  b: 2\n{\n  \"a\": [\n    1\n  ]\n}\nusage\n\n  first\n  second\n    "
     "more\n",
     {{"Config:\n  a: 1\n  b: 2", NULL, NULL, NULL, NULL, NULL},
      {"{\n  \"a\": [\n    1\n  ]\n}", NULL, NULL, NULL, NULL, NULL},
      {"usage", NULL, NULL, NULL, NULL, NULL},
      {"  first", NULL, NULL, NULL, NULL, NULL},
      {"  second\n    more", NULL, NULL, NULL, NULL, NULL}}},
    {"ordinary output is as many records as lines",
     "one\nDone: 5\nError: odd\nexit status 2\nmain.main\nfinished.\n",
     {{"one", NULL, NULL, NULL, NULL, NULL},
      {"Done: 5", NULL, NULL, NULL, NULL, NULL},
      {"Error: odd", NULL, NULL, NULL, NULL, NULL},
      {"exit status 2", NULL, NULL, NULL, NULL, NULL},
      {"main.main", NULL, NULL, NULL, NULL, NULL},
      {"finished.", NULL, NULL, NULL, NULL, NULL}}},
    {"two producers",
     "2026-11-22 19:31:38 ERROR a\nTraceback (most recent call last):\n  File \"a.py\", line 1\n"
     "{\"event\":\"json\"}\n    f()\nValueError: 1\n<13>syslog\n  more\n<14>again\n[warn] d\n",
     {{"json", NULL, NULL, NULL, NULL, NULL},
      {"2026-11-22 19:31:38 ERROR a", "error", "ValueError", "1",
       "Traceback (most recent call last):", "ValueError: 1"},
      {"<13>syslog\n  more", NULL, NULL, NULL, NULL, NULL},
      {"<14>again", NULL, NULL, NULL, NULL, NULL},
      {"[warn] d", NULL, NULL, NULL, NULL, NULL}}},
};

const unsigned trace_case_count = sizeof trace_cases / sizeof *trace_cases;
