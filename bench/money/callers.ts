import { Agent, request } from 'node:http'
import { randomUUID } from 'node:crypto'
import type { Random } from '../../src/statistics/index.js'
import { openaiChat } from '../../src/protocol/index.js'
import { sureTokenBound } from '../../src/understanding/index.js'
import { perToken, vocabulary, type Prices } from './upstream.js'

/** One call that a caller is about to make. */
export interface PlannedCall {
  /** Stands in the prompt, so that the upstream's bill can be found. */
  readonly id: string
  readonly body: Buffer
  readonly stream: boolean
  /** The most that it can cost, by the rule that docs/budgets.md gives: every byte of input a token, output by `max_tokens`; picodollars. */
  readonly bound: bigint
  /** When the caller leaves, milliseconds after sending; never when absent. */
  readonly leaveAfterMs?: number | undefined
}

/** How a call came out, as its caller saw it. */
export interface Outcome {
  readonly planned: PlannedCall
  /** 0 when no status line came. */
  readonly status: number
  /** `x-bursar-error` of an answer that is no 200. */
  readonly errorCode: string | undefined
  readonly requestId: string | undefined
  readonly decisionId: string | undefined
  /** Picodollars that the gateway said it cost: known only where the answer came to its proper end. */
  readonly cost: bigint | undefined
  /** `complete`: all of an answer with status 200 came. */
  readonly end: 'complete' | 'refused' | 'broken' | 'left'
  readonly milliseconds: number
}

export interface CallShape {
  readonly model: string
  readonly prices: Prices
  /** Largest `max_tokens`; each call draws its own, from a quarter of it up. */
  readonly maxTokens: number
  /** Most words of filler in a prompt. */
  readonly promptWords: number
  /** Shares of all calls. */
  readonly streams: number
  readonly leaving: number
  /** A caller that leaves does so within this time. */
  readonly leaveWithinMs: number
}

/** Draws a call of random size. */
export function planCall(shape: CallShape, random: Random): PlannedCall {
  const id = randomUUID()
  const filler = Array.from(
    { length: Math.floor(random.next() * (shape.promptWords + 1)) },
    () => vocabulary[Math.floor(random.next() * vocabulary.length)],
  ).join(' ')
  const maxTokens = Math.max(1, Math.ceil(shape.maxTokens * (0.25 + 0.75 * random.next())))
  const stream = random.next() < shape.streams
  const json = {
    model: shape.model,
    messages: [{ role: 'user', content: `${id} ${filler}` }],
    max_tokens: maxTokens,
    ...(stream && { stream }),
  }
  return {
    id,
    body: Buffer.from(JSON.stringify(json)),
    stream,
    bound:
      BigInt(sureTokenBound(openaiChat.decodeRequest(json))) * perToken(shape.prices.input) +
      BigInt(maxTokens) * perToken(shape.prices.output),
    leaveAfterMs: random.next() < shape.leaving ? random.next() * shape.leaveWithinMs : undefined,
  }
}

/** Connections of callers, kept alive. */
export function createAgent(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections })
}

export interface CallOptions {
  readonly patienceMs?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Makes a call. Never throws; gives up after `patienceMs`. */
export function makeCall(
  url: string,
  key: string,
  planned: PlannedCall,
  agent: Agent,
  { patienceMs = 60_000, headers: more = {} }: CallOptions = {},
): Promise<Outcome> {
  const startedAt = performance.now()
  return new Promise((resolve) => {
    let status = 0
    let headers: NodeJS.Dict<string | string[]> = {}
    let ended = false
    const finish = (end: Outcome['end'], cost?: string) => {
      if (ended) return
      ended = true
      clearTimeout(leaving)
      clearTimeout(patience)
      resolve({
        planned,
        status,
        errorCode: textOf(headers['x-bursar-error']),
        requestId: textOf(headers['x-request-id']),
        decisionId: textOf(headers['x-bursar-decision']),
        cost: cost === undefined ? undefined : picoOf(cost),
        end,
        milliseconds: performance.now() - startedAt,
      })
    }
    const sent = request(
      `${url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: { ...more, authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': planned.body.length },
      },
      (response) => {
        status = response.statusCode ?? 0
        headers = response.headers
        response.resume()
        response.once('end', () => {
          if (!response.complete) return finish('broken')
          if (status !== 200) return finish('refused')
          finish('complete', textOf(response.trailers['x-bursar-cost'] ?? headers['x-bursar-cost']))
        })
        response.once('error', () => finish('broken'))
        response.once('close', () => finish('broken'))
      },
    )
    sent.once('error', () => finish('broken'))
    const leave = (end: Outcome['end']) => () => {
      finish(end)
      sent.destroy()
    }
    const leaving = planned.leaveAfterMs === undefined ? undefined : setTimeout(leave('left'), planned.leaveAfterMs)
    const patience = setTimeout(leave('broken'), patienceMs)
    sent.end(planned.body)
  })
}

/** An exact decimal number of dollars as picodollars. */
export function picoOf(dollars: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(dollars)
  if (!match) throw new Error(`"${dollars}" is no exact number of dollars`)
  const pico = BigInt(match[2] ?? '0') * 1_000_000_000_000n + BigInt((match[3] ?? '').padEnd(12, '0'))
  return match[1] === '-' ? -pico : pico
}

/** Picodollars as dollars, for people. */
export function dollars(pico: bigint, digits = 6): string {
  return `$${(Number(pico) / 1e12).toFixed(digits)}`
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
