import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Pool, type Dispatcher } from 'undici'
import type { PriceSheet } from '../../catalog/index.js'
import { BursarError } from '../../errors/index.js'
import {
  pricesFileOf,
  readArmPrices,
  readOutcomeTable,
  recordedAnswers,
  type OutcomeRow,
  type OutcomeSample,
} from '../../environment/index.js'
import { picoUsd, usd, type Money } from '../../quantities/index.js'
import { addTo, ModelBill } from './bill.js'
import { AnswerReader, requestFor, type DriveFormat } from './formats.js'

const MOST_SHOWN = 10
const LONGEST_ERROR_BYTES = 64 * 1024

export interface DriveOptions {
  /** An outcome table. */
  readonly requests: string
  /** The gateway's address, with or without `/v1`. */
  readonly baseUrl: string
  readonly key?: string | undefined
  readonly concurrency: number
  /** Arms of the table; all when absent. */
  readonly models?: readonly string[] | undefined
  readonly stream: boolean
  readonly format: DriveFormat
  /** Only the first rows of the table. */
  readonly limit?: number | undefined
  /** Prices of arms in dollars per million tokens; by default the file beside the table. */
  readonly pricesFile?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((calls: number, wrong: number) => void) | undefined
}

/** One call whose outcome is not what was recorded. */
export interface Mismatch {
  readonly row: string
  readonly model: string
  readonly what: string
}

export interface DriveReport {
  readonly rows: number
  readonly sha256: string | undefined
  readonly models: ReadonlyMap<string, ModelBill>
  readonly total: ModelBill
  readonly mismatches: readonly Mismatch[]
  readonly seconds: number
  /** Whether every call came back with a recorded answer, its token counts and its price. */
  readonly ok: boolean
}

/**
 * Sends every request of an outcome table to a gateway, once for each model with a recorded answer, as a client of the chosen
 * format would, and compares what comes back: the answer byte for byte, the token counts, and the cost with recorded tokens × price.
 * Where an arm has several samples, any of them counts as right. Failures of calls are counted, not thrown; throws `BursarError` for
 * a table that can't be read, a gateway that can't be reached, and models that the table doesn't have.
 */
export async function drive(options: DriveOptions): Promise<DriveReport> {
  const started = performance.now()
  const origin = new URL(options.baseUrl)
  const prefix = origin.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  const pool = new Pool(origin.origin, { connections: options.concurrency, pipelining: 1 })
  try {
    const prices = await readArmPrices(options.pricesFile ?? pricesFileOf(options.requests))
    const client = new Client(pool, prefix, options, await modelNames(pool, prefix, options), prices)
    const hash = createHash('sha256')
    const calls = plannedCalls(options, (bytes) => hash.update(bytes), client)
    await Promise.all(
      Array.from({ length: options.concurrency }, async () => {
        for (let next = await calls.next(); !next.done; next = await calls.next()) await client.make(next.value)
      }),
    )
    client.requireModels(options.models)
    const total = new ModelBill()
    for (const bill of client.bills.values()) total.add(bill)
    // With a limit the rest of the file was not read, so its checksum isn't known.
    const sha256 = client.stoppedEarly ? undefined : hash.digest('hex')
    return {
      rows: client.rows,
      sha256,
      models: client.bills,
      total,
      mismatches: client.mismatches,
      seconds: (performance.now() - started) / 1000,
      ok: total.calls > 0 && total.wrong === 0,
    }
  } finally {
    await pool.destroy()
  }
}

interface PlannedCall {
  readonly row: OutcomeRow
  readonly arm: string
  readonly recorded: readonly OutcomeSample[]
}

/** The calls in the order of the table, made as they are asked for: the table is never in memory as a whole. */
async function* plannedCalls(options: DriveOptions, onBytes: (bytes: Uint8Array) => void, client: Client): AsyncGenerator<PlannedCall> {
  for await (const row of readOutcomeTable(options.requests, onBytes)) {
    if (client.rows === options.limit) {
      client.stoppedEarly = true
      return
    }
    client.rows += 1
    for (const [arm, outcome] of Object.entries(row.outcomes)) {
      if (options.models && !options.models.includes(arm)) continue
      const recorded = recordedAnswers(outcome)
      if (recorded.length > 0) yield { row, arm, recorded }
    }
  }
}

