import type { Agent, Dispatcher } from 'undici'
import type { ModelFacts } from '../../catalog/index.js'
import {
  ReplyCollector,
  SseParser,
  createOneCallFilter,
  createTap,
  deltasOf,
  limitOutput,
  openaiEmbeddings,
  spliceReplyCost,
  stringifyExact,
  withOneCall,
  type Delta,
  type OutboundCodec,
  type ReportedUsage,
  type ServerSentEvent,
  type StreamDecoder,
  type WireBody,
  type WireFormat,
} from '../../protocol/index.js'
import { BursarError, UnsupportedParameter } from '../../errors/index.js'
import type { CallProgress, Provider, ProviderCall, ProviderEmbedCall, ProviderHealth, ProviderResult } from '../provider.js'
import { Cancellation } from '../cancellation.js'
import { Exchange } from './exchange.js'
import type { Deadlines } from './deadlines.js'
import { failureOf, malformed, statusFailure, truncated } from './failures.js'
import { dropPolicy } from './drop-policy.js'
import { estimateTokens, seenTokens } from './estimate-tokens.js'
import { passThroughBody } from './pass-through.js'
import { secretsOf } from './secrets.js'
import { visibleHeaders } from './visible-headers.js'
import type { FailurePhase } from '../upstream-failure.js'

/** Largest error body that is read. */
const ERROR_BODY_BYTES = 256 * 1024

/** How long an error body may take: its status says most of it already. */
const ERROR_BODY_SECONDS = 5

/** How one wire format is spoken at one provider. */
export interface FormatEndpoint {
  readonly codec: OutboundCodec
  /** Path below the base URL, with query; `model` is the provider's own name. */
  path(model: string, stream: boolean): string
  /** Whether a caller's bytes may pass through (false where the body must differ, such as an api-version in the body). */
  readonly passThrough: boolean
}

/** What differs between network providers; `httpProvider` does the rest. A new provider is one file that builds this. */
export interface HttpProviderDescription {
  readonly id: string
  readonly kind: string
  /** Scheme, host, port and path prefix, without a trailing slash. */
  readonly baseUrl: string
  /** Sent with every request: authentication, versions. Never logged. */
  readonly headers: Readonly<Record<string, string>>
  /** In order of preference for translated calls. */
  readonly formats: ReadonlyMap<WireFormat, FormatEndpoint>
  /** Most tokens that a model writes, where the catalog knows: for calls that are written anew. */
  readonly maxOutputTokens?: ((model: string) => number | undefined) | undefined
  /** Path of embeddings in OpenAI's format, which every provider that has embeddings offers. */
  readonly embeddings?: { path(model: string): string; readonly headers?: Readonly<Record<string, string>> } | undefined
  /** Names of caller's headers that go on to this provider, in lower case. */
  readonly forwardHeaders: readonly string[]
  /** Where a list of models is had without spending tokens, and how it is read. */
  readonly modelList: { readonly path: string; ids(json: unknown): readonly string[] | undefined }
  /** Ask for usage in chat streams even if the caller didn't; false for servers that refuse `stream_options`. */
  readonly injectStreamUsage: boolean
  /** Counts a request's input tokens at the provider, where it offers that for free. */
  readonly countTokensPath?: string | undefined
}

export interface HttpShared {
  readonly agent: Agent
  readonly deadlines: Deadlines
  readonly maxResponseBytes: number
}

/** Trace context goes to every provider. */
const TRACE_HEADERS = ['traceparent', 'tracestate']

