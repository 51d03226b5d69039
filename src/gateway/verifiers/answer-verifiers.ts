import { randomUUID } from 'node:crypto'
import type { Completion } from '../../environment/index.js'
import type { Ledger, OutcomeRecord } from '../../ledger/index.js'
import type {
  Choice,
  FunctionTool,
  JsonSchema,
  Message,
  Reply,
  Request,
  ToolCallPart,
  ToolResultPart,
  WireFormat,
} from '../../protocol/index.js'
import { BoundedChecks, type BoundedCheckSettings, type SchemaCheck } from '../../strategies/index.js'
import type { AnswerObserver, AnswerWatch, WatchedRequest } from './answer-observer.js'
import { CallMemory } from './call-memory.js'
import { readReply } from './wire-replies.js'

export interface VerifierParts {
  readonly ledger: Pick<Ledger, 'recordOutcome'>
  /** Unix seconds. */
  now(): number
  /** Told of an outcome that the ledger could not take, and of faults of the verifiers themselves. */
  onFault(fault: unknown): void
  readonly limits?: VerifierLimits | undefined
}

export interface VerifierLimits extends BoundedCheckSettings {
  /** Largest answer that is looked at, as bytes of its body or characters of one text. */
  readonly maxAnswerLength?: number | undefined
  /** Largest schema, as characters of its JSON. */
  readonly maxSchemaLength?: number | undefined
  /** Tool calls that are remembered until their results come. */
  readonly rememberedCalls?: number | undefined
  /** Tool calls of one answer that are looked at. */
  readonly maxCalls?: number | undefined
}

export interface AnswerVerifiers extends AnswerObserver {
  /** Resolves when everything told so far was checked and recorded. */
  idle(): Promise<void>
  /** Waits a second for checks under way; the rest is not made. To be called before the ledger is closed. */
  close(): Promise<void>
}

const CLOSE_SECONDS = 1

/** The checks that Bursar makes of every answer that says what it should be like. */
export function createAnswerVerifiers(parts: VerifierParts): AnswerVerifiers {
  return new Verifiers(parts)
}

class Verifiers implements AnswerVerifiers {
  private readonly checks: BoundedChecks
  private readonly calls: CallMemory
  private readonly open = new Set<Promise<void>>()
  readonly maxAnswerLength: number
  private readonly maxSchemaLength: number
  private readonly maxCalls: number
  private closed = false

  constructor(private readonly parts: VerifierParts) {
    const { limits = {} } = parts
    this.checks = new BoundedChecks(limits, parts.onFault)
    this.calls = new CallMemory(limits.rememberedCalls ?? 20_000)
    this.maxAnswerLength = limits.maxAnswerLength ?? 1024 * 1024
    this.maxSchemaLength = limits.maxSchemaLength ?? 256 * 1024
    this.maxCalls = limits.maxCalls ?? 128
  }

  watch(watched: WatchedRequest): AnswerWatch | undefined {
    const { request, format, key } = watched
    // OpenAI's formats have no field for a tool that failed, and guessing it from the text would be wrong too often.
    if (format === 'anthropic-messages' && this.calls.size > 0) {
      const results = resultsOf(request.messages)
      if (results.length > 0) this.later(() => this.judgeResults(key, results))
    }
    const schema = request.responseFormat?.type === 'json_schema' ? request.responseFormat.schema : undefined
    const tools = functionTools(request)
    return schema === undefined && tools === undefined
      ? undefined
      : new Watch(this, { format, key, decisionId: watched.decisionId, schema, tools: tools ?? new Map() })
  }

