import { createHash } from 'node:crypto'
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { createCatalog, priceUsage, type Catalog } from '../../../catalog/index.js'
import { outcomeBatches, type Completion, type Environment, type Outcome, type OutcomeRow } from '../../../environment/index.js'
import { BursarError, InvalidRequest } from '../../../errors/index.js'
import { edit, type Request } from '../../../protocol/index.js'
import { noCost, noUsage, toDollars, totalInputTokens } from '../../../quantities/index.js'
import { childRandom } from '../../../statistics/index.js'
import { finish, judge, questionOf, textOf } from '../../../strategies/index.js'
import { sureTokenBound } from '../../../understanding/index.js'
import { catalogFacts } from '../spending.js'
import type { SampleDesign, SampledRequest } from './sample-design.js'

/** Where the questions are asked; its budget refuses a call before what is left could be overrun. */
export interface CollectWorld {
  environment(model: string, signal: AbortSignal): Environment
}

export interface CollectOptions {
  /** Models that are asked, as the world names them. */
  readonly models: readonly string[]
  /** Grades every answer, the logged one too, each by itself: so all grades are on one scale, and no order sways them. */
  readonly judge: string
  /** Dollars that everything may cost, runs before this one with the same file included. */
  readonly maxUsd: number
  /** Most tokens that an answer may have: what makes the bound of its cost. */
  readonly maxOutputTokens: number
  /** The outcome table that is written, a row at a time. Rows that stand in it already aren't asked again. */
  readonly out: string
  /** Requests at the same time. */
  readonly parallel: number
  /** Of the order in which requests are asked. */
  readonly seed: number
  /** Names log, sample and seed: a file of another collection is refused. */
  readonly design: unknown
  readonly signal: AbortSignal
  readonly catalog?: Catalog | undefined
  onRow?(done: { readonly rows: number; readonly of: number; readonly usd: number }): void
}

export interface Collected {
  /** Rows in the table, of how many drawn. */
  readonly rows: number
  readonly of: number
  /** Dollars of everything, judges included, over all runs; what a broken-off run had reserved counts as spent. */
  readonly usd: number
  /** Requests that failed, with the first reason; they aren't in the table and can be tried again. */
  readonly failed: number
  readonly reason: string | undefined
  readonly stoppedBy: 'done' | 'budget' | 'aborted'
}

/** What a collection has cost so far, beside its table. */
interface Account {
  readonly design: unknown
  settledUsd: number
  reservedUsd: number
}

/** Tokens of the judge's instruction and of its grade at most. */
const judgeInputTokens = 400
const judgeOutputTokens = 1024
const judgedCharacters = 12_000

/**
 * What a sampled request can cost at most: every model's answer of `maxOutputTokens`, and a judgement of each and of the logged one. Input by the bound that no
 * tokenizer exceeds, prices by the catalog. Throws `InvalidRequest` for a model of unknown price: nothing could be promised of it.
 */
export function mostUsd(
  { request, row }: SampledRequest,
  {
    models,
    judge: judgeModel,
    maxOutputTokens,
    catalog = createCatalog(),
  }: Pick<CollectOptions, 'models' | 'judge' | 'maxOutputTokens' | 'catalog'>,
): number {
  const asked = models.reduce((sum, model) => sum + priced(catalog, model, sureTokenBound(request), maxOutputTokens), 0)
  const question = Math.min(judgedCharacters * 3, Buffer.byteLength(questionOf(request)))
  const judged = (answerBytes: number) =>
    priced(catalog, judgeModel, judgeInputTokens + question + Math.min(judgedCharacters * 3, answerBytes), judgeOutputTokens)
  const logged = Object.values(row.outcomes).reduce(
    (sum, { answer }) => sum + (answer === undefined ? 0 : judged(Buffer.byteLength(answer))),
    0,
  )
  return asked + logged + models.length * judged(Infinity)
}

