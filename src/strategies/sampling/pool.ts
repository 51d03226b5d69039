import { BudgetExceeded, BursarError } from '../../errors/index.js'
import { UpstreamFailure, type Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import { toDollars } from '../../quantities/index.js'
import { Agreement, stopsAt, type AnswerHint, type AnswerShapes, type StopRule } from '../agreement/index.js'
import type { Tally } from '../calls.js'
import type { PoolLesson } from '../lessons.js'
import { drawSample, type Sample, type Sampler } from './sampler.js'

export interface PoolSettings {
  /** Drawn in turn. */
  readonly samplers: readonly [Sampler, ...Sampler[]]
  readonly most: number
  readonly stop: StopRule
  /** Samples under way at the same time. */
  readonly together: number
  readonly hint?: AnswerHint | undefined
  readonly shapes?: { readonly known: AnswerShapes; readonly category?: string | undefined } | undefined
  /** Of step names, such as `sample`. */
  readonly name: string
  /** Asked after each round of samples: true stops as the rule does. */
  readonly enough?: ((agreement: Agreement) => boolean) | undefined
}

export interface Pool {
  readonly agreement: Agreement
  readonly samples: readonly Sample[]
  /** A plain clause. */
  readonly why: string
  /** The pool after each round of samples. */
  readonly rounds: PoolLesson['rounds']
}

/** Rounds of a pool that are kept to learn from at most. */
const MOST_ROUNDS = 40

/** What an outcome of the answer can teach by a pool. */
export function poolLesson(
  arm: string,
  { samples, rounds }: Pick<Pool, 'samples' | 'rounds'>,
  { category, hint }: { readonly category: string | undefined; readonly hint: AnswerHint | undefined },
): PoolLesson {
  const answers = new Map<string, number>()
  for (const { key } of samples) if (key !== null) answers.set(key, (answers.get(key) ?? 0) + 1)
  return { kind: 'pool', arm, category, hint, rounds, samples: samples.length, answers }
}

/**
 * Draws samples until a rule says stop, the most is reached, or the budget has room for no more than one call. A sample that fails is left out; when all
 * do, the first failure is thrown, and so are a budget without room for any sample, and the abort signal's reason. Every sample is counted in `tally`.
 * The samples under way at once are at most `together`, and none is begun once the rule says stop.
 */
export async function drawPool(settings: PoolSettings, request: Request, env: Environment, tally: Tally, firstIndex = 0): Promise<Pool> {
  const { samplers, most, stop, hint, shapes } = settings
  const agreement = new Agreement()
  const samples: Sample[] = []
  const recent: (string | null)[] = []
  const rounds: PoolLesson['rounds'][number][] = []
  let failure: Error | undefined
  let begun = 0
  let why: string | undefined
  while (why === undefined) {
    if (samples.length > 0 && env.budget.regime() === 'last_call') why = 'the budget holds about one more call'
    if (begun >= most) why ??= 'as many samples as allowed'
    if (why !== undefined) break
    const round = Math.min(settings.together, most - begun, env.budget.regime() === 'ample' ? settings.together : 1)
    const drawn = await Promise.allSettled(
      Array.from({ length: round }, (_, index) =>
        drawSample(samplers[(begun + index) % samplers.length] ?? samplers[0], request, env, firstIndex + begun + index, hint),
      ),
    )
    begun += round
    env.signal.throwIfAborted()
    for (const one of drawn) {
      if (one.status === 'rejected') {
        if (!mayGoOn(one.reason)) throw one.reason as Error
        failure ??= one.reason as Error
        if (one.reason instanceof BudgetExceeded) why = 'the budget has no room for another sample'
        continue
      }
      const { key, sampler, answer } = one.value
      samples.push(one.value)
      recent.push(key)
      agreement.add(key, sampler.weight * (key === null || shapes === undefined ? 1 : shapes.known.weight(key, shapes.category)))
      tally.addAnswer(
        `${settings.name} ${firstIndex + samples.length}`,
        answer,
        key === null ? 'its answer can’t be compared' : key === agreement.winner ? 'says what most say' : 'says something else',
      )
    }
    if (samples.length === 0) continue
    if (rounds.length < MOST_ROUNDS) rounds.push({ top: agreement.top, total: agreement.total, winner: agreement.winner })
    const enough = settings.enough?.(agreement) === true
    why ??= enough
      ? 'more samples would not change what follows'
      : (stopsAt(stop, agreement, { recent, price: priceOf(samples), left: most - begun }) ?? undefined)
  }
  if (samples.length === 0) throw failure ?? new BursarError('No sample was drawn.', { code: 'internal_error', status: 500 })
  return { agreement, samples, why, rounds }
}

/** Whether others may be drawn after such a failure. */
export function mayGoOn(thrown: unknown): boolean {
  return (
    thrown instanceof UpstreamFailure ||
    thrown instanceof BudgetExceeded ||
    (BursarError.is(thrown) && (thrown.code === 'model_not_found' || thrown.code === 'no_deployment_available'))
  )
}

/** Dollars that samples took on average; `null` where one's aren't known. */
export function priceOf(samples: readonly Sample[]): number | null {
  let total = 0
  for (const { answer } of samples) {
    if (answer.cost.usd === null) return null
    total += toDollars(answer.cost.usd)
  }
  return total / samples.length
}

/** The first sample that gave an answer: a real completion stands for the vote. The first of all where none gave it. */
export function speakerFor(winner: string | null, samples: readonly Sample[]): Sample | undefined {
  return samples.find(({ key }) => key !== null && key === winner) ?? samples[0]
}
