import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { childRandom, normalQuantile, type Random } from '../../statistics/index.js'
import type { Features } from '../../understanding/index.js'
import { answerForm, gateInput, gateInputSize, type InstantSignals } from './gate-inputs.js'
import { SparseRegression, type SparseInput } from './sparse-regression.js'

export type ThinkMode = 'instant' | 'reasoned'
const modes: readonly ThinkMode[] = ['instant', 'reasoned']

export interface ThinkGateSettings {
  /** Of the models behind both modes: what was learned of another version is forgotten (paper 169, drift after an upgrade). */
  readonly version?: string | undefined
  /**
   * The adaptive penalty of paper 116 (APO): where instant answers succeed with p ≥ τ, the gain of thinking counts 1 − p^α times. Off when absent:
   * it saves more and loses more than choosing by gain per token alone (`npm run bench:thinking`).
   */
  readonly penalty?: { readonly threshold: number; readonly exponent: number } | undefined
  /**
   * Where instant answers are surely (one-sided, 95 %, 30 answers of each) worse than thinking by more than this, in a category, it always thinks
   * (paper 169's floor). No floor when absent.
   */
  readonly mostLoss?: number | undefined
  /** ρ: how often the other mode is tried, to learn. 0.03 when absent; at most 0.2. */
  readonly exploration?: number | undefined
}

/** What is expected of both modes. */
export interface ThinkEstimate {
  readonly instant: ModeEstimate
  readonly reasoned: ModeEstimate
}
export interface ModeEstimate {
  /** Probability of a right answer. */
  readonly quality: number
  /** `null` before any answer of the mode was seen. */
  readonly outputTokens: number | null
}

export interface ThinkDecision {
  readonly mode: ThinkMode
  /** Probability with which this mode was chosen, in (0, 1]. */
  readonly propensity: number
  /** Expected quality that thinking adds, less what its tokens are worth; it thinks where this is above 0. */
  readonly netGain: number
  readonly estimate: ThinkEstimate
  /** One plain clause. */
  readonly reason: string
}

export interface ThinkChoice {
  /** κ: quality (1 is a right answer instead of a wrong one) that an output token is worth: dollars a token over λ. */
  readonly qualityPerToken: number
  /** An instant answer that is already there, and paid. */
  readonly answered?: InstantSignals | undefined
  /** Absent: it never explores. */
  readonly random?: Random | undefined
}

export interface ThinkObservation {
  readonly features: Features
  readonly mode: ThinkMode
  /** In [0, 1]. */
  readonly quality: number
  readonly outputTokens?: number | undefined
  /** Of the instant answer: the one that is observed, or the one after which it was thought. */
  readonly signals?: InstantSignals | undefined
  /** 1, or one over the propensity with which the mode was chosen, clipped. */
  readonly weight?: number | undefined
}

/**
 * Whether thinking first is worth its tokens (papers 169, 116). Both modes' success is a Beta posterior of the category (drawn to that of all,
 * and before any outcome to what plain facts of the request suggest), corrected by a logistic regression on the request's text and facts;
 * after an instant answer, also on the form of that answer. Length is learned alike, so long thoughts need a larger gain. O(words) a decision.
 */
export interface ThinkGate {
  estimate(features: Features, answered?: InstantSignals): ThinkEstimate
  /** Throws `RangeError` for a price that isn't a number of at least 0. */
  decide(features: Features, choice: ThinkChoice): ThinkDecision
  /** Learns from one outcome. Throws `RangeError` for numbers that aren't finite or are out of range, and learns nothing from them. */
  observe(observation: ThinkObservation): void
  /** Learns from many at once, passing over them several times in an order of the seed. As `observe` otherwise. */
  train(observations: readonly ThinkObservation[], seed: number): void
  serialize(): Uint8Array
}

interface Tally {
  n: number
  successes: number
  /** Answers whose length is known, and the sum of its logarithm and of itself. */
  lengths: number
  logTokens: number
  tokens: number
}

/** Categories and answer forms that are counted, those used last. */
const mostTallies = 4_000
/** Answers that the more general belief counts for. */
const shrinkage = 4
/** Answers after which the past of a tally begins to fade. */
const memory = 2_000
/** Of `Regressions`. */
const regressionCount = 5
const passes = 6
const mostWeight = 20

export function createThinkGate(settings: ThinkGateSettings = {}): ThinkGate {
  return new LearnedGate(checked(settings), new Map(), regressions())
}

const tally = z.object({ n: z.number(), successes: z.number(), lengths: z.number(), logTokens: z.number(), tokens: z.number() })
const stored = z.object({
  format: z.literal(1),
  version: z.string().nullable(),
  tallies: z.array(z.tuple([z.string(), tally])).max(mostTallies),
})