/** A provider reached over HTTP. */
export function httpProvider(description: HttpProviderDescription, shared: HttpShared): Provider {
  const url = new URL(description.baseUrl)
  const origin = url.origin
  const prefix = url.pathname.replace(/\/+$/, '')
  const forwarded = [...TRACE_HEADERS, ...description.forwardHeaders]
  const secrets = secretsOf(description.headers, description.embeddings?.headers)
  const baseHeaders = { 'content-type': 'application/json', 'accept-encoding': 'identity', ...description.headers }

  function open(
    path: string,
    body: string | Buffer | Uint8Array | undefined,
    call: Pick<ProviderCall, 'limits' | 'cancellation' | 'headers'>,
    accept: string,
    more?: Readonly<Record<string, string>>,
    progress?: CallProgress,
  ): Exchange {
    const exchange = new Exchange(call.limits, call.cancellation, shared.deadlines, progress && (() => void (progress.sent = true)))
    const headers: Record<string, string> = { ...baseHeaders, accept, ...more }
    for (const name of forwarded) {
      const value = call.headers[name]
      if (value !== undefined) headers[name] = value
    }
    const options: Dispatcher.DispatchOptions = {
      origin,
      path: prefix + path,
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body ?? null,
      headersTimeout: 0,
      bodyTimeout: 0,
    }
    exchange.send(shared.agent, options)
    return exchange
  }

  /** Waits for the head; anything but a 2xx becomes a failure with the provider's own words. */
  async function headOf(exchange: Exchange, codec: Pick<OutboundCodec, 'decodeError'>, format: WireFormat): Promise<void> {
    try {
      await exchange.head()
    } catch (thrown) {
      throw failed(thrown, 'request')
    }
    if (exchange.status >= 200 && exchange.status < 300) return
    let body: Buffer = Buffer.alloc(0)
    try {
      exchange.hurry(ERROR_BODY_SECONDS)
      body = secrets.scrubBytes(await exchange.whole(ERROR_BODY_BYTES))
    } catch {
      // The status alone must do: the failure below says what is known.
    }
    throw statusFailure(description.id, exchange, body, codec, format)
  }

  async function* generate(call: ProviderCall): AsyncGenerator<Delta, ProviderResult> {
    const { request, outputLimit } = call
    const same = call.wire !== undefined && request.wire?.format === call.wire ? description.formats.get(call.wire) : undefined
    const dropped: string[] = []
    call.progress.dropped = dropped
    let format: WireFormat
    let endpoint: FormatEndpoint
    let body: string | Uint8Array
    const field = outputLimit === undefined ? undefined : same?.codec.outputLimitField?.(request)
    const passing = same?.passThrough === true && request.wire !== undefined && (outputLimit === undefined || field !== undefined)
    if (passing && request.wire) {
      format = request.wire.format
      endpoint = same
      body = passThroughBody(
        request.wire,
        call.model,
        description.injectStreamUsage && request.stream && !request.streamUsage,
        field !== undefined && outputLimit !== undefined ? { field, tokens: outputLimit } : undefined,
      )
    } else {
      const first = description.formats.entries().next().value
      if (!first) throw malformed(description.id, 'speaks no format that can generate text')
      ;[format, endpoint] = first
      const drop = dropPolicy(call.dropUnsupported, dropped)
      body = stringifyExact(
        endpoint.codec.encodeRequest(limitOutput(request, description.maxOutputTokens?.(call.model), drop), call.model, drop),
      )
    }
    const exchange = open(
      endpoint.path(call.model, request.stream),
      body,
      call,
      request.stream ? 'text/event-stream' : 'application/json',
      undefined,
      call.progress,
    )
    try {
      await headOf(exchange, endpoint.codec, format)
      const headers = visibleHeaders(exchange.headers)
      const streams = isStream(exchange.headers['content-type'], request.stream)
      if (!streams) {
        const bytes = await readWhole(exchange)
        if (passing && !request.stream) {
          const { bytes: priced, reported } = attempt(() => spliceReplyCost(format, bytes, call.tap.price))
          return result({ kind: 'wire', bytes: priced }, reported, headers, bytes.length)
        }
        const whole = attempt(() => {
          const text = bytes.toString()
          return endpoint.codec.decodeReply(JSON.parse(text) as unknown, text)
        })
        const reply = request.parallelToolCalls === false ? withOneCall(whole) : whole
        if (request.stream) yield* deltasOf(reply)
        return result({ kind: 'reply', reply }, reply.reported, headers, bytes.length)
      }
      if (!request.stream) return await collectStream(decodeStream(exchange, endpoint.codec, call, headers))
      if (passing) return yield* passStream(exchange, format, call, headers)
      return yield* decodeStream(exchange, endpoint.codec, call, headers)
    } finally {
      exchange.abandon()
    }
  }

  async function* passStream(
    exchange: Exchange,
    format: WireFormat,
    call: ProviderCall,
    headers: Record<string, string>,
  ): AsyncGenerator<Delta, ProviderResult> {
    const tap = createTap(format, call.tap)
    let forwarded = false
    /** Comments before the first event: they wait for it, since the first byte that goes out rules out another attempt. */
    let comments: Uint8Array | undefined
    for (;;) {
      const batch = await nextBatch(exchange, forwarded)
      let bytes = attempt(() => (batch === undefined ? tap.end() : tap.push(batch)))
      if (tap.events > 0) exchange.sawToken()
      if (bytes.length > 0 && !forwarded) {
        if (comments) bytes = Buffer.concat([comments, bytes])
        comments = bytes
        if (tap.events === 0 && !tap.complete) continue
      }
      call.progress.outputTokens = estimateTokens(tap)
      call.progress.reported = tap.reported
      if (bytes.length > 0) {
        forwarded = true
        yield { type: 'wire', bytes }
      }
      if (tap.failure) throw failed(tap.failure, forwarded ? 'stream' : 'first_token')
      if (batch === undefined || tap.ended) break
    }
    if (!tap.complete) throw truncated(description.id, forwarded)
    exchange.settle()
    return {
      answer: { kind: 'streamed' },
      reported: tap.reported,
      estimatedOutputTokens: estimateTokens(tap),
      headers,
    }
  }

  async function* decodeStream(
    exchange: Exchange,
    codec: OutboundCodec,
    call: ProviderCall,
    headers: Record<string, string>,
  ): AsyncGenerator<Delta, ProviderResult> {
    const parser = new SseParser()
    const decoder = codec.createStreamDecoder()
    const collector = new ReplyCollector()
    const kept = call.request.parallelToolCalls === false ? createOneCallFilter() : undefined
    let reported: ReportedUsage | undefined
    let forwarded = false
    let bytesSeen = 0
    for (;;) {
      const batch = await nextBatch(exchange, forwarded)
      const events = attempt(() => (batch === undefined ? parser.end() : parser.push(batch)))
      bytesSeen += batch?.length ?? 0
      for (const event of events) {
        exchange.sawToken()
        let deltas: Delta[]
        try {
          deltas = decoder.push(event)
        } catch (thrown) {
          throw failed(thrown, forwarded ? 'stream' : 'first_token')
        }
        for (const delta of deltas) {
          // What is left out was written all the same, and billed.
          call.progress.outputTokens += seenTokens(delta)
          if (kept?.(delta) === false) continue
          collector.push(delta)
          if (delta.type === 'usage') call.progress.reported = reported = delta.reported
          if (delta.type !== 'start') forwarded = true
          yield delta
        }
      }
      if (batch === undefined || nothingFollows(codec, decoder, events.at(-1))) break
    }
    if (!decoder.complete()) throw truncated(description.id, forwarded)
    exchange.settle()
    return result({ kind: 'reply', reply: collector.reply() }, reported, headers, bytesSeen)
  }

  async function embed(call: ProviderEmbedCall): Promise<ProviderResult> {
    const { embeddings } = description
    if (!embeddings) throw new UnsupportedParameter(`model: the provider "${description.id}" computes no embeddings.`, 'model')
    const { wire } = call.request
    const body = wire ? passThroughBody(wire, call.model, false) : JSON.stringify(openaiEmbeddings.encodeRequest(call.request, call.model))
    const exchange = open(embeddings.path(call.model), body, call, 'application/json', embeddings.headers, call.progress)
    try {
      await headOf(exchange, { decodeError: openaiEmbeddings.decodeError }, 'openai-embeddings')
      const whole = await readWhole(exchange)
      const { bytes, reported } = attempt(() => spliceReplyCost('openai-embeddings', whole, call.tap.price))
      return { answer: { kind: 'wire', bytes }, reported, estimatedOutputTokens: 0, headers: visibleHeaders(exchange.headers) }
    } finally {
      exchange.abandon()
    }
  }

  async function nextBatch(exchange: Exchange, forwarded: boolean): Promise<Buffer | undefined> {
    try {
      return await exchange.next()
    } catch (thrown) {
      throw failed(thrown, forwarded ? 'stream' : 'first_token')
    }
  }

  async function readWhole(exchange: Exchange): Promise<Buffer> {
    try {
      return await exchange.whole(shared.maxResponseBytes)
    } catch (thrown) {
      throw failed(thrown, 'first_token')
    }
  }

  /** A body that can't be read is the provider's fault, whatever the parser threw. */
  function attempt<T>(read: () => T): T {
    try {
      return read()
    } catch (thrown) {
      throw failed(
        BursarError.is(thrown) ? thrown : malformed(description.id, thrown instanceof Error ? thrown.message : 'unreadable', thrown),
        'first_token',
      )
    }
  }

  /** A typed failure in whose words no secret of this provider stands. */
  function failed(thrown: unknown, phase: FailurePhase): BursarError {
    const failure = failureOf(thrown, description.id, phase)
    failure.message = secrets.scrub(failure.message)
    return failure
  }

  return {
    id: description.id,
    kind: description.kind,
    speaks: (format) =>
      description.formats.get(format)?.passThrough ?? (format === 'openai-embeddings' && description.embeddings !== undefined),
    generate,
    embed,
    facts: (): ModelFacts | undefined => undefined,
    async check(signal): Promise<ProviderHealth> {
      const limits = { connectSeconds: 5, firstTokenSeconds: 10, idleSeconds: 10, totalSeconds: 15 }
      const exchange = open(
        description.modelList.path,
        undefined,
        { limits, cancellation: Cancellation.following(signal), headers: {} },
        'application/json',
      )
      try {
        const codec = description.formats.values().next().value?.codec
        await headOf(exchange, codec ?? { decodeError: () => ({ message: '' }) }, 'openai-chat')
        const ids = description.modelList.ids(JSON.parse((await readWhole(exchange)).toString()) as unknown)
        if (!ids)
          return {
            ok: false,
            message: `${origin}${prefix}${description.modelList.path} answered, but not with a list of models. Is base_url right?`,
          }
        return { ok: true, message: `${ids.length} models`, models: ids }
      } catch (thrown) {
        const failure = failed(thrown, 'request')
        return { ok: false, message: failure.message }
      } finally {
        exchange.abandon()
      }
    },
    ...(description.countTokensPath === undefined
      ? {}
      : {
          async countTokens(call: Pick<ProviderCall, 'model' | 'limits' | 'cancellation' | 'headers'>, wire: WireBody): Promise<Buffer> {
            const codec = description.formats.values().next().value?.codec
            const exchange = open(description.countTokensPath as string, passThroughBody(wire, call.model, false), call, 'application/json')
            try {
              await headOf(exchange, codec ?? { decodeError: () => ({ message: '' }) }, wire.format)
              return await readWhole(exchange)
            } finally {
              exchange.abandon()
            }
          },
        }),
    close: () => Promise.resolve(),
  }
}

