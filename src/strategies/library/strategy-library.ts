import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { ModelId } from '../../environment/index.js'
import type { Random } from '../../statistics/index.js'
import {
  buildStrategy,
  modelsOf,
  parseStrategy,
  specHash,
  strategyKinds,
  type StrategyRegistry,
  type StrategySpec,
} from '../declared/index.js'
import type { PlannedUse } from '../strategy.js'
import { addStats, belief, dominates, drawOf, LEAST_RUNS, meanOf, noStats, type Belief, type ClusterStats } from './experience.js'
import { nearlyAlike } from './likeness.js'

/** A whole strategy with what is known of it. */
export interface LibraryEntry {
  /** `specHash` of the strategy. */
  readonly hash: string
  readonly spec: StrategySpec
  readonly tags: readonly string[]
  /** `seed`: there from the beginning, and kept. `guide`: proposed by a model. `user`: put in by somebody. */
  readonly source: 'seed' | 'guide' | 'user'
  /** By kind of question. */
  readonly stats: ReadonlyMap<string, ClusterStats>
  /** What went wrong with it, newest last; no content of requests. */
  readonly notes: readonly string[]
}

/** What came of a run. */
export interface LibraryOutcome {
  readonly cluster: string
  readonly hash: string
  /** In [0, 1]; absent where nobody has told. */
  readonly quality?: number | undefined
  /** Dollars; absent or `null` where they aren't known. */
  readonly usd?: number | null | undefined
  /** Quality by agreement or a check, not by truth: counts less. */
  readonly weak?: boolean | undefined
  /** How much the quality counts: 1 when absent. */
  readonly weight?: number | undefined
}

export interface Choice {
  readonly entry: LibraryEntry
  readonly belief: Belief
}

/** A choice that was drawn. */
export interface DrawnChoice extends Choice {
  /** Probability with which the entry was chosen, in (0, 1]: exact, given the draws of the posteriors. */
  readonly propensity: number
  /** Whether another entry is the best as far as is known. */
  readonly tried: boolean
}

/** Draws of the posteriors whose winners share the probability of trying. */
const TRIES = 16

/** Entries at the most (109: against bloat). */
export const MOST_ENTRIES = 64
/** Kinds of questions that are told apart at the most; runs of further ones count for the strategy as a whole. */
const MOST_CLUSTERS = 200
const MOST_NOTES = 5
const MOST_TAGS = 10
/** What an outcome counts that was told by agreement or a check. */
const WEAK = 0.3
/** Share of all spending that may go to the guide (109). */
export const GUIDE_SHARE = 0.05

/** The cluster of runs that belong to no other. */
const ELSEWHERE = ''

/**
 * Strategies of one tenant that improve with experience (EGuR, 109). Entries are declared strategies with what they gave and took by kind of question; those
 * that others beat in quality and price everywhere leave, near duplicates become one, and new ones come from a guide (`askGuide`) or a person.
 * Choosing and learning draw nothing but the random numbers that are handed in: the same calls give the same library. At most 64 entries, 200
 * kinds; `choose` and `record` cost O(entries), `consolidate` O(entries² · clusters).
 */
export class StrategyLibrary {
  readonly #entries = new Map<string, LibraryEntry>()
  readonly #clusters = new Set<string>()
  readonly #plans = new Map<string, readonly PlannedUse[]>()
  #spentUsd = 0
  #guideUsd = 0
  #failures = 0

  constructor(private readonly registry: StrategyRegistry = strategyKinds) {}