/** What `serialize` wrote; a gate that knows nothing where the models' version is another. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function loadThinkGate(bytes: Uint8Array, settings: ThinkGateSettings = {}): ThinkGate {
  const broken = () =>
    new BursarError('The think gate’s state can’t be read; remove the file to begin anew.', { code: 'invalid_configuration', status: 500 })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const start = bytes.byteLength < 4 ? Infinity : 4 + view.getUint32(0, true)
  const size = 2 * gateInputSize
  if (bytes.byteLength !== start + regressionCount * size * 4) throw broken()
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes.subarray(4, start)))
  } catch {
    throw broken()
  }
  const read = stored.safeParse(json)
  if (!read.success) throw broken()
  if (read.data.version !== (settings.version ?? null)) return createThinkGate(settings)
  const floats = Float32Array.from({ length: regressionCount * size }, (_, index) => view.getFloat32(start + 4 * index, true))
  if (!floats.every(Number.isFinite)) throw broken()
  const part = (index: number): Float32Array => floats.subarray(index * size, (index + 1) * size)
  return new LearnedGate(checked(settings), new Map(read.data.tallies), {
    instant: SparseRegression.of('logistic', part(0)),
    reasoned: SparseRegression.of('logistic', part(1)),
    answered: SparseRegression.of('logistic', part(2)),
    after: SparseRegression.of('logistic', part(3)),
    length: SparseRegression.of('identity', part(4)),
  })
}

interface Regressions {
  readonly instant: SparseRegression
  readonly reasoned: SparseRegression
  /** Of an instant answer that is there. */
  readonly answered: SparseRegression
  /** Of thinking after an instant answer that is there: what is hard for one is often hard for the other. */
  readonly after: SparseRegression
  /** Of reasoned answers, in logarithms. */
  readonly length: SparseRegression
}

function regressions(): Regressions {
  const logistic = () => SparseRegression.create('logistic', gateInputSize)
  return {
    instant: logistic(),
    reasoned: logistic(),
    answered: logistic(),
    after: logistic(),
    length: SparseRegression.create('identity', gateInputSize),
  }
}

function checked(settings: ThinkGateSettings): ThinkGateSettings {
  const { penalty, mostLoss, exploration = 0 } = settings
  if (!(exploration >= 0 && exploration <= 0.2)) throw new RangeError('exploration lies in [0, 0.2]')
  if (mostLoss !== undefined && !(mostLoss >= 0 && mostLoss <= 1)) throw new RangeError('mostLoss lies in [0, 1]')
  if (penalty !== undefined && !(penalty.threshold >= 0 && penalty.threshold <= 1 && penalty.exponent > 0))
    throw new RangeError('a penalty has a threshold in [0, 1] and an exponent above 0')
  return settings
}

class LearnedGate implements ThinkGate {
  constructor(
    private readonly settings: ThinkGateSettings,
    private readonly tallies: Map<string, Tally>,
    private readonly models: Regressions,
  ) {}

  estimate(features: Features, answered?: InstantSignals): ThinkEstimate {
    const before = gateInput(features)
    const given = answered === undefined ? undefined : gateInput(features, answered)
    const { models } = this
    const [instant, reasoned] =
      given === undefined
        ? [
            models.instant.predict(before, this.offset('instant', features)),
            models.reasoned.predict(before, this.offset('reasoned', features)),
          ]
        : [
            models.answered.predict(given, this.offset('instant', features, answered)),
            models.after.predict(given, this.offset('reasoned', features, answered)),
          ]
    const length = this.typicalLength('reasoned', features)
    // A residual of a few words is no reason to expect ten times the tokens.
    const factor = Math.exp(Math.max(-1.5, Math.min(1.5, this.models.length.predict(before, 0))))
    return {
      instant: { quality: instant, outputTokens: this.typicalLength('instant', features)?.mean ?? null },
      reasoned: { quality: reasoned, outputTokens: length === undefined ? null : length.geometric * factor * length.spread },
    }
  }

