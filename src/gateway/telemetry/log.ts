import pino, { type DestinationStream, type Logger as Pino } from 'pino'
import { describeError } from './describe-error.js'
import { CONTENT, createScrubber, fieldKind, SECRET, type Scrubber } from './scrub.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What may be said in a log line: plain values and errors. Nothing with parts, so that no message or answer slips in. */
export type LogValue = string | number | boolean | bigint | null | undefined | Error
export type LogFields = Readonly<Record<string, LogValue>>

/** A finished request, as its line in the log tells it. */
export interface RequestLine {
  readonly requestId: string
  readonly endpoint: string
  /** Name of the caller's key. */
  readonly caller: string | undefined
  readonly model: string
  readonly stream: boolean
  readonly status: number
  readonly seconds: number
  readonly firstTokenSeconds: number | undefined
  readonly error: string | undefined
}

/** Structured logs: one JSON object a line. */
export interface Logger {
  /** The line of a finished request, at level info. Written by hand, since there is one for every request. */
  request(line: RequestLine): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  enabled(level: Exclude<LogLevel, 'silent'>): boolean
  /** A logger that adds these fields to every line, such as `{ request_id }`. */
  child(fields: LogFields): Logger
  /** Makes a secret known, so that it never appears in any line of this logger and its children. */
  keepSecret(secret: string): void
  setLevel(level: LogLevel): void
  /** Resolves when all lines so far are written out. Also happens by itself every second and when the process ends. */
  flush(): Promise<void>
}

export interface LoggerOptions {
  readonly level?: LogLevel
  /** Secrets from the configuration: provider keys and caller keys. */
  readonly secrets?: Iterable<string>
  /** Where lines go instead of standard error (for tests and embedding). Written at once, not buffered. */
  readonly destination?: DestinationStream
}

/**
 * Creates the logger. Lines are buffered and written without blocking; they are flushed every second, at 8 kB, on errors,
 * and when the process ends.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const scrub = createScrubber(options.secrets)
  const settings = {
    level: options.level ?? 'info',
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: 'message',
    formatters: { level: (label: string) => ({ level: label }) },
  }
  if (options.destination) return wrap(pino(settings, options.destination), options.destination, scrub, () => Promise.resolve())
  const buffered = pino.destination({ fd: 2, sync: false, minLength: 8_192 })
  const flushSoon = () => buffered.flush()
  setInterval(flushSoon, 1_000).unref()
  return wrap(
    pino(settings, buffered),
    buffered,
    scrub,
    // A pipe or a terminal can't be synced to disk, which is told as a fault, though every line is out.
    () => new Promise((resolve) => buffered.flush(() => resolve())),
    flushSoon,
  )
}

function wrap(
  out: Pino,
  destination: DestinationStream,
  scrub: Scrubber,
  flush: () => Promise<void>,
  flushSoon: () => void = () => {},
): Logger {
  const clean = (fields: LogFields): Record<string, unknown> => {
    const kept: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(fields)) kept[safeName(name)] = cleanValue(name, value, scrub)
    return kept
  }
  const write = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: LogFields | undefined) => {
    if (!out.isLevelEnabled(level)) return
    out[level](fields ? clean(fields) : {}, scrub.text(message))
    if (level === 'error') flushSoon()
  }
  const named = rememberedTexts(scrub)
  const now = isoTimes()
  return {
    request(line) {
      if (!out.isLevelEnabled('info')) return
      const { caller, firstTokenSeconds, error } = line
      const key = caller === undefined ? '' : `,"caller":${named(caller)}`
      const model = line.model === '' ? '' : `,"model":${named(line.model)}`
      const first = firstTokenSeconds === undefined ? '' : `,"first_token_seconds":${firstTokenSeconds.toFixed(6)}`
      const fault = error === undefined ? '' : `,"error":"${error}"`
      destination.write(
        `{"level":"info","time":"${now()}","request_id":"${line.requestId}","endpoint":"${line.endpoint}"${key}${model},"stream":${line.stream},"status":${line.status},"seconds":${line.seconds.toFixed(6)}${first}${fault},"message":"request"}\n`,
      )
    },
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    enabled: (level) => out.isLevelEnabled(level),
    child: (fields) => wrap(out.child(clean(fields)), destination, scrub, flush, flushSoon),
    keepSecret(secret) {
      scrub.learn(secret)
      named.forget()
    },
    setLevel: (level) => void (out.level = level),
    flush,
  }
}

/** The time as text, made once a millisecond: of many lines it is the same. */
function isoTimes(): () => string {
  let at = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== at) {
      at = now
      text = new Date(now).toISOString()
    }
    return text
  }
}

/** Names of keys and models as JSON text, scrubbed: there are few of them, so each is scrubbed once. */
function rememberedTexts(scrub: Scrubber): ((text: string) => string) & { forget(): void } {
  const known = new Map<string, string>()
  const remembered = (text: string) => {
    let clean = known.get(text)
    if (clean === undefined) {
      if (known.size >= 1000) known.clear()
      clean = JSON.stringify(scrub.text(text.slice(0, 200)))
      known.set(text, clean)
    }
    return clean
  }
  return Object.assign(remembered, { forget: () => known.clear() })
}

// Names that pino writes itself: a field of the same name would make two keys in one object.
const taken = new Set(['level', 'time', 'message'])

function safeName(name: string): string {
  return taken.has(name) ? `${name}_` : name
}

function cleanValue(name: string, value: LogValue, scrub: Scrubber): unknown {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return value
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) return describeError(value, scrub)
  const kind = fieldKind(name)
  if (kind === 'secret') return SECRET
  // The type allows only texts here; anything else came in past the compiler and may hold content.
  if (kind === 'content' || typeof value !== 'string') return CONTENT
  return scrub.text(value)
}
