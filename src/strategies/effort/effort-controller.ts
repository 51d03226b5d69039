import { BursarError, InvalidRequest } from '../../errors/index.js'
import { efforts, thinkingBudgets, type Effort } from '../../protocol/index.js'
import { curveAt, type MonotoneCurve } from '../../statistics/index.js'
import type { StyleId } from '../styles/style-library.js'
import { createEffortCurves, loadEffortCurves, type EffortCurves, type EffortRow } from './effort-curves.js'
import { createOutputLengths, loadOutputLengths, type LengthFeatures, type OutputLengths } from './output-lengths.js'

/** What effort is resolved for. */
export interface EffortTarget {
  /** Whose lengths are learned: an arm's id, or a model's. */
  readonly arm: string
  /** The provider's own parameter: `effort` by name, `budget` of reasoning tokens, or `none`: then the prompt says it. */
  readonly takes: 'none' | 'effort' | 'budget'
  /** Names that the model knows, where it takes efforts. `low`, `medium` and `high` when absent. */
  readonly efforts?: readonly Effort[] | undefined
}

/** What an effort is in tokens for one request. */
export interface ResolvedEffort {
  /** The relative effort r that was asked for. */
  readonly effort: number
  /** Soft budget over T̂(x): r itself for a model that keeps to it, less for one that overshoots. */
  readonly asked: number
  /** Tokens that the model is told, or may reason for; `null` where nothing is asked for, or T̂(x) isn't known yet. */
  readonly softTokens: number | null
  /** Twice the soft tokens. */
  readonly hardTokens: number | null
  readonly providerEffort: Effort | undefined
  readonly style: StyleId | undefined
  /** n = 1 + round(4·max(0, r − 0.8)/0.2): samples worth drawing at this effort. */
  readonly samples: number
}

/** What came of an answer at some effort. */
export interface EffortObservation {
  readonly resolved: ResolvedEffort
  /** Output tokens, reasoning included. */
  readonly outputTokens: number
  /** In [0, 1]. */
  readonly quality?: number | undefined
}

/**
 * Relative effort r ∈ (0, 1] (paper 077): the only place where effort becomes tokens. Effort is stored; tokens are worked out for each
 * request as r·T̂(x), through the inverse of what became of such asking before, so that r is linear in the tokens really used.
 */
export interface EffortController {
  /** Throws `InvalidRequest` (path `effort`) for an effort outside (0, 1]. O(1). */
  resolve(effort: number, features: LengthFeatures, target: EffortTarget): ResolvedEffort
  /** Throws `RangeError` for tokens or qualities that aren't numbers, and learns nothing from them. O(1). */
  observe(features: LengthFeatures, target: EffortTarget, observation: EffortObservation): void
  /** T̂(x); `undefined` before anything was learned of the arm. */
  expectedTokens(features: LengthFeatures, target: EffortTarget): number | undefined
  /** What is known of asked and realised effort. */
  table(features: LengthFeatures, target: EffortTarget): readonly EffortRow[]
  /** How many times the tokens asked for an arm writes. */
  overshoot(features: LengthFeatures, target: EffortTarget): number
  serialize(): Uint8Array
}

/** Answers of an arm at full effort before its tokens are known well enough to ask for a share of them. */
const answersNeeded = 5
/** No less is asked for: an answer needs room for itself. */
const leastSoftTokens = 16
/** A model that stays below what it is told is told more, up to so many times T̂(x). */
const mostAsked = 1.25
/** Below this effort a terse style is worth more than a number (paper 077). */
const terseBelow = 0.4
/** Half-way between the table's ratio of an effort's tokens and the learned one at so many answers. */
const shrinkage = 5

export function createEffortController(): EffortController {
  return controller(createOutputLengths(), createEffortCurves())
}

