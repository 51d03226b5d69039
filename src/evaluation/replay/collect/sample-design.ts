import { requestOfRow, type OutcomeRow } from '../../../environment/index.js'
import { BursarError, InvalidRequest } from '../../../errors/index.js'
import type { Request } from '../../../protocol/index.js'
import { childRandom } from '../../../statistics/index.js'
import { createUnderstanding, type Features } from '../../../understanding/index.js'
import type { Log } from '../../logs/registry.js'

/** Requests that are alike in category and difficulty. */
export interface Stratum {
  readonly name: string
  /** Requests of the log in it. */
  readonly size: number
  /** How many of them are asked again. */
  readonly drawn: number
}

export interface SampledRequest {
  readonly row: OutcomeRow
  readonly request: Request
  readonly stratum: string
  /** 1/π: how many requests of the log it stands for. */
  readonly weight: number
}

export interface SampleDesign {
  readonly strata: readonly Stratum[]
  /** In the order of the log. */
  readonly sample: readonly SampledRequest[]
  /** Requests of the log that could be asked again. */
  readonly requests: number
  /** Requests without content, or whose request can't be read. */
  readonly passedOver: number
}

interface Counted {
  size: number
  difficulty: number
}

/** Most requests of a sample: they are held in memory. */
const mostDrawn = 100_000

/**
 * Draws `count` requests of a log to be asked again: a stratified random sample without replacement. Strata are the category (where it is sure) × the level of
 * difficulty, both guessed from the text; where that would leave fewer than four requests a stratum, difficulty alone. A stratum's share of the sample is proportional
 * to size × (0.5 + mean difficulty), at least two: models differ most on hard requests, so these tell most (Neyman 1934 with difficulty in place of the
 * spread, which nobody knows before asking). Within a stratum every request has the same chance π = drawn/size (Fan, Muller & Rezucha 1962, drawing in
 * one pass), so weights of 1/π keep every sum over the log without bias, whatever the strata are worth. Two passes over the log; memory: the
 * sample. The same log, count and seed give the same sample. Rejects with `InvalidRequest` where nothing can be asked again.
 */
export async function drawSample(log: Log, count: number, seed: number, signal: AbortSignal): Promise<SampleDesign> {
  if (!Number.isInteger(count) || count < 1 || count > mostDrawn)
    throw new InvalidRequest(`A sample has from 1 to ${mostDrawn.toLocaleString('en-US')} requests, not ${count}.`, { path: 'collect' })
  const understanding = createUnderstanding({ cacheEntries: 0 })
  const fine = new Map<string, Counted>()
  const coarse = new Map<string, Counted>()
  let [requests, passedOver] = [0, 0]
  for await (const { features } of askable(log, understanding, signal, () => (passedOver += 1))) {
    requests += 1
    add(fine, `${features.category?.name ?? 'other'}, difficulty ${features.difficulty.level}`, features)
    add(coarse, `difficulty ${features.difficulty.level}`, features)
  }
  if (requests === 0)
    throw new InvalidRequest(`${log.file} holds no request that could be asked again: its prompts weren't stored.`, { path: 'log' })
  const useFine = 4 * fine.size <= count
  const nameOf = ({ category, difficulty }: Features) => `${useFine ? `${category?.name ?? 'other'}, ` : ''}difficulty ${difficulty.level}`
  const strata = allocate(useFine ? fine : coarse, Math.min(count, requests))
  const left = new Map(
    strata.map((stratum) => [stratum.name, { rows: stratum.size, wanted: stratum.drawn, weight: stratum.size / stratum.drawn }]),
  )
  const random = childRandom(seed, 'requests asked again')
  const sample: SampledRequest[] = []
  for await (const { row, request, features } of askable(log, understanding, signal, () => undefined)) {
    const stratum = nameOf(features)
    const state = left.get(stratum)
    if (!state) continue
    if (random.next() * state.rows < state.wanted) {
      sample.push({ row, request, stratum, weight: state.weight })
      state.wanted -= 1
    }
    state.rows -= 1
  }
  return { strata, sample, requests, passedOver }
}

function add(strata: Map<string, Counted>, name: string, { difficulty }: Features): void {
  const stratum = strata.get(name) ?? { size: 0, difficulty: 0 }
  stratum.size += 1
  stratum.difficulty += difficulty.value
  strata.set(name, stratum)
}

/** Whole numbers that sum to `count`, at least two (or all) of each stratum where there are enough, by largest remainders. */
export function allocate(counted: ReadonlyMap<string, Counted>, count: number): readonly Stratum[] {
  const strata = [...counted]
    .map(([name, { size, difficulty }]) => ({ name, size, score: size * (0.5 + difficulty / size), drawn: 0 }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  let left = count
  for (let round = 0; round < 2; round++)
    for (const stratum of [...strata].sort((a, b) => b.size - a.size))
      if (left > 0 && stratum.drawn < stratum.size) {
        stratum.drawn += 1
        left -= 1
      }
  // A stratum can't give more than it has: what is over goes to the others.
  while (left > 0) {
    const open = strata.filter(({ drawn, size }) => drawn < size)
    const total = open.reduce((sum, { score }) => sum + score, 0)
    if (open.length === 0) break
    const shares = open.map((stratum) => ({ stratum, exact: (left * stratum.score) / total }))
    let given = 0
    for (const { stratum, exact } of shares) {
      const more = Math.min(stratum.size - stratum.drawn, Math.floor(exact))
      stratum.drawn += more
      given += more
    }
    left -= given
    if (given > 0) continue
    for (const { stratum } of shares.sort((a, b) => b.exact - a.exact || (a.stratum.name < b.stratum.name ? -1 : 1))) {
      if (left === 0) break
      stratum.drawn += 1
      left -= 1
    }
  }
  return strata.filter(({ drawn }) => drawn > 0).map(({ name, size, drawn }) => ({ name, size, drawn }))
}

async function* askable(
  log: Log,
  understanding: ReturnType<typeof createUnderstanding>,
  signal: AbortSignal,
  passOver: () => void,
): AsyncGenerator<{ readonly row: OutcomeRow; readonly request: Request; readonly features: Features }> {
  for await (const batch of log.rows({ onFault: () => undefined })) {
    signal.throwIfAborted()
    for (const row of batch) {
      const request = row.request['contentStored'] === false ? undefined : readable(row)
      const features = request && understanding.of(request)
      if (!request || !features || features instanceof Promise || features.text === '') passOver()
      else yield { row, request, features }
    }
  }
}

function readable(row: OutcomeRow): Request | undefined {
  try {
    return requestOfRow(row)
  } catch (thrown) {
    if (BursarError.is(thrown)) return undefined
    throw thrown
  }
}
