import type { Bill } from './behaviour.js'

/** What a canned answer says, whatever the format it is written in. */
export interface Answer {
  readonly id?: string
  readonly model?: string
  /** The text; a list is streamed piece by piece. Absent: no text when there are tool calls, else fifty words. */
  readonly text?: string | readonly string[]
  readonly reasoning?: string | readonly string[]
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly arguments: string | readonly string[] }[]
  /** `null`: the upstream reports no usage. */
  readonly usage?: Bill | null
  /** How the answer ended; `tools` when there are tool calls, else `stop`. */
  readonly finish?: 'stop' | 'length' | 'tools' | 'filter'
  /** Whether a stream gets the format's proper end mark (`[DONE]`, `message_stop`, `response.completed`, a finish reason). */
  readonly properEnd?: boolean
}

export const plainUsage: Bill = { input: 12, cached: 4, output: 50, reasoning: 8 }

const vocabulary = [
  'slow',
  'rivers',
  'carry',
  'warm',
  'light',
  'past',
  'quiet',
  'towns',
  'and',
  'open',
  'fields',
  'until',
  'the',
  'sea',
  'begins',
]

/** `count` words, always the same, each with a space after it. */
export function words(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${vocabulary[index % vocabulary.length] ?? ''} `)
}

/** An `Answer` with every default filled in. */
export interface FullAnswer {
  readonly id: string
  readonly model: string
  readonly textPieces: readonly string[]
  readonly reasoningPieces: readonly string[]
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly pieces: readonly string[] }[]
  readonly usage: Bill | undefined
  readonly finish: 'stop' | 'length' | 'tools' | 'filter'
  readonly properEnd: boolean
}

export function complete(answer: Answer): FullAnswer {
  const toolCalls = (answer.toolCalls ?? []).map((call) => ({ id: call.id, name: call.name, pieces: asPieces(call.arguments) }))
  const silent = answer.text === undefined && toolCalls.length > 0
  return {
    id: answer.id ?? 'upstream-1',
    model: answer.model ?? 'mock',
    textPieces: silent ? [] : asPieces(answer.text ?? words(49)),
    reasoningPieces: answer.reasoning === undefined ? [] : asPieces(answer.reasoning),
    toolCalls,
    usage: answer.usage === null ? undefined : (answer.usage ?? plainUsage),
    finish: answer.finish ?? (toolCalls.length > 0 ? 'tools' : 'stop'),
    properEnd: answer.properEnd ?? true,
  }
}

/** Names an SSE event and writes its data as JSON. */
export function namedEvent(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

export const created = 1_700_000_000

function asPieces(text: string | readonly string[]): readonly string[] {
  return typeof text === 'string' ? [text] : text
}