  /** In the order they came. */
  get entries(): readonly LibraryEntry[] {
    return [...this.#entries.values()]
  }
  /** Dollars of all runs, and of the guide. */
  get spent(): { readonly runs: number; readonly guide: number } {
    return { runs: this.#spentUsd, guide: this.#guideUsd }
  }
  /** Runs found wrong since the guide was asked last. */
  get failures(): number {
    return this.#failures
  }

  /**
   * Puts a strategy in; one that is there already stays as it is. Where the library is full the least useful entry leaves, which may be the new
   * one. Gives the hash. Throws `InvalidRequest` for a spec that is none, or may take more than 64 calls.
   */
  add(value: unknown, about: { readonly tags?: readonly string[]; readonly source?: LibraryEntry['source'] } = {}): string {
    const spec = parseStrategy(value, '', this.registry)
    const hash = specHash(spec)
    if (this.#entries.has(hash)) return hash
    // A strategy that may call too often is refused here, not when it is chosen.
    buildStrategy(spec, this.registry)
    const { tags = [], source = 'user' } = about
    this.#entries.set(hash, { hash, spec, tags: tags.slice(0, MOST_TAGS), source, stats: new Map(), notes: [] })
    while (this.#entries.size > MOST_ENTRIES) this.#entries.delete(this.#leastUseful())
    return hash
  }

  /**
   * Learns what came of a run. An outcome of an entry that has left counts as spending only. Throws `RangeError`, and learns nothing, for numbers that are none.
   */
  record({ cluster, hash, quality, usd, weak = false, weight = 1 }: LibraryOutcome): void {
    if (quality !== undefined && !(quality >= 0 && quality <= 1)) throw new RangeError(`not a quality: ${quality}`)
    if (typeof usd === 'number' && !(usd >= 0 && usd < Infinity)) throw new RangeError(`not an amount of dollars: ${usd}`)
    if (!(weight >= 0 && weight < Infinity)) throw new RangeError(`not a weight: ${weight}`)
    this.#spentUsd += usd ?? 0
    if (quality !== undefined && quality < 0.5 && !weak) this.#failures += Math.min(1, weight)
    const entry = this.#entries.get(hash)
    if (entry === undefined) return
    const known = this.#clusters.has(cluster) || this.#clusters.size < MOST_CLUSTERS
    if (known) this.#clusters.add(cluster)
    const key = known ? cluster : ELSEWHERE
    const counts = quality === undefined ? 0 : weak ? WEAK * weight : weight
    const added: ClusterStats = { n: counts, ok: counts * (quality ?? 0), priced: typeof usd === 'number' ? 1 : 0, usd: usd ?? 0 }
    this.#put({ ...entry, stats: new Map(entry.stats).set(key, addStats(entry.stats.get(key) ?? noStats, added)) })
  }

  /** Notes what went wrong with an entry; the newest five are kept, 200 characters each. */
  note(hash: string, text: string): void {
    const entry = this.#entries.get(hash)
    const said = text.replace(/\s+/g, ' ').trim().slice(0, 200)
    if (entry !== undefined && said !== '' && !entry.notes.includes(said))
      this.#put({ ...entry, notes: [...entry.notes, said].slice(-MOST_NOTES) })
  }

  /**
   * The strategy for a question of a kind, by λ · P(right) − dollars; `lambda`: dollars that a right answer is worth more than a wrong one. With `random` what may be
   * better is tried (Thompson sampling), without it the best as far as is known is taken. A strategy that has not run yet is expected to take its planned
   * calls at what calls of their models took in others, or at what the dearest known took. `undefined` in an empty library.
   */
  choose(cluster: string, lambda: number, random?: Random, among: (entry: LibraryEntry) => boolean = () => true): Choice | undefined {
    if (!(lambda >= 0)) throw new RangeError(`not a price of quality: ${lambda}`)
    const beliefs = this.entries.filter(among).map((entry) => ({ entry, belief: this.beliefOf(entry, cluster) }))
    const callUsd = this.#callPrices()
    let best: (Choice & { readonly value: number; readonly usd: number }) | undefined
    for (const { entry, belief: known } of beliefs) {
      const quality = random === undefined ? meanOf(known) : drawOf(known, random)
      const usd = known.usd ?? callUsd(entry)
      const value = lambda === Infinity ? quality : lambda * quality - usd
      if (best === undefined || value > best.value || (value === best.value && usd < best.usd)) best = { entry, belief: known, value, usd }
    }
    return best && { entry: best.entry, belief: best.belief }
  }

  /**
   * The same with bounded exploration: with probability `share` an entry answers as often as it is likely to be the best (the winners of 16 draws share it),
   * else the best as far as is known. O(16 × entries).
   */
  draw(cluster: string, lambda: number, random: Random, share: number, among?: (entry: LibraryEntry) => boolean): DrawnChoice | undefined {
    if (!(share >= 0 && share <= 1)) throw new RangeError(`not a share: ${share}`)
    const best = this.choose(cluster, lambda, undefined, among)
    if (best === undefined || share === 0) return best && { ...best, propensity: 1, tried: false }
    const tries = Array.from({ length: TRIES }, () => this.choose(cluster, lambda, random, among) ?? best)
    const chosen = random.next() < share ? (tries[Math.floor(random.next() * TRIES)] ?? best) : best
    const votes = tries.filter(({ entry }) => entry.hash === chosen.entry.hash).length
    const tried = chosen.entry.hash !== best.entry.hash
    return { ...chosen, propensity: (share * votes) / TRIES + (tried ? 0 : 1 - share), tried }
  }

  /** Puts in what is there from the beginning; an entry that is there already becomes a seed. */
  addSeeds(specs: readonly StrategySpec[]): void {
    for (const spec of specs) {
      const entry = this.#entries.get(this.add(spec, { source: 'seed' }))
      if (entry !== undefined && entry.source !== 'seed') this.#put({ ...entry, source: 'seed' })
    }
  }

  /** Lets seeds leave as any other entry may: what is to stay is put in again (`addSeeds`). */
  releaseSeeds(): void {
    for (const entry of this.entries) if (entry.source === 'seed') this.#put({ ...entry, source: 'user' })
  }

  /** What is believed of an entry on a kind of question. */
  beliefOf(entry: LibraryEntry, cluster: string): Belief {
    return belief(entry.stats.get(cluster) ?? noStats, totalOf(entry))
  }

  /**
   * Tidies up: near duplicates become one (of the one that was run more, with the experience of both), and entries leave that on every kind of question on which they were
   * tried are dominated there by another (at least as good, at most as dear). Seeds and those not yet tried enough stay.
   */
  consolidate(): { readonly merged: number; readonly evicted: number } {
    let merged = 0
    const byRuns = this.entries.toSorted((a, b) => totalOf(b).n - totalOf(a).n || (a.hash < b.hash ? -1 : 1))
    for (const [index, one] of byRuns.entries())
      for (const other of byRuns.slice(index + 1)) {
        const keeper = this.#entries.get(one.hash)
        if (keeper === undefined || !this.#entries.has(other.hash) || other.source === 'seed' || !nearlyAlike(one.spec, other.spec))
          continue
        const stats = new Map(keeper.stats)
        for (const [cluster, found] of other.stats) stats.set(cluster, addStats(stats.get(cluster) ?? noStats, found))
        this.#put({ ...keeper, stats, notes: [...new Set([...other.notes, ...keeper.notes])].slice(-MOST_NOTES) })
        this.#entries.delete(other.hash)
        merged++
      }
    const leaving = this.entries.filter((entry) => entry.source !== 'seed' && this.#isDominated(entry))
    for (const { hash } of leaving) this.#entries.delete(hash)
    return { merged, evicted: leaving.length }
  }

  /** Whether the guide may be asked for so many dollars: its share of all spending stays at most 5 %. */
  mayGuide(usd: number): boolean {
    return usd >= 0 && this.#guideUsd + usd <= GUIDE_SHARE * (this.#spentUsd + this.#guideUsd + usd)
  }

  /** Counts what the guide took; an unknown price (`null`) as all that it may, so that it isn't asked again before much more was spent. */
  guided(usd: number | null): void {
    if (usd !== null && !(usd >= 0 && usd < Infinity)) throw new RangeError(`not an amount of dollars: ${usd}`)
    this.#guideUsd += usd ?? Math.max(0, GUIDE_SHARE * this.#spentUsd - this.#guideUsd)
    this.#failures = 0
  }

  serialize(): Uint8Array {
    const entries = this.entries.map(({ hash, spec, tags, source, stats, notes }) => ({
      hash,
      spec,
      tags,
      source,
      stats: Object.fromEntries(stats),
      notes,
    }))
    return Buffer.from(
      JSON.stringify({ version: 1, entries, spentUsd: this.#spentUsd, guideUsd: this.#guideUsd, failures: this.#failures }),
    )
  }

  /** Reads what `serialize` wrote. Throws `BursarError` (`invalid_configuration`) for anything else, specs that no longer hold included. */
  static load(bytes: Uint8Array, registry: StrategyRegistry = strategyKinds): StrategyLibrary {
    const library = new StrategyLibrary(registry)
    let json: unknown
    try {
      json = JSON.parse(Buffer.from(bytes).toString('utf8'))
    } catch (cause) {
      throw new BursarError('This is no saved library of strategies.', { code: 'invalid_configuration', status: 500, cause })
    }
    const read = savedForm.safeParse(json)
    if (!read.success)
      throw new BursarError(`This is no saved library of strategies of this version (${read.error.issues[0]?.path.join('.') ?? ''}).`, {
        code: 'invalid_configuration',
        status: 500,
      })
    for (const [index, { hash, spec, stats, ...entry }] of read.data.entries.entries()) {
      const checked = parseStrategy(spec, `entries[${index}].spec`, registry)
      if (specHash(checked) !== hash)
        throw new BursarError(`entries[${index}]: the saved hash is of another strategy.`, { code: 'invalid_configuration', status: 500 })
      buildStrategy(checked, registry)
      library.#entries.set(hash, { ...entry, hash, spec: checked, stats: new Map(Object.entries(stats)) })
      for (const cluster of Object.keys(stats)) library.#clusters.add(cluster)
    }
    library.#spentUsd = read.data.spentUsd
    library.#guideUsd = read.data.guideUsd
    library.#failures = read.data.failures
    return library
  }

  /** Expected dollars of an entry that has not run, by what its models' calls took in entries of one model. 0 where nothing has run. */
  #callPrices(): (entry: LibraryEntry) => number {
    const models = new Map<ModelId, { calls: number; usd: number }>()
    for (const entry of this.entries) {
      const plan = this.planOf(entry)
      const [model] = modelsOf({ plan })
      const { priced, usd } = totalOf(entry)
      if (model === undefined || priced === 0 || plan.some((use) => use.model !== model)) continue
      const before = models.get(model) ?? { calls: 0, usd: 0 }
      models.set(model, { calls: before.calls + priced * plan.reduce((sum, { expected }) => sum + expected, 0), usd: before.usd + usd })
    }
    const priceOf = (model: ModelId) => {
      const known = models.get(model)
      return known === undefined || known.calls === 0 ? undefined : known.usd / known.calls
    }
    const dearest = Math.max(0, ...[...models.keys()].map((model) => priceOf(model) ?? 0))
    return (entry) => this.planOf(entry).reduce((sum, { model, expected }) => sum + expected * (priceOf(model) ?? dearest), 0)
  }

  /** Which models an entry calls how often; remembered while the entry is here. */
  planOf({ hash, spec }: LibraryEntry): readonly PlannedUse[] {
    let plan = this.#plans.get(hash)
    if (plan === undefined) {
      for (const known of this.#plans.keys()) if (!this.#entries.has(known)) this.#plans.delete(known)
      this.#plans.set(hash, (plan = buildStrategy(spec, this.registry).plan))
    }
    return plan
  }

  #put(entry: LibraryEntry): void {
    this.#entries.set(entry.hash, entry)
  }

  #isDominated(entry: LibraryEntry): boolean {
    const tried = [...entry.stats].filter(([, stats]) => stats.n >= LEAST_RUNS)
    return (
      tried.length > 0 &&
      tried.every(([cluster, stats]) =>
        this.entries.some((other) => other.hash !== entry.hash && dominates(other.stats.get(cluster) ?? noStats, stats)),
      )
    )
  }

  /** Never a seed while there is another: first dominated ones, then the worst by quality for a good number of runs, then the last that came. */
  #leastUseful(): string {
    const candidates = this.entries.filter(({ source }) => source !== 'seed')
    const [first, ...rest] = candidates.length > 0 ? candidates : this.entries
    if (first === undefined) throw new RangeError('an empty library')
    const rank = (entry: LibraryEntry) => {
      const { n, ok } = totalOf(entry)
      return this.#isDominated(entry) ? -1 : n < LEAST_RUNS ? 0.5 : ok / n
    }
    return rest.reduce((worst, entry) => (rank(entry) <= rank(worst) ? entry : worst), first).hash
  }
}

/** All runs of an entry. */
export function totalOf({ stats }: Pick<LibraryEntry, 'stats'>): ClusterStats {
  return [...stats.values()].reduce(addStats, noStats)
}

const count = z.number().nonnegative()
const savedForm = z.object({
  version: z.literal(1),
  entries: z
    .array(
      z.object({
        hash: z.string(),
        spec: z.unknown(),
        tags: z.array(z.string()).max(MOST_TAGS),
        source: z.enum(['seed', 'guide', 'user']),
        stats: z.record(z.string(), z.object({ n: count, ok: count, priced: count, usd: count })),
        notes: z.array(z.string()).max(MOST_NOTES),
      }),
    )
    .max(MOST_ENTRIES),
  spentUsd: count,
  guideUsd: count,
  failures: count,
})
