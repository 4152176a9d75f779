// Logs by Node's real loggers with random options, and says in a side file what it meant.
//
//     node_loggers.cjs SEED RECORDS SIDE_FILE        SLUICE_SOCKET says where to
"use strict";
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const pino = require("pino");
const winston = require("winston");
const bunyan = require("bunyan");

const WORDS = ["", "plain", "ünïcode ✓ 日本語", "🙂🙃", "quo\"te \\back /slash", "ctl \x00\x01\x1b[31m\x7f\x85\u2028",
  "tab\tnl\ncr\r", "x".repeat(3000), "{\"json\": 1}", "null", "123", "lone \ud800 x", "\udfff", "\ude42\ud83d swapped"];
const NUMBERS = [0, -1, 2 ** 31, 2 ** 53 - 1, 0.5, 1e300, 5e-324, 1e21, 0.1 + 0.2, -(2 ** 40), 2 ** 63, 1e20];
const NAMES = ["colour", "Größe", "emoji🙂", "with space", "with.dot", "quo\"ted", "back\\slash", "UPPER", "a*b", "0",
  "kebab-case", "snake_case", "topic", "offset", "partition", "source_type", "message_key"];
const PINO_LEVELS = { trace: "trace", debug: "debug", info: "info", notice: "info", warn: "warn", error: "error", fatal: "fatal" };
const BUNYAN_LEVELS = { trace: "trace", debug: "debug", info: "info", warn: "warn", error: "error", fatal: "fatal" };
const NPM_LEVELS = { error: "error", warn: "warn", info: "info", http: "info", verbose: "debug", debug: "debug", silly: "trace" };
const SYSLOG_LEVELS = { emerg: "fatal", alert: "fatal", crit: "fatal", error: "error", warning: "warn", notice: "info",
  info: "info", debug: "debug" };
const MILLISECOND = 1e6;

class ShopError extends Error {}

// A seed's own choices: mulberry32.
class Records {
  constructor(seed, limits = []) {
    this.state = seed >>> 0;
    this.limits = new Set(limits);
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(n) { return Math.floor(this.next() * n); }
  chance(of) { return this.next() < of; }
  pick(...choices) { return choices[this.below(choices.length)]; }
  text() { return this.pick(...WORDS); }

  scalar() {
    const kind = this.below(8);
    if (kind < 2) return this.text();
    if (kind === 2) return this.pick(...NUMBERS);
    if (kind === 3) return this.pick(NaN, Infinity, -Infinity);
    if (kind === 4) return this.limits.has("big") ? true : this.pick(2n ** 63n - 1n, 2n ** 70n, -5n);
    return this.pick(true, false, null, this.below(1e6));
  }

  value(depth = 0) {
    const kind = this.below(10);
    if (depth > 3 || kind < 7) return this.scalar();
    if (kind === 9) return Array.from({ length: this.below(4) }, () => this.value(depth + 1));
    return Object.fromEntries(Array.from({ length: this.below(4) }, (_, n) => [`k${n}`, this.value(depth + 1)]));
  }

  fields() {
    const all = {};
    for (let n = this.below(6); n > 0; n--) all[this.pick(...NAMES) + this.pick("", `${n}`)] = this.value();
    return all;
  }

  message(uid) { return this.chance(0.7) ? `${this.text()} ${uid}` : `${uid} ${this.text()}`; }

  hexadecimal(digits) {
    return Array.from({ length: digits }, (_, n) => (n === 0 ? 1 + this.below(15) : this.below(16)).toString(16)).join("");
  }

  // Fields that have a place in ECS: what to pass, and what must become of it.
  known() {
    const given = {}, meant = {};
    if (this.chance(0.4)) {
      const trace = this.hexadecimal(32), span = this.hexadecimal(16);
      if (this.chance(0.5)) Object.assign(given, { traceId: trace, spanId: span });
      else Object.assign(given, { trace_id: `0x${trace}`, span_id: span, trace_flags: "01" });
      Object.assign(meant, { "trace.id": trace, "span.id": span });
    }
    if (this.chance(0.3)) {
      given.userId = this.below(1000);
      meant["user.id"] = `${given.userId}`;
    }
    if (this.chance(0.3)) {
      given.req = { id: this.pick("r-1", 7), method: "POST", url: "/items/ü?q=1&r=2" };
      given.res = { statusCode: this.pick(200, 404, 503) };
      given.responseTime = this.below(10 ** 6) / 100;
      Object.assign(meant, { "http.request.method": "POST", "http.request.id": `${given.req.id}`, "url.path": "/items/ü",
        "url.query": "q=1&r=2", "http.response.status_code": given.res.statusCode,
        "event.duration": Math.round(given.responseTime * 1e6) });
    }
    return [given, meant];
  }
}

function fail(records) {
  const Kind = records.pick(Error, TypeError, ShopError);
  const said = records.chance(0.5) ? records.text() : "failed";
  const cause = records.chance(0.3) ? new RangeError("the cause") : undefined;
  const error = new Kind(said, cause ? { cause } : undefined);
  if (records.chance(0.5)) error.code = "E_SHOP";
  return { error, types: [Kind.name, "Error"], said, cause };
}

// The printed form of what JSON cannot hold; Python reads it back.
function intention(value) {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? { $integer: `${inner}` } : inner));
}

