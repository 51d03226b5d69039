import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Message, Part, Request } from '../protocol/index.js'
import { jsonBytes, likelyMedia, textBytes } from './token-bounds.js'

/**
 * Where the input tokens of a call in an agent run come from (paper 203): estimates from lengths, as `likelyTokens` has them. The five
 * parts add up to `likelyTokens(request)`.
 */
export interface RunInput {
  readonly systemTokens: number
  /** Tools, and the schema that the answer must fit. */
  readonly toolSchemaTokens: number
  /** Results of tools. */
  readonly observationTokens: number
  /** What the model said before, its tool calls included. */
  readonly assistantTokens: number
  readonly userTokens: number
  /** Tokens at the beginning of this request that an earlier request of the run began with too: what a prompt cache could have given. */
  readonly repeatedTokens: number
}

/** Which run a call belongs to. A run's id is unique within its key. */
export interface RunName {
  readonly key: string
  readonly run?: string | undefined
}

export interface RunMemoryOptions {
  /** Runs remembered, the last used. */
  readonly runs?: number | undefined
  /** Messages of all runs together whose fingerprints are remembered; 8 bytes each. */
  readonly messages?: number | undefined
}

/** Remembers how the requests of each run began, to tell what a request repeats. Keeps fingerprints only, no content. */
export interface RunMemory {
  /**
   * Measures a request, and remembers it for the next one of its run; `undefined` for a call outside of a run. The same request object
   * (a retry) gives the same answer again. O(messages), and O(bytes) to measure their length.
   */
  compose(name: RunName, request: Request): RunInput | undefined
}

/** Conversations that a run may have side by side (its sub-agents) and still find again. */
const branchesKept = 4
const defaultRuns = 10_000
const defaultMessages = 1_000_000

/** Each entry of `chain` stands for the whole request up to it, so two requests begin alike as far as their chains are equal. */
interface Run {
  /** The last used first. */
  branches: Float64Array[]
  messages: number
}

export function createRunMemory({
  runs: mostRuns = defaultRuns,
  messages: mostMessages = defaultMessages,
}: RunMemoryOptions = {}): RunMemory {
  // A map keeps the order of insertion: the first is the run that was used least lately.
  const runs = new Map<string, Run>()
  const measured = new WeakMap<Request, RunInput>()
  // So that fingerprints of known texts can't be looked up in a dump of this memory.
  const seed = randomBytes(8)
  const seeds = [seed.readInt32LE(0), seed.readInt32LE(4)] as const
  let held = 0

  const remember = (name: string, run: Run, chain: Float64Array, continued: Float64Array | undefined): void => {
    // A request that goes on where another ended takes its place; one that only begins alike stands beside it.
    const others = run.branches.filter((branch) => branch !== continued)
    run.branches = [chain, ...others].slice(0, branchesKept)
    held -= run.messages
    run.messages = run.branches.reduce((sum, branch) => sum + branch.length, 0)
    held += run.messages
    runs.delete(name)
    runs.set(name, run)
    for (const [oldest, { messages }] of runs) {
      if (runs.size <= mostRuns && held <= mostMessages) break
      runs.delete(oldest)
      held -= messages
    }
  }

  return {
    compose({ key, run: id }, request) {
      if (id === undefined) return undefined
      const known = measured.get(request)
      if (known !== undefined) return known
      const { chain, upTo, ...parts } = measure(request, seeds)
      const name = `${key}\n${id}`
      const run = runs.get(name) ?? { branches: [], messages: 0 }
      let continued: Float64Array | undefined
      let longest = 0
      for (const branch of run.branches) {
        const common = commonLength(branch, chain)
        longest = Math.max(longest, common)
        if (common === branch.length) continued = branch
      }
      remember(name, run, chain, continued)
      const input = { ...parts, repeatedTokens: longest === 0 ? 0 : (upTo[longest - 1] ?? 0) }
      measured.set(request, input)
      return input
    },
  }
}

function commonLength(a: Float64Array, b: Float64Array): number {
  const most = Math.min(a.length, b.length)
  let at = 0
  while (at < most && a[at] === b[at]) at++
  return at
}

type Kind = 'systemTokens' | 'toolSchemaTokens' | 'observationTokens' | 'assistantTokens' | 'userTokens'

/** What templates put around a message, as `likelyTokens` has it. */
const messageTokens = 4
const requestTokens = 3

interface Measured extends Readonly<Record<Kind, number>> {
  readonly chain: Float64Array
  /** Tokens up to each entry of the chain. */
  readonly upTo: Float64Array
}

