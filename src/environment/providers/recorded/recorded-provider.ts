import { BursarError, UnsupportedParameter } from '../../../errors/index.js'
import type { ModelFacts, PriceSheet } from '../../../catalog/index.js'
import type { Delta, ReportedUsage, Request } from '../../../protocol/index.js'
import { addMoney, noUsage, systemClock, usd, zeroMoney, type Clock } from '../../../quantities/index.js'
import { childRandom } from '../../../statistics/index.js'
import type { Provider, ProviderCall, ProviderHealth, ProviderResult } from '../../provider.js'
import { Pace } from '../pace.js'
import { fingerprintOf } from './fingerprint.js'
import { pricesFileOf, readArmPrices } from './prices.js'
import { RecordedTable, type RecordedAnswer, type RecordedArm, type RecordedRow } from './recorded-table.js'

/** Bytes that a token takes at the least, for a rough count from above where none was recorded. */
const BYTES_PER_TOKEN = 3

export interface RecordedSettings {
  /** The provider's id; `recorded` when absent. */
  readonly id?: string | undefined
  /** Outcome tables (JSON Lines, maybe gzipped). */
  readonly files: readonly string[]
  /** How many times faster than recorded; `Infinity` for no delay. An answer without recorded seconds has none anyway. */
  readonly speed?: number | undefined
  readonly clock?: Clock | undefined
  /** Prices of arms; they win over those that stand beside a table (`answers.jsonl` has `answers.prices.json`). */
  readonly prices?: ReadonlyMap<string, PriceSheet> | undefined
}

/**
 * Serves the answers of outcome tables as if their models answered again: the recorded text byte for byte, the recorded token
 * counts, at the recorded speed or faster. A request is recognised by its messages; where several rows have the same ones, or none has,
 * the row that `user`, `metadata.user_id` or `metadata.row_id` names is taken. Repeated samples come in the order drawn and then from
 * the front again. Limits, sampling settings and tools of the request change nothing: what was recorded is served. Throws `BursarError`
 * (`invalid_configuration`) for a table that can't be read.
 */
export async function createRecordedProvider(settings: RecordedSettings): Promise<Provider> {
  const speed = settings.speed ?? 1
  if (!(speed > 0))
    throw new BursarError(`A recorded provider's speed must be above 0, not ${speed}.`, { code: 'invalid_configuration', status: 500 })
  const prices = new Map<string, PriceSheet>()
  for (const file of settings.files) for (const [arm, sheet] of await readArmPrices(pricesFileOf(file))) prices.set(arm, sheet)
  for (const [arm, sheet] of settings.prices ?? []) prices.set(arm, sheet)
  const table = await RecordedTable.load(settings.files)
  return new Recorded(settings.id ?? 'recorded', table, prices, speed, settings.clock ?? systemClock)
}

class Recorded implements Provider {
  readonly kind = 'recorded'
  private calls = 0

  constructor(
    readonly id: string,
    private readonly table: RecordedTable,
    private readonly prices: ReadonlyMap<string, PriceSheet>,
    private readonly speed: number,
    private readonly clock: Clock,
  ) {}

  speaks(): boolean {
    return false
  }

  models(): readonly string[] {
    return [...this.table.arms]
  }

  facts(model: string): ModelFacts | undefined {
    const arm = this.armName(model)
    if (arm === undefined) return undefined
    return { id: arm, provider: this.id, name: `${arm} (recorded)`, capabilities: { embeddings: false }, prices: this.prices.get(arm) }
  }