function priced(catalog: Catalog, model: string, inputTokens: number, outputTokens: number): number {
  const facts = catalogFacts(catalog, model)
  const { usd } = priceUsage(facts?.prices, { ...noUsage, inputTokens, outputTokens }, { at: 0 }).report
  if (usd === null)
    throw new InvalidRequest(
      `No price of "${model}" is known, so what it will cost at most can't be told. Name it as provider/model, or choose another.`,
      { path: 'models' },
    )
  return toDollars(usd)
}

/**
 * Asks other models what a sample of a log was asked, grades all answers by a judge, and appends a row with weight 1/π to an outcome table for each request that is
 * whole. A request's bound is written down before its first call and settled after its last, so a run that breaks off never counts too little; the next run with the
 * same file goes on and spends only what is left. Stops before `maxUsd` could be exceeded. Rejects with `InvalidRequest` for a file of another collection.
 */
export async function collectOutcomes({ sample }: SampleDesign, world: CollectWorld, options: CollectOptions): Promise<Collected> {
  const accountFile = `${options.out}.spent.json`
  const account = readAccount(accountFile, options)
  const done = await rowsIn(options.out)
  // What a run had reserved when it broke off may have been spent.
  account.settledUsd += account.reservedUsd
  account.reservedUsd = 0
  writeAccount(accountFile, account)
  // In an order of chance, so that what a spent budget leaves undone is no part of the log in particular.
  const left = inChanceOrder(sample, options.seed).filter(({ row }) => !done.has(row.id))
  let [next, rows, failed] = [0, done.size, 0]
  let reason: string | undefined
  let stoppedBy: Collected['stoppedBy'] = 'done'
  const worker = async (): Promise<void> => {
    for (;;) {
      const one = left[next]
      if (!one || stoppedBy !== 'done') return
      if (options.signal.aborted) {
        stoppedBy = 'aborted'
        return
      }
      const bound = mostUsd(one, options)
      if (account.settledUsd + account.reservedUsd + bound > options.maxUsd) {
        stoppedBy = 'budget'
        return
      }
      next += 1
      account.reservedUsd += bound
      writeAccount(accountFile, account)
      const spent = { usd: 0, unknown: false }
      try {
        const row = await answered(one, world, options, spent)
        appendFileSync(options.out, `${JSON.stringify(row)}\n`, { mode: 0o600 })
        rows += 1
      } catch (thrown) {
        // A failed call may have been billed without a word of it.
        spent.unknown = true
        if (options.signal.aborted) stoppedBy = 'aborted'
        else {
          failed += 1
          reason ??= thrown instanceof Error ? thrown.message : 'unknown'
          if (BursarError.is(thrown) && thrown.code === 'budget_exceeded') stoppedBy = 'budget'
        }
      }
      account.reservedUsd = Math.max(0, account.reservedUsd - bound)
      account.settledUsd += spent.unknown ? bound : spent.usd
      writeAccount(accountFile, account)
      options.onRow?.({ rows, of: sample.length, usd: account.settledUsd })
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(options.parallel, left.length)) }, worker))
  return { rows, of: sample.length, usd: account.settledUsd, failed, reason, stoppedBy }
}

