import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { childRandom, type Random } from '../../src/statistics/index.js'
import { drained } from '../../test/upstream/drained.js'

/** What the upstream asks for its models: dollars a million tokens, as the gateway's configuration declares them too. */
export interface Prices {
  readonly input: number
  readonly output: number
}

/** How often things go wrong at the upstream, as shares of all calls. */
export interface Faults {
  /** Streams whose connection breaks off somewhere. */
  readonly cutStreams: number
  /** JSON answers whose body breaks off: all of it was made, and is billed. */
  readonly cutAnswers: number
  /** Requests that are refused with 500 or 429: not billed. */
  readonly refused: number
}

export const noFaults: Faults = { cutStreams: 0, cutAnswers: 0, refused: 0 }

/** One request as the upstream billed it. */
export interface Billed {
  /** The id that the caller put into its prompt. */
  readonly id: string
  readonly input: number
  /** Grows while a stream is made. */
  output: number
  /** Nothing more will be billed for it. */
  over: boolean
}

export interface UpstreamSettings {
  readonly prices: Prices
  readonly faults: Faults
  readonly seed: number
  /** Longest time between two pieces of a stream, and before a JSON answer; milliseconds. */
  readonly paceMs: number
}

/**
 * A provider that keeps its own books: OpenAI's chat format, answers of random size up to `max_tokens`, JSON and streams. It
 * bills the input (counted with a real tokenizer, as OpenAI documents it) and every output token that it made, also those that
 * nobody read any more. Exact: whole picodollars.
 */
export class BillingUpstream {
  readonly billed: Billed[] = []
  private readonly random: Random
  private readonly server = createServer((request, response) => void this.receive(request, response))
  private spentSoFar = 0n
  private readonly rates: { readonly input: bigint; readonly output: bigint }
  inFlight = 0
  url = ''

  constructor(private readonly settings: UpstreamSettings) {
    this.random = childRandom(settings.seed, 'upstream')
    this.rates = { input: perToken(settings.prices.input), output: perToken(settings.prices.output) }
    this.server.keepAliveTimeout = 120_000
    this.server.requestTimeout = 0
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(0, '127.0.0.1', 4096, resolve)
    })
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('the upstream has no TCP address')
    this.url = `http://127.0.0.1:${address.port}`
    return this
  }

  /** Everything billed so far, in picodollars. */
  get spent(): bigint {
    return this.spentSoFar
  }

  /** What one request was billed, in picodollars. */
  costOf({ input, output }: Pick<Billed, 'input' | 'output'>): bigint {
    return BigInt(input) * this.rates.input + BigInt(output) * this.rates.output
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    this.server.closeAllConnections()
    await closed
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part as Buffer)
    } catch {
      return // left while it was still sending: nothing was made
    }
    const asked = askedOf(Buffer.concat(parts).toString())
    if (!asked) return void response.writeHead(400).end('{"error":{"message":"not understood"}}')
    if (this.chance(this.settings.faults.refused)) {
      const status = this.random.next() < 0.5 ? 500 : 429
      return void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { message: `scripted ${status}`, type: 'server_error', code: null } }))
    }
    this.inFlight++
    try {
      const size = 1 + Math.floor(this.random.next() * asked.maxTokens)
      if (asked.stream) await this.stream(asked, size, response)
      else await this.whole(asked, size, response)
    } finally {
      this.inFlight--
    }
  }

  /** All of the answer is made, and billed, whether anybody waits for it or not. */
  private async whole(asked: Asked, size: number, response: ServerResponse): Promise<void> {
    const bill = this.open(asked)
    this.add(bill, size)
    bill.over = true
    const cut = this.chance(this.settings.faults.cutAnswers)
    await this.pace()
    if (response.destroyed) return
    const body = Buffer.from(
      JSON.stringify({
        ...head(asked, 'chat.completion'),
        choices: [
          { index: 0, message: { role: 'assistant', content: words(size) }, finish_reason: size === asked.maxTokens ? 'length' : 'stop' },
        ],
        usage: usageOf(bill),
      }),
    )
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    if (!cut) return void response.end(body)
    response.write(body.subarray(0, Math.floor(this.random.next() * body.length)), () => response.destroy())
  }

  /** Every token is billed when it is made, a moment before it is sent. */
  private async stream(asked: Asked, size: number, response: ServerResponse): Promise<void> {
    const bill = this.open(asked)
    const cutAfter = this.chance(this.settings.faults.cutStreams) ? Math.floor(this.random.next() * (size + 1)) : Infinity
    const gone = () => response.destroyed || response.closed
    try {
      await this.pace()
      if (gone()) return
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const send = (fields: Record<string, unknown>) =>
        response.write(`data: ${JSON.stringify({ ...head(asked, 'chat.completion.chunk'), ...fields })}\n\n`)
      const choice = (delta: Record<string, unknown>, finish: string | null = null) => ({
        choices: [{ index: 0, delta, finish_reason: finish }],
        usage: null,
      })
      send(choice({ role: 'assistant', content: '' }))
      for (let made = 0; made < size;) {
        if (gone()) return
        if (made >= cutAfter) return void breakOff(response)
        const piece = Math.min(size - made, 1 + Math.floor(this.random.next() * 6))
        made += piece
        this.add(bill, piece)
        if (!send(choice({ content: words(piece) }))) await drained(response)
        await this.pace()
      }
      if (gone()) return
      if (cutAfter !== Infinity) return void breakOff(response)
      send(choice({}, size === asked.maxTokens ? 'length' : 'stop'))
      if (asked.includeUsage) send({ choices: [], usage: usageOf(bill) })
      response.end('data: [DONE]\n\n')
    } finally {
      bill.over = true
    }
  }

  private open({ id, input }: Asked): Billed {
    const bill = { id, input, output: 0, over: false }
    this.billed.push(bill)
    this.spentSoFar += this.costOf(bill)
    return bill
  }

  private add(bill: Billed, tokens: number): void {
    bill.output += tokens
    this.spentSoFar += this.costOf({ input: 0, output: tokens })
  }

  private chance(share: number): boolean {
    return share > 0 && this.random.next() < share
  }

  private pace(): Promise<void> {
    const { paceMs } = this.settings
    if (paceMs === 0) return new Promise((resolve) => setImmediate(resolve))
    return new Promise((resolve) => setTimeout(resolve, this.random.next() * paceMs))
  }
}