  async idle(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open)
  }

  async close(): Promise<void> {
    this.closed = true
    let timer: NodeJS.Timeout | undefined
    await Promise.race([this.idle(), new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_SECONDS * 1000)))])
    clearTimeout(timer)
    await this.checks.close()
    await this.idle()
  }

  /** Runs in a later turn of the event loop, when the answer has been handed to the socket. */
  later(work: () => Promise<void> | void): void {
    if (this.closed) return
    const done = new Promise<void>((resolve) => {
      setImmediate(() => {
        Promise.resolve()
          .then(work)
          .catch((fault: unknown) => this.parts.onFault(fault))
          .finally(resolve)
      })
    })
    this.open.add(done)
    void done.finally(() => this.open.delete(done))
  }

  async judge(watched: Watched, reply: Reply): Promise<void> {
    const calls = reply.choices.flatMap(finishedCalls).slice(0, this.maxCalls)
    // First of all, since the caller may run its tools and come back at once.
    for (const call of calls) this.calls.remember(watched.key, call.id, { decisionId: watched.decisionId, tool: call.name })
    await Promise.all([
      this.judgeChecks(watched, 'verifier:json_schema', this.schemaChecks(watched, reply)),
      this.judgeChecks(watched, 'verifier:tool_arguments', this.argumentChecks(watched, calls)),
    ])
  }

  private schemaChecks({ schema }: Watched, reply: Reply): readonly SchemaCheck[] {
    if (schema === undefined) return []
    return reply.choices.flatMap((choice) => {
      const text = finishedText(choice)
      return text === undefined ? [] : this.checkOf(schema, text)
    })
  }

  private argumentChecks({ tools }: Watched, calls: readonly ToolCallPart[]): readonly SchemaCheck[] {
    return calls.flatMap(({ name, arguments: text }) => {
      const tool = tools.get(name)
      // A call of something else than a function of the caller's is not for us to judge.
      return tool === undefined ? [] : this.checkOf(tool.parameters ?? { type: 'object' }, text.trim() === '' ? '{}' : text)
    })
  }

  private checkOf(schema: JsonSchema, text: string): readonly SchemaCheck[] {
    if (text.length > this.maxAnswerLength) return []
    const schemaText = JSON.stringify(schema)
    return schemaText.length > this.maxSchemaLength ? [] : [{ schema: schemaText, text }]
  }

  private async judgeChecks({ key, decisionId }: Watched, source: string, checks: readonly SchemaCheck[]): Promise<void> {
    if (checks.length === 0) return
    const results = (await this.checks.check(key, checks)).filter((result) => result !== 'not_checked')
    if (results.length === 0) return
    await this.record(key, decisionId, source, results.filter((result) => result === 'held').length / results.length)
  }

  /** The share of each answer's calls that the caller's tools could carry out. */
  private async judgeResults(key: string, results: readonly ToolResultPart[]): Promise<void> {
    const byDecision = new Map<string, { results: number; succeeded: number }>()
    for (const { callId, isError } of results) {
      const call = this.calls.take(key, callId)
      if (!call) continue
      const sums = byDecision.get(call.decisionId) ?? { results: 0, succeeded: 0 }
      byDecision.set(call.decisionId, { results: sums.results + 1, succeeded: sums.succeeded + (isError === true ? 0 : 1) })
    }
    for (const [decisionId, sums] of byDecision) await this.record(key, decisionId, 'verifier:tool_call', sums.succeeded / sums.results)
  }

  private record(key: string, decisionId: string, source: string, score: number): Promise<void> {
    const record: OutcomeRecord = { outcomeId: `out_${randomUUID()}`, at: this.parts.now(), decisionId, key, source, score }
    return this.parts.ledger.recordOutcome(record)
  }
}

interface Watched {
  readonly format: WireFormat
  readonly key: string
  readonly decisionId: string
  readonly schema: JsonSchema | undefined
  readonly tools: ReadonlyMap<string, FunctionTool>
}

class Watch implements AnswerWatch {
  private bytes: Buffer[] | undefined
  private length = 0

  constructor(
    private readonly verifiers: Verifiers,
    private readonly watched: Watched,
  ) {}

  streamed(bytes: Uint8Array): void {
    this.length += bytes.length
    if (this.length > this.verifiers.maxAnswerLength) this.bytes = undefined
    // A copy: a small piece may lie in a large buffer that would be kept alive.
    else (this.bytes ??= []).push(Buffer.from(bytes))
  }

  completed(answer: Completion['answer']): void {
    const { verifiers, watched, bytes } = this
    this.bytes = undefined
    if (answer.kind === 'reply') return verifiers.later(() => verifiers.judge(watched, answer.reply))
    const body = answer.kind === 'wire' ? answer.bytes : bytes && Buffer.concat(bytes)
    if (body === undefined || body.length > verifiers.maxAnswerLength || this.length > verifiers.maxAnswerLength) return
    verifiers.later(() => {
      const reply = readReply(watched.format, body, answer.kind === 'streamed')
      return reply && verifiers.judge(watched, reply)
    })
  }
}

/** Functions of the caller's by name. `undefined` when the request offers none. */
function functionTools({ tools }: Request): ReadonlyMap<string, FunctionTool> | undefined {
  let functions: Map<string, FunctionTool> | undefined
  for (const tool of tools ?? []) if (tool.type === 'function') (functions ??= new Map()).set(tool.name, tool)
  return functions
}

/** Results of tools that came since the model spoke last. Those before it have been seen with an earlier request. */
function resultsOf(messages: readonly Message[]): readonly ToolResultPart[] {
  const results: ToolResultPart[] = []
  for (let at = messages.length - 1; at >= 0; at--) {
    const message = messages[at]
    if (!message || message.role === 'assistant') break
    for (const part of message.parts) if (part.type === 'tool_result') results.push(part)
  }
  return results
}

/** The text of an answer that came to its end; `undefined` for one that was cut, refused, or did something else than answer. */
function finishedText({ finish, parts }: Choice): string | undefined {
  if ((finish !== 'stop' && finish !== 'stop_sequence') || parts.some((part) => part.type === 'refusal' || part.type === 'tool_call'))
    return undefined
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function finishedCalls({ finish, parts }: Choice): readonly ToolCallPart[] {
  if (finish === 'length' || finish === 'content_filter') return []
  return parts.filter((part) => part.type === 'tool_call')
}