/** A few servers stream with no content type, or a careless one. */
function isStream(contentType: string | string[] | undefined, asked: boolean): boolean {
  const type = String(contentType ?? '').toLowerCase()
  return (
    type.startsWith('text/event-stream') ||
    (asked && (type === '' || type.startsWith('text/plain') || type.startsWith('application/octet-stream')))
  )
}

/** Whether the end of the body needn't be waited for. A chat stream may report its usage after the answer's end, but not after `[DONE]`. */
function nothingFollows(codec: OutboundCodec, decoder: StreamDecoder, last: ServerSentEvent | undefined): boolean {
  if (codec.format === 'openai-chat') return last?.data.trim() === '[DONE]'
  return codec.format !== 'gemini' && decoder.complete()
}

/** Reads a stream that came although none was asked for: the caller gets a whole answer. */
async function collectStream(stream: AsyncGenerator<Delta, ProviderResult>): Promise<ProviderResult> {
  for (;;) {
    const step = await stream.next()
    if (step.done) return step.value
  }
}

function result(
  answer: ProviderResult['answer'],
  reported: ReportedUsage | undefined,
  headers: Record<string, string>,
  bytes: number,
): ProviderResult {
  return { answer, reported, estimatedOutputTokens: reported ? 0 : Math.ceil(bytes / 3), headers }
}