/** How the gateway calls each of its models, by what stands after the provider's name and by the whole. */
async function modelNames(pool: Pool, prefix: string, { key, baseUrl, signal }: DriveOptions): Promise<ReadonlyMap<string, string>> {
  let response: Dispatcher.ResponseData
  try {
    response = await pool.request({ path: `${prefix}/v1/models`, method: 'GET', headers: headersOf(key), ...(signal ? { signal } : {}) })
  } catch (thrown) {
    throw new BursarError(`The gateway at ${baseUrl} can't be reached (${reasonOf(thrown)}). Is it running there?`, {
      code: 'upstream_unreachable',
      status: 502,
      cause: thrown,
    })
  }
  const text = await response.body.text()
  if (response.statusCode !== 200)
    throw new BursarError(`${baseUrl}/v1/models answered HTTP ${response.statusCode}: ${messageIn(text)}`, {
      code: 'upstream_rejected',
      status: 502,
    })
  const names = new Map<string, string>()
  const { data } = JSON.parse(text) as { readonly data?: unknown }
  const ids = Array.isArray(data)
    ? (data as unknown[]).map((model) => (typeof model === 'object' && model !== null && 'id' in model ? String(model.id) : ''))
    : []
  for (const id of ids) names.set(id.slice(id.indexOf('/') + 1), id)
  for (const id of ids) names.set(id, id)
  return names
}

class Client {
  readonly bills = new Map<string, ModelBill>()
  readonly mismatches: Mismatch[] = []
  rows = 0
  stoppedEarly = false
  private made = 0
  private wrong = 0

  constructor(
    private readonly pool: Pool,
    private readonly prefix: string,
    private readonly options: DriveOptions,
    private readonly names: ReadonlyMap<string, string>,
    private readonly prices: ReadonlyMap<string, PriceSheet>,
  ) {}

  /** Makes one call and enters it into the bill. */
  async make({ row, arm, recorded }: PlannedCall): Promise<void> {
    let bill = this.bills.get(arm)
    if (!bill) this.bills.set(arm, (bill = new ModelBill()))
    bill.calls += 1
    const reader = new AnswerReader()
    try {
      const firstToken = await this.exchange(row, arm, reader)
      if (firstToken !== undefined) bill.firstTokenSeconds.push(firstToken)
      if (reader.failure !== undefined) throw new Error(reader.failure)
      if (!reader.complete) throw new Error('the stream ended before the answer was complete')
      this.compare(bill, row.id, arm, reader, recorded)
    } catch (thrown) {
      if (this.options.signal?.aborted || BursarError.is(thrown)) throw thrown
      bill.errors += 1
      this.note(row.id, arm, reasonOf(thrown))
    }
    this.made += 1
    this.options.progress?.(this.made, this.wrong)
  }

  requireModels(models: readonly string[] | undefined): void {
    const missing = models?.filter((model) => !this.bills.has(model)) ?? []
    if (missing.length > 0)
      throw new BursarError(`The table has no answers of ${missing.join(', ')}.`, { code: 'invalid_request', status: 400 })
  }