function logMany(records, name, seed, count, side, levels, write, options) {
  for (let n = 0; n < count; n++) {
    const uid = `u~${name}-${seed}-${n}~`;
    const level = records.pick(...Object.keys(levels));
    const message = records.message(uid);
    const [known, meant] = records.known();
    const fields = records.fields();
    const failure = records.chance(0.2) ? fail(records) : undefined;
    const before = Date.now();
    const wrote = write(level, message, { uid, ...known, ...fields }, failure, fields) || {};
    const after = Date.now();
    side(intention({ generator: name, uid, options: options.described, message: wrote.message ?? message,
      time: options.resolution ? [`${before}000000`, `${after}000000`] : null, resolution: options.resolution,
      ecs: { "log.level": levels[level], ...options.ecs, ...(wrote.nested ? {} : meant), ...wrote.ecs },
      fields: { ...options.own, ...(wrote.fields ?? fields) }, error: failure ? wrote.error : null }));
  }
}

function withPino(records, name, seed, count, side, socket) {
  const levelAsText = records.chance(0.4);
  const time = records.pick("epochTime", "isoTime", "unixTime", "nullTime");
  const errorKey = records.pick("err", "err", "error");
  const messageKey = records.pick("msg", "msg", "message");
  const nestedKey = records.chance(0.2) ? "payload" : undefined;
  const base = records.pick("default", "none", "service");
  // What tells pino's lines from others': numbers, or pid and hostname beside level and time. Without them `name`
  // may be anybody's, and which of two `msg` is meant cannot be told.
  const recognised = !levelAsText || ["epochTime", "unixTime"].includes(time) || base === "default";
  const child = records.pick({}, { dup: "child" }, recognised ? { msg: "of the child" } : {}, { time: "soon" }, { pid: 1 });
  const options = {
    level: "trace", customLevels: { notice: 35 }, timestamp: pino.stdTimeFunctions[time], errorKey, messageKey, nestedKey,
    name: records.chance(0.5) ? "items" : undefined,
    serializers: records.chance(0.5) ? { [errorKey]: pino.stdSerializers.err } : undefined,
    formatters: levelAsText ? { level: (label) => ({ level: label }) } : undefined,
  };
  if (base === "none") options.base = undefined;
  if (base === "service") options.base = { service: "shop", env: "test" };
  const logger = pino(options, socket).child(child);
  const ecs = options.name ? { [recognised ? "log.logger" : "labels.name"]: "items" } : {};
  if (base === "default") Object.assign(ecs, { "process.pid": process.pid, "host.hostname": os.hostname() });
  if (base === "service") Object.assign(ecs, { "service.name": "shop", "service.environment": "test" });
  const described = [levelAsText, time, errorKey, messageKey, nestedKey, base, child, options.name];

  function write(level, message, given, failure) {
    const own = child.dup ? { dup: "record" } : {};
    const record = { ...own, ...given };
    const wrote = { ecs: {} };
    if (nestedKey) Object.assign(wrote, { nested: true, fields: { [nestedKey]: failure ? undefined : record } });
    if (failure) {
      record[errorKey] = failure.error;
      // Only the top level's errors pass through pino's serializer when they are not nested.
      wrote.error = nestedKey ? { types: null } : { types: failure.types, stack: "node_loggers.cjs",
        message: failure.said + (failure.cause ? `: ${failure.cause.message}` : "") };
      if (failure.error.code && !nestedKey) wrote.ecs["error.code"] = "E_SHOP";
    }
    logger[level](record, "%s", message);
    return wrote;
  }

  const resolution = { epochTime: MILLISECOND, isoTime: MILLISECOND, unixTime: 1e9, nullTime: 0 }[time];
  const own = child.dup && !nestedKey ? { dup: "record" } : {};
  logMany(records, name, seed, count, side, PINO_LEVELS, write, { described, ecs, resolution, own });
}