  check(): Promise<ProviderHealth> {
    const { rows, answers, bytes, arms } = this.table
    const priced = [...arms].filter((arm) => this.prices.has(arm)).length
    const prices =
      priced === arms.size
        ? ''
        : `; ${arms.size - priced} models without a price of their own: put them into a .prices.json beside the table or into the configuration`
    return Promise.resolve({
      ok: true,
      message: `${answers} recorded answers of ${arms.size} models to ${rows} requests (${(bytes / 1e6).toFixed(1)} MB)${prices}`,
      models: this.models(),
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  embed(): Promise<ProviderResult> {
    return Promise.reject(
      new UnsupportedParameter(`model: the provider "${this.id}" serves recorded answers and computes no embeddings.`, 'model'),
    )
  }

  async *generate(call: ProviderCall): AsyncGenerator<Delta, ProviderResult> {
    const { request, progress } = call
    const pace = new Pace(this.clock, call.limits, call.cancellation.signal, this.id)
    const name = this.armName(call.model)
    if (name === undefined)
      throw new BursarError(`The recorded provider "${this.id}" has no model "${call.model}". It has ${listed(this.models())}.`, {
        code: 'model_not_found',
        status: 404,
        path: 'model',
      })
    const { row, arm } = this.find(request, name)
    const answers = draw(arm, request.n ?? 1, request.paths.n ?? 'n')
    const reported = reportOf(answers, request)
    const serial = this.calls++
    progress.sent = true
    progress.reported = { usage: { ...reported.usage, outputTokens: 0, reasoningTokens: 0 } }

    const id = `rec-${row.id}-${serial}`
    const created = Math.floor(this.clock.now())
    const texts = answers.map((answer) => answer.text)
    const seconds = Math.max(...answers.map(({ measured }) => measured.seconds ?? measured.firstTokenSeconds ?? 0)) / this.speed
    const first = Math.max(...answers.map(({ measured }) => measured.firstTokenSeconds ?? 0)) / this.speed

    if (request.stream) {
      yield { type: 'start', id, model: name, created }
      const pieces = texts.map((text, choice) => split(text, `${row.id}\0${name}\0${choice}`))
      const steps = Math.max(...pieces.map((list) => list.length))
      const gap = (seconds - first) / Math.max(1, first > 0 ? steps - 1 : steps)
      const outputTokens = reported.usage.outputTokens
      for (let step = 0; step < steps; step++) {
        await pace.wait(step === 0 && first > 0 ? first : gap)
        for (const [choice, list] of pieces.entries()) {
          const text = list[step]
          if (text === undefined) continue
          pace.sent()
          progress.outputTokens = Math.ceil((outputTokens * (step + 1)) / steps)
          yield { type: 'text', choice, part: 0, text }
        }
      }
      if (steps === 0) await pace.wait(seconds)
      for (const choice of pieces.keys()) yield { type: 'finish', choice, reason: 'stop' }
    } else await pace.wait(seconds)
    progress.reported = reported
    if (request.stream) yield { type: 'usage', reported }
    const choices = texts.map((text) => ({ parts: text === '' ? [] : [{ type: 'text' as const, text }], finish: 'stop' as const }))
    return {
      answer: { kind: 'reply', reply: { id, model: name, created, choices, reported } },
      reported,
      estimatedOutputTokens: 0,
      headers: {},
    }
  }

  private armName(model: string): string | undefined {
    if (this.table.arms.has(model)) return model
    const short = model.startsWith(`${this.id}/`) ? model.slice(this.id.length + 1) : model
    return this.table.arms.has(short) ? short : undefined
  }

  private find(request: Request, name: string): { row: RecordedRow; arm: RecordedArm } {
    const named = [request.user, request.metadata?.user_id, request.metadata?.row_id].filter((id) => id !== undefined)
    const same = this.table.withConversation(fingerprintOf(request.messages))
    const candidates = [...same.filter((row) => named.includes(row.id)), ...same, ...named.flatMap((id) => this.table.withId(id))]
    for (const row of candidates) {
      const arm = row.arms.get(name)
      if (arm) return { row, arm }
    }
    const [row] = candidates
    throw new BursarError(
      row
        ? `Row "${row.id}" has no recorded answer of "${name}". It has answers of ${listed([...row.arms.keys()])}.`
        : `None of the ${this.table.rows} recorded requests has these messages. Send the messages of a row unchanged, or its id as "user".`,
      { code: 'not_found', status: 404, path: row ? 'model' : 'messages' },
    )
  }
}

/** The next samples in the order drawn; after the last the first comes again. */
function draw(arm: RecordedArm, wanted: number, path: string): RecordedAnswer[] {
  if (wanted > arm.answers.length)
    throw new UnsupportedParameter(
      `${path}: ${wanted} answers are wanted and ${arm.answers.length} ${arm.answers.length === 1 ? 'was' : 'were'} recorded.`,
      path,
    )
  return Array.from({ length: wanted }, () => arm.answers[arm.served++ % arm.answers.length] as RecordedAnswer)
}

function reportOf(answers: readonly RecordedAnswer[], request: Request): ReportedUsage {
  const input = answers[0]?.measured.inputTokens ?? Math.ceil(textBytes(request) / BYTES_PER_TOKEN)
  const cached = Math.min(input, answers[0]?.measured.cacheReadTokens ?? 0)
  let outputTokens = 0
  let reasoningTokens = 0
  let billed = zeroMoney
  for (const { measured, bytes } of answers) {
    outputTokens += measured.outputTokens ?? Math.ceil(bytes / BYTES_PER_TOKEN)
    reasoningTokens += measured.reasoningTokens ?? 0
    billed = addMoney(billed, usd(measured.usd ?? 0))
  }
  return {
    usage: { ...noUsage, inputTokens: input - cached, cacheReadTokens: cached, outputTokens, reasoningTokens },
    ...(answers.every(({ measured }) => measured.usd !== undefined) ? { billedUsd: billed } : {}),
  }
}

function textBytes(request: Request): number {
  let bytes = 0
  for (const { parts } of request.messages) for (const part of parts) if (part.type === 'text') bytes += Buffer.byteLength(part.text)
  return bytes
}

/** Cuts a text as a stream would, at places that depend on nothing but the row; never within a character. */
function split(text: string, name: string): string[] {
  const random = childRandom(0, name)
  const pieces: string[] = []
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + 1 + Math.floor(random.next() * 40))
    const unit = text.charCodeAt(end - 1)
    if (unit >= 0xd800 && unit < 0xdc00) end += 1
    pieces.push(text.slice(at, end))
    at = end
  }
  return pieces
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ')
  return names.length === 0 ? 'none' : names.length > 20 ? `${shown} and ${names.length - 20} more` : shown
}
