import { recordedEnvironment, type OutcomeRow, type RecordedEnvironment } from '../../src/environment/index.js'
import type { Request } from '../../src/protocol/index.js'
import { childRandom, quantile, seededRandom } from '../../src/statistics/index.js'
import type { Answer, Strategy } from '../../src/strategies/index.js'
import type { Estimate } from '../report.js'

/** What came of one question, averaged over orders of its samples. */
export interface Played {
  readonly id: string
  readonly quality: number
  /** Calls by model. */
  readonly calls: ReadonlyMap<string, number>
}

/** The request of an outcome row, as the gateway would hand it to a strategy. */
export function requestOf(row: OutcomeRow): Request {
  const content = row.request.messages.at(-1)?.content
  return {
    model: 'auto',
    messages: [{ role: 'user', parts: [{ type: 'text', text: typeof content === 'string' ? content : JSON.stringify(content) }] }],
    stream: false,
    paths: {},
    extra: [],
  }
}

/** Steps that take no call. */
const NOTES = /(?:^|: )(?:accept|escalate|stop|skip|vote|failed|score)$/

/** Runs a strategy on a row with its samples in one shuffled order. */
export async function runOn(
  row: OutcomeRow,
  strategy: Strategy,
  seed: number,
): Promise<{ readonly answer: Answer; readonly env: RecordedEnvironment }> {
  const env = recordedEnvironment(row, { order: 'shuffled', seed })
  const running = strategy.run(requestOf(row), env)
  for (;;) {
    const step = await running.next()
    if (step.done) return { answer: step.value, env }
  }
}

/** The product's strategy on each row, over several orders of the samples; rows whose outcomes it can't run on are an error. */
export async function play(rows: readonly OutcomeRow[], strategy: Strategy, seeds: readonly number[]): Promise<readonly Played[]> {
  const played: Played[] = []
  for (const row of rows) {
    let quality = 0
    const calls = new Map<string, number>()
    for (const seed of seeds) {
      const { answer, env } = await runOn(row, strategy, seed)
      quality += (env.qualityOf(answer.completion) ?? 0) / seeds.length
      for (const step of answer.steps ?? [{ model: answer.completion.model, usage: answer.usage, name: 'call' }])
        if (!NOTES.test(step.name)) calls.set(step.model, (calls.get(step.model) ?? 0) + 1 / seeds.length)
    }
    played.push({ id: row.id, quality, calls })
  }
  return played
}

/** Mean over questions with a bootstrap interval over questions. */
export function meanOf(values: readonly number[], seed: number): Estimate {
  const n = values.length
  const value = values.reduce((sum, one) => sum + one, 0) / n
  const random = seededRandom(seed)
  const draws = Array.from({ length: 2000 }, () => {
    let sum = 0
    for (let index = 0; index < n; index++) sum += values[Math.floor(random.next() * n)] ?? 0
    return sum / n
  })
  return { value, low: quantile(draws, 0.025), high: quantile(draws, 0.975), n, method: 'bootstrap over questions, 95 %' }
}

/** Of rows, as parts to measure on: each with the rows that anything may be fitted on. With only one set: five folds, by a seeded shuffle. */
export function folds(
  train: readonly OutcomeRow[],
  test: readonly OutcomeRow[] | undefined,
  seed: number,
): readonly { readonly fit: readonly OutcomeRow[]; readonly measure: readonly OutcomeRow[] }[] {
  if (test !== undefined) return [{ fit: train, measure: test }]
  const random = childRandom(seed, 'folds')
  const order = train.map((row) => ({ row, at: random.next() })).sort((a, b) => a.at - b.at)
  return Array.from({ length: 5 }, (_, fold) => ({
    fit: order.filter((_row, index) => index % 5 !== fold).map(({ row }) => row),
    measure: order.filter((_row, index) => index % 5 === fold).map(({ row }) => row),
  }))
}

export function qualities(played: readonly Played[]): readonly number[] {
  return played.map(({ quality }) => quality)
}

/** Calls of models that the pattern fits, by question. */
export function callsOf(played: readonly Played[], pattern: RegExp): readonly number[] {
  return played.map(({ calls }) => [...calls].reduce((sum, [model, count]) => sum + (pattern.test(model) ? count : 0), 0))
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A result of a policy: what is printed in a row of the table. */
export interface Line {
  readonly policy: string
  readonly accuracy: Estimate
  readonly escalated?: Estimate | undefined
  readonly samples?: Estimate | undefined
  readonly note?: string | undefined
}

export interface Section {
  readonly name: string
  readonly baselines: readonly Line[]
  readonly results: readonly Line[]
  readonly notes: readonly string[]
}

export function line(
  policy: string,
  played: readonly Played[],
  seed: number,
  options: { readonly cheap?: RegExp; readonly strong?: RegExp; readonly note?: string } = {},
): Line {
  const { cheap, strong, note } = options
  return {
    policy,
    accuracy: meanOf(qualities(played), seed),
    ...(strong === undefined ? {} : { escalated: meanOf(callsOf(played, strong), seed) }),
    ...(cheap === undefined ? {} : { samples: meanOf(callsOf(played, cheap), seed) }),
    ...(note === undefined ? {} : { note }),
  }
}