// format.json() writes big integers as strings, format.logstash() as numbers.
function texts(value) {
  if (typeof value === "bigint") return `${value}`;
  if (Array.isArray(value)) return value.map(texts);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, texts(inner)]));
}

function withWinston(records, name, seed, count, side, socket) {
  const { format } = winston;
  const syslog = records.chance(0.3);
  const stamp = records.pick(undefined, undefined, "YYYY-MM-DD HH:mm:ss.SSS", "YYYY-MM-DDTHH:mm:ss.SSSZ", "none");
  const logstash = stamp !== "none" && records.chance(0.3);
  const labelled = records.chance(0.4);
  const parts = [format.errors({ stack: true })];
  if (stamp !== "none") parts.push(format.timestamp(stamp ? { format: stamp } : undefined));
  if (labelled) parts.push(format.label({ label: "shop" }));
  if (records.chance(0.3)) parts.push(format.ms());
  if (records.chance(0.3)) parts.push(format.splat());
  parts.push(logstash ? format.logstash() : format.json(records.chance(0.5) ? { deterministic: true } : {}));
  const levels = syslog ? SYSLOG_LEVELS : NPM_LEVELS;
  const logger = winston.createLogger({ levels: syslog ? winston.config.syslog.levels : winston.config.npm.levels,
    level: syslog ? "debug" : "silly", format: format.combine(...parts), defaultMeta: { service: "shop" },
    transports: [new winston.transports.Stream({ stream: socket, eol: "\n" })] });

  function write(level, message, given, failure, fields) {
    if (!failure) {
      logger.log(level, message, given);
      return { fields: logstash ? fields : texts(fields) };
    }
    // winston's idiom: the error itself is the record, its message the record's.
    const error = new failure.error.constructor(message);
    logger.log(level, Object.assign(error, given));
    return { fields: logstash ? fields : texts(fields), error: { types: failure.types, message, stack: "node_loggers.cjs", trimmed: true } };
  }

  logMany(records, name, seed, count, side, levels, write, { described: [syslog, stamp, logstash, labelled],
    ecs: { "service.name": "shop" }, resolution: stamp === "none" ? 0 : MILLISECOND,
    own: labelled ? { label: "shop" } : {} });
  return new Promise((done) => { logger.on("finish", done); logger.end(); });
}

function withBunyan(records, name, seed, count, side, socket) {
  records.limits.add("big"); // JSON.stringify throws, and bunyan then prints another line
  const src = records.chance(0.3);
  const logger = bunyan.createLogger({ name: "items", src, level: "trace", serializers: { err: bunyan.stdSerializers.err },
    streams: [{ stream: socket, level: "trace" }], ...(records.chance(0.5) ? { component: "db" } : {}) });
  const child = records.chance(0.5) ? logger.child({ widget: "w1" }, records.chance(0.5)) : logger;

  function write(level, message, given, failure) {
    if (!failure) {
      child[level](given, "%s", message);
      return {};
    }
    child[level]({ ...given, err: failure.error }, "%s", message);
    return { ecs: failure.error.code ? { "error.code": "E_SHOP" } : {},
      error: { types: failure.types, message: failure.said, stack: "node_loggers.cjs" } };
  }

  logMany(records, name, seed, count, side, BUNYAN_LEVELS, write, { described: [src], resolution: MILLISECOND,
    ecs: { "log.logger": "items", "process.pid": process.pid, "host.hostname": os.hostname() } });
}

async function main() {
  const [seed, count] = process.argv.slice(2, 4).map(Number);
  const file = fs.openSync(process.argv[4], "a");
  const side = (line) => fs.writeSync(file, `${line}\n`);
  const makers = { pino: withPino, pino2: withPino, winston: withWinston, winston2: withWinston, bunyan: withBunyan };
  for (const [n, [name, make]] of Object.entries(makers).entries()) {
    const socket = net.connect(process.env.SLUICE_SOCKET);
    await new Promise((done, failed) => socket.once("connect", done).once("error", failed));
    await make(new Records(seed * 1000 + n), name, seed, count, side, socket);
    await new Promise((done) => socket.end(done));
  }
}

main();