function measure(request: Request, seeds: readonly [number, number]): Measured {
  const { messages } = request
  const tokens: Record<Kind, number> = { systemTokens: 0, toolSchemaTokens: 0, observationTokens: 0, assistantTokens: 0, userTokens: 0 }
  const chain = new Float64Array(messages.length + 1)
  const upTo = new Float64Array(messages.length + 1)
  let whole = 0
  let bytes = 0
  let given = 0
  // A third of the bytes, rounded over the whole and not for each part, so that the parts add up to the estimate.
  const take = (kind: Kind, moreBytes: number, moreTokens: number): void => {
    bytes += moreBytes
    whole += moreTokens
    const now = whole + Math.ceil(bytes / 3)
    tokens[kind] += now - given
    given = now
  }
  const fingerprint = new Fingerprint(seeds)
  // Providers read tools before messages, so a changed tool changes everything after it.
  take('toolSchemaTokens', jsonBytes(request), 0)
  addTools(fingerprint, request)
  chain[0] = fingerprint.value()
  upTo[0] = given
  take('systemTokens', 0, requestTokens)
  messages.forEach((message, index) => {
    const { role } = message
    fingerprint.add(role)
    const own = kindOfRole(role)
    take(own, 0, messageTokens)
    for (const part of message.parts) {
      take(part.type === 'tool_result' ? 'observationTokens' : own, textBytes(part), likelyMedia(part))
      addPart(fingerprint, part)
    }
    chain[index + 1] = fingerprint.value()
    upTo[index + 1] = given
  })
  return { ...tokens, chain, upTo }
}

function kindOfRole(role: Message['role']): Kind {
  switch (role) {
    case 'system':
    case 'developer':
      return 'systemTokens'
    case 'assistant':
      return 'assistantTokens'
    case 'tool':
      return 'observationTokens'
    case 'user':
      return 'userTokens'
  }
}

/** Tools as the caller wrote them where that is known: to write them out anew would cost more than all the rest. */
function addTools(fingerprint: Fingerprint, { tools, responseFormat, wire }: Request): void {
  const span = wire?.fields.get('tools')
  if (wire !== undefined && span !== undefined) fingerprint.addBytes(wire.bytes.subarray(span.start, span.end))
  else if (tools !== undefined && tools.length > 0) fingerprint.add(JSON.stringify(tools))
  if (responseFormat?.type === 'json_schema') fingerprint.add(JSON.stringify(responseFormat.schema))
}

function addPart(fingerprint: Fingerprint, part: Part): void {
  fingerprint.add(part.type)
  switch (part.type) {
    case 'text':
    case 'refusal':
      return fingerprint.add(part.text)
    case 'reasoning':
      fingerprint.add(part.text)
      return fingerprint.add(part.signature ?? '')
    case 'tool_call':
      fingerprint.add(part.id)
      fingerprint.add(part.name)
      return fingerprint.add(part.arguments)
    case 'tool_result':
      fingerprint.add(part.callId)
      for (const inner of part.content) addPart(fingerprint, inner)
      return
    case 'image':
    case 'audio':
    case 'file':
      return fingerprint.add(
        part.source.kind === 'base64' ? part.source.data : part.source.kind === 'url' ? part.source.url : part.source.id,
      )
    case 'native':
      return fingerprint.add(JSON.stringify(part.value))
  }
}

/** Below this many characters the call into native code costs more than the loop. */
const shortText = 48

/**
 * A running fingerprint of 52 bits: CRC-32, whose beginning is a secret of this process, over everything, and the sum of the lengths.
 * Every character counts: a clock in a system prompt, one digit of which moves, is what makes prompt caches miss. Not made to withstand texts
 * chosen to collide: what is at stake is a figure in a report.
 */
class Fingerprint {
  #crc: number
  #length: number

  constructor([crc, length]: readonly [number, number]) {
    this.#crc = crc >>> 0
    this.#length = length & 0xf_ffff
  }

  add(text: string): void {
    const { length } = text
    this.#length = (this.#length + length + 1) & 0xf_ffff
    if (length > shortText) {
      this.#crc = crc32(text, this.#crc)
      return
    }
    let mixed = this.#crc ^ length
    for (let at = 0; at < length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193)
    this.#crc = (mixed ^ (mixed >>> 15)) >>> 0
  }

  addBytes(bytes: Uint8Array): void {
    this.#length = (this.#length + bytes.length + 1) & 0xf_ffff
    this.#crc = crc32(bytes, this.#crc)
  }

  value(): number {
    return this.#length * 0x1_0000_0000 + this.#crc
  }
}