/** A request's row, with every model's answer and its grade. Counts what it took as it goes. */
async function answered(
  { row, request, weight }: SampledRequest,
  world: CollectWorld,
  options: CollectOptions,
  spent: { usd: number; unknown: boolean },
): Promise<OutcomeRow> {
  const { models, judge: judgeModel, maxOutputTokens, signal } = options
  const scorer = judge({ model: judgeModel, shown: judgedCharacters })
  const count = ({ cost }: Completion) => {
    if (cost.usd === null) spent.unknown = true
    else spent.usd += toDollars(cost.usd)
  }
  const graded = async (completion: Completion): Promise<number> => {
    const score = await scorer.score(request, completion, world.environment(judgeModel, signal))
    if (score.completion) count(score.completion)
    // No text at all is worth nothing; a judge without a grade is a failure.
    if (score.value === null && textOf(completion).trim() !== '')
      throw new BursarError(`The judge "${judgeModel}" gave no grade.`, { code: 'upstream_error', status: 502 })
    return score.value ?? 0
  }
  const outcomes: Record<string, Outcome> = {}
  for (const [model, outcome] of Object.entries(row.outcomes)) {
    const { quality: _own, ...rest } = outcome
    outcomes[model] = outcome.answer === undefined ? rest : { ...rest, quality: await graded(answerOf(model, outcome.answer)) }
  }
  for (const model of models) {
    const asked = limited(request, model, maxOutputTokens)
    const completion = await finish(world.environment(model, signal).call(model, asked))
    count(completion)
    const { usage, cost } = completion
    outcomes[model] = {
      quality: await graded(completion),
      ...(cost.usd === null ? {} : { usd: toDollars(cost.usd) }),
      inputTokens: totalInputTokens(usage),
      outputTokens: usage.outputTokens,
      reasoningTokens: usage.reasoningTokens,
      seconds: cost.seconds,
      answer: wellFormed(textOf(completion)),
    }
  }
  return { id: row.id, request: row.request, ...(row.category === undefined ? {} : { category: row.category }), weight, outcomes }
}

function limited(request: Request, model: string, maxOutputTokens: number): Request {
  return edit(request, {
    model,
    maxOutputTokens: Math.min(maxOutputTokens, request.maxOutputTokens ?? Infinity),
    stream: false,
    streamUsage: undefined,
    n: undefined,
  })
}

function inChanceOrder(sample: readonly SampledRequest[], seed: number): readonly SampledRequest[] {
  const random = childRandom(seed, 'order of asking')
  return sample
    .map((one) => ({ one, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

/** A logged answer as if it had just been given, for the judge. */
function answerOf(model: string, text: string): Completion {
  return {
    ...{ callId: 'logged', model, provider: 'log', deployment: model },
    answer: {
      kind: 'reply',
      reply: { id: 'logged', model, created: 0, reported: undefined, choices: [{ parts: [{ type: 'text', text }], finish: 'stop' }] },
    },
    ...{
      usage: noUsage,
      usageEstimated: false,
      cost: noCost,
      costReport: { usd: null, details: {} },
      attempts: 0,
      headers: {},
      warnings: [],
    },
  }
}

/** Halves of surrogate pairs have no UTF-8. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** Ids of the rows that are whole; a last line that a crash cut off is taken away. */
async function rowsIn(file: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>()
  if (!existsSync(file)) return ids
  const bytes = readFileSync(file)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end < bytes.length) truncateSync(file, end)
  for await (const batch of outcomeBatches(file)) for (const { id } of batch) ids.add(id)
  return ids
}

function readAccount(file: string, { design, models, judge: judgeModel, maxOutputTokens, out }: CollectOptions): Account {
  const own = createHash('sha256').update(JSON.stringify({ design, models, judgeModel, maxOutputTokens })).digest('hex')
  if (!existsSync(file)) {
    if (existsSync(out))
      throw new InvalidRequest(`${out} is there already, and is no table of this collection. Name another file with --out.`, {
        path: 'out',
      })
    return { design: own, settledUsd: 0, reservedUsd: 0 }
  }
  const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (!isAccount(read))
    throw new InvalidRequest(`${file} is damaged, so nobody knows what was spent. Name another file with --out.`, { path: 'out' })
  if (!isDeepStrictEqual(read.design, own))
    throw new InvalidRequest(
      `${out} belongs to a collection with other settings. Name another file with --out, or give the same settings.`,
      { path: 'out' },
    )
  return { ...read }
}

function isAccount(value: unknown): value is Account {
  return (
    typeof value === 'object' &&
    value !== null &&
    'design' in value &&
    'settledUsd' in value &&
    typeof value.settledUsd === 'number' &&
    'reservedUsd' in value &&
    typeof value.reservedUsd === 'number'
  )
}

/** In place at once, and on the disk before anything is spent. */
function writeAccount(file: string, account: Account): void {
  const handle = openSync(`${file}.new`, 'w', 0o600)
  try {
    writeSync(handle, `${JSON.stringify(account)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(`${file}.new`, file)
}