  decide(features: Features, { qualityPerToken, answered, random }: ThinkChoice): ThinkDecision {
    if (!(qualityPerToken >= 0 && Number.isFinite(qualityPerToken))) throw new RangeError('qualityPerToken is a number of at least 0')
    const estimate = this.estimate(features, answered)
    const { instant, reasoned } = estimate
    // An answer that is there costs nothing more.
    const saved = answered === undefined ? (instant.outputTokens ?? 0) : 0
    const gain = (reasoned.quality - instant.quality) * this.adaptive(instant.quality)
    const netGain = gain - qualityPerToken * Math.max(0, (reasoned.outputTokens ?? 0) - saved)
    const floored = this.instantLosesTooMuch(features)
    const best: ThinkMode = floored || netGain > 0 ? 'reasoned' : 'instant'
    const share = this.settings.exploration ?? 0.03
    // An instant answer that is there is no experiment any more.
    const explores = random !== undefined && answered === undefined && !floored && share > 0
    const other = explores && random.next() < share
    const mode = other ? (best === 'reasoned' ? 'instant' : 'reasoned') : best
    const propensity = explores ? (other ? share : 1 - share) : 1
    const points = Math.round(100 * (reasoned.quality - instant.quality))
    const why = other
      ? 'tried in order to learn'
      : floored
        ? 'instant answers lose too much in this category'
        : `thinking is expected to add ${points} points`
    return { mode, propensity, netGain, estimate, reason: why }
  }

  observe(observation: ThinkObservation): void {
    valid(observation)
    this.step(observation, inputsOf(observation), 0)
    this.count(observation)
  }

  train(observations: readonly ThinkObservation[], seed: number): void {
    for (const observation of observations) valid(observation)
    for (const observation of observations) this.count(observation)
    const random = childRandom(seed, 'think gate')
    const inputs = observations.map(inputsOf)
    const order = observations.map((_, index) => index)
    for (let pass = 0; pass < passes; pass++) {
      for (let last = order.length - 1; last > 0; last--) {
        const other = Math.floor(random.next() * (last + 1))
        ;[order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0]
      }
      for (const index of order) {
        const [observation, input] = [observations[index], inputs[index]]
        if (observation !== undefined && input !== undefined) this.step(observation, input, 1)
      }
    }
  }

  serialize(): Uint8Array {
    const head = new TextEncoder().encode(JSON.stringify({ format: 1, version: this.settings.version ?? null, tallies: [...this.tallies] }))
    const { instant, reasoned, answered, after, length } = this.models
    const floats = [instant, reasoned, answered, after, length].map((model) => model.state())
    const bytes = new Uint8Array(4 + head.byteLength + 4 * floats.reduce((sum, part) => sum + part.length, 0))
    const view = new DataView(bytes.buffer)
    view.setUint32(0, head.byteLength, true)
    bytes.set(head, 4)
    let at = 4 + head.byteLength
    for (const part of floats) for (const value of part) view.setFloat32((at += 4) - 4, value, true)
    return bytes
  }

  /** A step of the regressions. `counted`: 1 when the tallies hold this row already; it is taken out, so that it doesn't foretell itself. */
  private step(
    { features, mode, quality, outputTokens, signals, weight = 1 }: ThinkObservation,
    { before, given }: Inputs,
    counted: 0 | 1,
  ): void {
    const own = { quality, weight: counted * Math.min(weight, mostWeight) }
    const capped = Math.min(weight, mostWeight)
    this.models[mode].learn(before, this.offset(mode, features, undefined, own), quality, capped)
    if (given !== undefined)
      this.models[mode === 'instant' ? 'answered' : 'after'].learn(given, this.offset(mode, features, signals, own), quality, capped)
    if (mode === 'reasoned' && outputTokens !== undefined) this.learnLength(before, features, outputTokens)
  }

  private learnLength(input: SparseInput, features: Features, outputTokens: number): void {
    const typical = this.typicalLength('reasoned', features)
    if (typical !== undefined) this.models.length.learn(input, 0, Math.log(Math.max(1, outputTokens) / Math.max(1, typical.geometric)))
  }

  private count({ features, mode, quality, outputTokens, signals, weight = 1 }: ThinkObservation): void {
    const capped = Math.min(weight, mostWeight)
    for (const key of keysOf(mode, features, signals)) {
      const one = this.tallies.get(key) ?? { n: 0, successes: 0, lengths: 0, logTokens: 0, tokens: 0 }
      // Put at the end, so that the first one is the one not used for longest.
      this.tallies.delete(key)
      const [oldest] = this.tallies.size >= mostTallies ? this.tallies.keys() : []
      if (oldest !== undefined) this.tallies.delete(oldest)
      const kept = one.n > memory ? 1 - 1 / memory : 1
      const length = outputTokens === undefined ? undefined : Math.max(1, outputTokens)
      this.tallies.set(key, {
        n: one.n * kept + capped,
        successes: one.successes * kept + capped * quality,
        lengths: one.lengths * kept + (length === undefined ? 0 : 1),
        logTokens: one.logTokens * kept + (length === undefined ? 0 : Math.log(length)),
        tokens: one.tokens * kept + (length ?? 0),
      })
    }
  }