  /** Sends the request and reads the answer; resolves to the seconds to the first text, where there was a stream with text. */
  private async exchange(row: OutcomeRow, arm: string, reader: AnswerReader): Promise<number | undefined> {
    const { format, stream, key, signal } = this.options
    const { path, body } = requestFor(format, row, this.names.get(arm) ?? arm, stream)
    const sent = performance.now()
    const response = await this.pool.request({
      path: this.prefix + path,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(key) },
      body,
      ...(signal ? { signal } : {}),
    })
    if (response.statusCode !== 200) {
      const pieces: Buffer[] = []
      let size = 0
      for await (const piece of response.body as AsyncIterable<Buffer>)
        if ((size += piece.length) <= LONGEST_ERROR_BYTES) pieces.push(piece)
      throw new Error(`HTTP ${response.statusCode}: ${messageIn(Buffer.concat(pieces).toString())}`)
    }
    let firstToken: number | undefined
    if (stream) {
      for await (const data of eventsOf(response.body as AsyncIterable<Buffer>)) {
        reader.event(format, data)
        if (firstToken === undefined && reader.text !== '') firstToken = (performance.now() - sent) / 1000
      }
    } else reader.body(format, await response.body.text())
    const told = response.headers['x-bursar-cost']
    if (reader.cost === undefined && typeof told === 'string' && told !== '')
      reader.cost = Number.isFinite(Number(told)) ? Number(told) : null
    return firstToken
  }

  private compare(bill: ModelBill, row: string, arm: string, reader: AnswerReader, recorded: readonly OutcomeSample[]): void {
    bill.inputTokens += reader.inputTokens ?? 0
    bill.outputTokens += reader.outputTokens ?? 0
    const cost = reader.cost === undefined || reader.cost === null ? null : usd(reader.cost)
    bill.billed = addTo(bill.billed, cost)

    const same = recorded.filter(({ answer }) => answer === reader.text)
    // Samples may say the same at different length of reasoning: take the one whose count agrees, if any does.
    const sample = same.find((one) => outputOf(one) === reader.outputTokens) ?? same[0] ?? recorded[0]
    const expected = sample ? this.expectedCost(arm, sample) : null
    bill.expected = addTo(bill.expected, expected)
    if (same.length === 0) {
      bill.answerMismatches += 1
      this.note(row, arm, difference(reader.text, recorded))
      return
    }
    bill.identical += 1
    const wantedOutput = sample && outputOf(sample)
    if (
      (sample?.inputTokens !== undefined && sample.inputTokens !== reader.inputTokens) ||
      (wantedOutput !== undefined && wantedOutput !== reader.outputTokens)
    ) {
      bill.tokenMismatches += 1
      this.note(
        row,
        arm,
        `${reader.inputTokens ?? 'no'} + ${reader.outputTokens ?? 'no'} tokens reported, ${sample?.inputTokens ?? 'unknown'} + ${wantedOutput ?? 'unknown'} recorded`,
      )
    } else if (expected !== null && cost !== expected) {
      bill.costMismatches += 1
      this.note(row, arm, `cost ${reader.cost ?? 'unknown'}, expected ${Number(expected) / 1e12}`)
    }
  }

  /** What the call should cost: as recorded, else recorded tokens × price; `null` where neither is known. */
  private expectedCost(arm: string, sample: OutcomeSample): Money | null {
    if (sample.usd !== undefined) return usd(sample.usd)
    const prices = this.prices.get(arm)
    const { inputTokens, outputTokens, cacheReadTokens = 0, reasoningTokens = 0 } = sample
    if (!prices?.input || !prices.output || inputTokens === undefined || outputTokens === undefined) return null
    if (cacheReadTokens > 0 && !prices.cacheRead) return null
    const cached = BigInt(cacheReadTokens) * (prices.cacheRead?.base ?? 0n)
    return picoUsd(
      BigInt(inputTokens - cacheReadTokens) * prices.input.base + cached + BigInt(outputTokens + reasoningTokens) * prices.output.base,
    )
  }

  private note(row: string, model: string, what: string): void {
    this.wrong += 1
    if (this.mismatches.length < MOST_SHOWN) this.mismatches.push({ row, model, what })
  }
}

function outputOf({ outputTokens, reasoningTokens = 0 }: OutcomeSample): number | undefined {
  return outputTokens === undefined ? undefined : outputTokens + reasoningTokens
}

/** Where an answer leaves the recorded one that it follows longest. */
function difference(text: string, recorded: readonly OutcomeSample[]): string {
  const got = Buffer.from(text)
  let best = { offset: -1, bytes: 0 }
  for (const { answer = '' } of recorded) {
    const wanted = Buffer.from(answer)
    let offset = 0
    while (offset < got.length && offset < wanted.length && got[offset] === wanted[offset]) offset += 1
    if (offset > best.offset) best = { offset, bytes: wanted.length }
  }
  return `the answer differs from byte ${best.offset} on (${got.length} bytes came, ${best.bytes} were recorded)`
}

/** The data of a stream's events. */
async function* eventsOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let held = ''
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = held.indexOf('\n', start); end >= 0; end = held.indexOf('\n', start)) {
      const line = held.slice(start, end)
      start = end + 1
      if (line.startsWith('data:')) yield line.slice(5).trim()
    }
    held = held.slice(start)
  }
}

function headersOf(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { authorization: `Bearer ${key}` }
}

function messageIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { readonly error?: { readonly message?: unknown } }
    if (typeof error?.message === 'string') return error.message
  } catch {
    // Not JSON: shown as it is.
  }
  return body.slice(0, 300)
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const code = 'code' in thrown ? String(thrown.code) : ''
  return thrown.message === '' ? code || thrown.name : thrown.message
}

/** The table's name for reports. */
export function tableName(file: string): string {
  return basename(file)
}