/** What `serialize` wrote. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function loadEffortController(bytes: Uint8Array): EffortController {
  const length = bytes.byteLength >= 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : Infinity
  if (length > bytes.byteLength - 4)
    throw new BursarError('The effort controller’s state is cut off; remove the file to begin anew.', {
      code: 'invalid_configuration',
      status: 500,
    })
  return controller(loadOutputLengths(bytes.subarray(4, 4 + length)), loadEffortCurves(bytes.subarray(4 + length)))
}

function controller(lengths: OutputLengths, curves: EffortCurves): EffortController {
  const expectedTokens = (features: LengthFeatures, { arm }: EffortTarget): number | undefined => {
    const known = lengths.answers(arm) < answersNeeded ? undefined : lengths.expected(arm, features)
    return known === undefined ? undefined : Math.max(1, known.mean)
  }
  return {
    expectedTokens,
    resolve(effort, features, target) {
      if (!(effort > 0 && effort <= 1))
        throw new InvalidRequest(`effort is a number above 0 and at most 1, not ${effort}.`, { path: 'effort' })
      const samples = 1 + Math.round((4 * Math.max(0, effort - 0.8)) / 0.2)
      const style = target.takes === 'none' && effort < terseBelow ? 'chain_of_draft' : undefined
      if (target.takes === 'effort')
        return {
          effort,
          asked: 1,
          softTokens: null,
          hardTokens: null,
          providerEffort: namedEffort(effort, features, target, lengths),
          style,
          samples,
        }
      const typical = expectedTokens(features, target)
      const free = effort === 1 || typical === undefined
      const asked = free ? 1 : Math.min(mostAsked, askedFor(effort, curves.curve(target.arm, categoryOf(features))))
      const softTokens = free ? null : Math.max(leastSoftTokens, Math.round(asked * typical))
      return {
        effort,
        asked,
        softTokens,
        hardTokens: softTokens === null ? null : 2 * softTokens,
        providerEffort: undefined,
        style,
        samples,
      }
    },
    observe(features, target, { resolved, outputTokens, quality }) {
      if (!Number.isFinite(outputTokens) || outputTokens < 0)
        throw new RangeError(`an answer has 0 or more output tokens, not ${outputTokens}`)
      if (resolved.providerEffort !== undefined) {
        lengths.observe(effortArm(target.arm, resolved.providerEffort), features, outputTokens)
        return
      }
      if (resolved.style === undefined && resolved.softTokens === null) lengths.observe(target.arm, features, outputTokens)
      const typical = expectedTokens(features, target)
      if (typical !== undefined && resolved.softTokens !== null)
        curves.observe(target.arm, categoryOf(features), {
          asked: resolved.softTokens / typical,
          realised: outputTokens / typical,
          quality,
        })
    },
    table: (features, { arm }) => curves.table(arm, categoryOf(features)),
    overshoot: (features, { arm }) => curves.overshoot(arm, categoryOf(features)),
    serialize() {
      const [first, second] = [lengths.serialize(), curves.serialize()]
      const bytes = new Uint8Array(4 + first.byteLength + second.byteLength)
      new DataView(bytes.buffer).setUint32(0, first.byteLength, true)
      bytes.set(first, 4)
      bytes.set(second, 4 + first.byteLength)
      return bytes
    },
  }
}

/** The asked ratio at which a curve reaches the wanted one; an outer one where it never does. Its knots rise strictly, so it can be turned round. */
function askedFor(wanted: number, { x, y }: MonotoneCurve): number {
  return curveAt({ x: y, y: x }, wanted)
}

function categoryOf({ category }: LengthFeatures): string {
  return category?.name ?? ''
}

function effortArm(arm: string, effort: Effort): string {
  return `${arm} effort ${effort}`
}

/**
 * The effort whose tokens come nearest to r of the highest's. Tokens by name begin at the table by which efforts become budgets, and are drawn
 * to what was learned; a higher name is never believed to take less.
 */
function namedEffort(
  wanted: number,
  features: LengthFeatures,
  { arm, efforts: known = ['low', 'medium', 'high'] }: EffortTarget,
  lengths: OutputLengths,
): Effort | undefined {
  const names = efforts.filter((name) => known.includes(name))
  const learned = names.map((name) => lengths.expected(effortArm(arm, name), features))
  const table = names.map((name) => (name === 'none' ? 0 : thinkingBudgets[name]))
  // Tokens per token of the table, where there are any: so that names that were tried say something of those that were not.
  const [seen, budgeted] = learned.reduce(
    ([tokens, budgets], one, index) => (one === undefined ? [tokens, budgets] : [tokens + one.mean, budgets + (table[index] ?? 0)]),
    [0, 0],
  )
  const scale = seen > 0 && budgeted > 0 ? seen / budgeted : 1
  let least = 0
  const tokens = names.map((_, index) => {
    const prior = (table[index] ?? 0) * scale
    const own = learned[index]
    const share = own === undefined ? 0 : own.support / (own.support + shrinkage)
    return (least = Math.max(least, prior + ((own?.mean ?? prior) - prior) * share))
  })
  const target = wanted * (tokens.at(-1) ?? 0)
  let best: Effort | undefined
  let distance = Infinity
  for (const [index, name] of names.entries()) {
    const away = Math.abs((tokens[index] ?? 0) - target)
    if (away < distance) [best, distance] = [name, away]
  }
  return best
}