  /** Log-odds of success by the posteriors alone, from the most general to the most special; `own` is left out. */
  private offset(
    mode: ThinkMode,
    features: Features,
    signals?: InstantSignals,
    own: { readonly quality: number; readonly weight: number } = { quality: 0, weight: 0 },
  ): number {
    let mean = coldStart(mode, features)
    for (const key of keysOf(mode, features, signals)) {
      const known = this.tallies.get(key)
      if (known === undefined) continue
      const n = Math.max(0, known.n - own.weight)
      const successes = Math.max(0, Math.min(n, known.successes - own.weight * own.quality))
      mean = (successes + shrinkage * mean) / (n + shrinkage)
    }
    const inside = Math.max(0.005, Math.min(0.995, mean))
    return Math.log(inside / (1 - inside))
  }

  private typicalLength(
    mode: ThinkMode,
    features: Features,
  ): { readonly geometric: number; readonly mean: number; readonly spread: number } | undefined {
    let found: { geometric: number; mean: number; spread: number } | undefined
    for (const key of keysOf(mode, features)) {
      const known = this.tallies.get(key)
      if (known === undefined || known.lengths <= 0) continue
      const share = found === undefined ? 1 : known.lengths / (known.lengths + shrinkage)
      const [geometric, mean] = [Math.exp(known.logTokens / known.lengths), known.tokens / known.lengths]
      found =
        found === undefined
          ? { geometric, mean, spread: 1 }
          : {
              geometric: found.geometric + (geometric - found.geometric) * share,
              mean: found.mean + (mean - found.mean) * share,
              spread: 1,
            }
    }
    return found === undefined ? undefined : { ...found, spread: found.mean / found.geometric }
  }

  private adaptive(instant: number): number {
    const { penalty } = this.settings
    return penalty !== undefined && instant >= penalty.threshold ? 1 - instant ** penalty.exponent : 1
  }

  /** One-sided test of two rates in the category, by the normal approximation with a pseudo-answer each way. */
  private instantLosesTooMuch(features: Features): boolean {
    const { mostLoss } = this.settings
    if (mostLoss === undefined) return false
    const [instant, reasoned] = modes.map((mode) => this.tallies.get(keysOf(mode, features)[1] ?? ''))
    if (instant === undefined || reasoned === undefined || instant.n < 30 || reasoned.n < 30) return false
    const rates = [instant, reasoned].map(({ n, successes }) => ({ rate: (successes + 1) / (n + 2), n: n + 2 }))
    const [a, b] = rates
    if (a === undefined || b === undefined) return false
    const deviation = Math.sqrt((a.rate * (1 - a.rate)) / a.n + (b.rate * (1 - b.rate)) / b.n)
    return b.rate - a.rate - normalQuantile(0.95) * deviation > mostLoss
  }
}

/** A row as the regressions take it: without and with the instant answer. */
interface Inputs {
  readonly before: SparseInput
  readonly given: SparseInput | undefined
}

function inputsOf({ features, signals }: ThinkObservation): Inputs {
  return { before: gateInput(features), given: signals === undefined ? undefined : gateInput(features, signals) }
}

/** From the most general to the most special: all requests, the category, an answer of this form in the category. */
function keysOf(mode: ThinkMode, { category }: Features, signals?: InstantSignals): readonly string[] {
  const group = `${mode} ${category?.name ?? ''}`
  return signals === undefined ? [mode, group] : [mode, group, `${group} says ${answerForm(signals.text)}`]
}

/** What plain facts suggest before any outcome (paper 116's rules): thinking helps with sums and steps, and more so the harder a question seems. */
function coldStart(mode: ThinkMode, { traits, difficulty }: Features): number {
  const instant = 0.9 - 0.4 * difficulty.value - (traits.stepCues > 0 ? 0.15 : 0) - (traits.numeric > 0.1 ? 0.15 : 0)
  if (mode === 'instant') return Math.max(0.1, instant)
  const helps = traits.stepCues > 0 || traits.numeric > 0.1 || traits.code || difficulty.level >= 4
  return Math.max(0.1, instant) + (1 - Math.max(0.1, instant)) * (helps ? 0.5 : 0.1)
}

function valid({ quality, outputTokens = 0, weight = 1 }: ThinkObservation): void {
  if (!(quality >= 0 && quality <= 1)) throw new RangeError(`quality lies in [0, 1], not ${quality}`)
  if (!(outputTokens >= 0 && Number.isFinite(outputTokens)))
    throw new RangeError(`outputTokens is a number of at least 0, not ${outputTokens}`)
  if (!(weight > 0 && Number.isFinite(weight))) throw new RangeError(`weight is a number above 0, not ${weight}`)
}
