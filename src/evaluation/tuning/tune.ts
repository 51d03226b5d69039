import { InvalidRequest } from '../../errors/index.js'
import { childRandom } from '../../statistics/index.js'
import type { Suite } from '../suite/contract.js'
import { evaluateSuites, type Evaluated, type EvaluateOptions } from '../trials/evaluate.js'
import { summaryOf, type EvaluationSummary } from '../trials/summary.js'
import { aegis } from './aegis.js'
import { readSpace, type Settings } from './space.js'
import { withSettings } from './with-settings.js'

export interface TuneOptions extends Omit<EvaluateOptions, 'search' | 'rule' | 'onCell' | 'onStart'> {
  /** Settings to try. */
  readonly trials: number
  /** λ: score that a dollar an answer costs; what is sought is the greatest mean of score - λ · dollars. */
  readonly lambda: number
  /** q: settings that are tried at the same time; the slots are shared among them. */
  readonly workers: number
  readonly onTrial?: ((trial: TunedTrial) => void) | undefined
  /** Told of every evaluation that ended, with all its answers: those of the trials, and that of the check. */
  readonly onEvaluated?: ((ended: Evaluated) => void) | undefined
}

/** One setting that was tried on the items for tuning. */
export interface TunedTrial {
  readonly settings: Settings
  readonly score: number
  /** Mean dollars of an answer; `null` where a price isn't known. */
  readonly usd: number | null
  readonly value: number
}

export interface Tuned {
  /** The best first. */
  readonly trials: readonly TunedTrial[]
  /** The best against the method as it stands, on items that tuning never saw. */
  readonly check: EvaluationSummary
  readonly tunedOn: number
}

const everything = { kind: 'never', confidence: 0.95, indifference: 0 } as const

/**
 * Tunes the settings of a suite's first method with AEGiS: each trial is the mean over two thirds of the items; what was found is
 * checked against the method as it stands on the last third, since the best of many trials looks better than it is. Ends early when the
 * budget is spent. Throws `InvalidRequest` for fewer than 6 items, or without `settings`.
 */
export async function tune(suite: Suite, options: TuneOptions): Promise<Tuned> {
  const { seed, trials: most, lambda, workers, parallel, stop } = options
  const space = readSpace(suite.settings)
  const [method] = suite.methods
  if (!method) throw new InvalidRequest('There is no method whose settings could be tuned.', { path: 'providers' })
  if (suite.items.length < 6)
    throw new InvalidRequest('Tuning needs 6 items at least: two thirds to tune on, and one to check on.', { path: 'tests' })
  const order = childRandom(seed, 'split')
  const items = suite.items
    .map((item) => ({ item, key: order.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
  const cut = Math.ceil((2 * items.length) / 3)
  const optimiser = aegis({ dimensions: space.dimensions, workers, random: childRandom(seed, 'tuning') })
  const shared = { ...options, search: 'uniform' as const, rule: everything, parallel: Math.max(1, Math.floor(parallel / workers)) }
  const found: TunedTrial[] = []
  let begun = 0
  let spent = false
  const work = async () => {
    while (begun < most && !spent && !stop.aborted) {
      begun += 1
      const point = optimiser.ask()
      const settings = space.at(point)
      const [end] = await evaluateSuites(
        [{ ...suite, name: `${suite.name} (tuning)`, methods: [withSettings(method, settings)], items: items.slice(0, cut) }],
        shared,
      )
      if (end) options.onEvaluated?.(end)
      if (!end || end.stop !== 'exhausted') {
        spent = true
        return
      }
      const { score, usd } = end.score.methodScore(0)
      const trial: TunedTrial = { settings, score: score.value, usd, value: score.value - lambda * (usd ?? 0) }
      optimiser.tell(point, -trial.value)
      found.push(trial)
      options.onTrial?.(trial)
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  found.sort((a, b) => b.value - a.value)
  const [best] = found
  if (!best)
    throw new InvalidRequest('The budget was spent before one setting was tried. Raise it, or use fewer items with --limit.', {
      path: 'max-usd',
    })
  const [check] = await evaluateSuites(
    [
      {
        ...suite,
        name: `${suite.name} (checked on unseen items)`,
        methods: [method, withSettings(method, best.settings)],
        items: items.slice(cut),
      },
    ],
    { ...shared, parallel },
  )
  if (!check) throw new RangeError('nothing was evaluated')
  options.onEvaluated?.(check)
  return { trials: found, check: summaryOf(check, everything), tunedOn: cut }
}