/** Input tokens of a prompt, as OpenAI documents it: three for each message, its role and content, and three for the answer to come. */
export function inputTokensOf(content: string): number {
  return 3 + 1 + countTokens(content) + 3
}

/** Picodollars a token at this price. */
export function perToken(dollarsPerMillion: number): bigint {
  const pico = Math.round(dollarsPerMillion * 1e6)
  if (Math.abs(pico - dollarsPerMillion * 1e6) > 1e-6)
    throw new Error(`a price of $${dollarsPerMillion} a million tokens has no whole number of picodollars a token`)
  return BigInt(pico)
}

interface Asked {
  readonly id: string
  readonly model: string
  readonly input: number
  readonly maxTokens: number
  readonly stream: boolean
  readonly includeUsage: boolean
}

function askedOf(body: string): Asked | undefined {
  const json = JSON.parse(body) as {
    model?: string
    stream?: boolean
    max_tokens?: number
    max_completion_tokens?: number
    stream_options?: { include_usage?: boolean }
    messages?: { content?: string }[]
  }
  const content = json.messages?.[0]?.content
  const maxTokens = json.max_tokens ?? json.max_completion_tokens
  if (content === undefined || maxTokens === undefined) return undefined
  return {
    id: /^\S+/.exec(content)?.[0] ?? '',
    model: json.model ?? '',
    input: inputTokensOf(content),
    maxTokens,
    stream: json.stream === true,
    includeUsage: json.stream_options?.include_usage === true,
  }
}

function head({ id, model }: Asked, object: string): Record<string, unknown> {
  return { id: `chatcmpl-${id}`, object, created: 1_780_000_000, model }
}

function usageOf({ input, output }: Billed): Record<string, unknown> {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output }
}

/** Each of these, with its space, is one token of o200k. */
export const vocabulary = [
  'river',
  'carry',
  'warm',
  'light',
  'past',
  'quiet',
  'town',
  'and',
  'open',
  'field',
  'until',
  'the',
  'sea',
  'begin',
] as const

function words(count: number): string {
  let text = ''
  for (let index = 0; index < count; index++) text += ` ${vocabulary[index % vocabulary.length] ?? ''}`
  return text
}

function breakOff(response: ServerResponse): void {
  // So that what was written has left this process, and the other side surely sees it.
  response.write('', () => response.destroy())
}
