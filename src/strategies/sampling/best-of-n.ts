import { BudgetExceeded } from '../../errors/index.js'
import { UpstreamFailure, type CallOptions, type Environment, type ModelId } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { Agreement } from '../agreement/index.js'
import { handOut, Tally } from '../calls.js'
import type { Answer, PlannedUse, Strategy } from '../strategy.js'
import type { Score, Scorer } from '../verification/index.js'
import { drawPool, poolLesson, priceOf, speakerFor } from './pool.js'
import { numberIn, plannedDraws, wholeNumber, type Sample, type SamplerSettings } from './sampler.js'
import { saturationSource, valueOfSample, type SamplingProfile } from './saturation.js'
import { categoryOf, samplersOf, type VoteSettings } from './self-consistency.js'

export interface BestOfNSettings extends Pick<VoteSettings, 'hint' | 'category'> {
  readonly model?: ModelId | undefined
  readonly samplers?: readonly SamplerSettings[] | undefined
  readonly n: number
  readonly scorer: Scorer
  /**
   * `weighted` (when absent): scores are added up over equal answers and the largest sum wins (097), so that one sample that fools the
   * scorer doesn't. `best`: the best single sample.
   */
  readonly choose?: 'weighted' | 'best' | undefined
  /** A score from which no further sample is drawn; absent: all n are. */
  readonly enough?: number | undefined
  /** Draws one after the other, each only while it is worth its price (002, `valueOfSample`), up to n. Needs a scorer whose 1 means right. */
  readonly worth?:
    | {
        /** A function where it is learned meanwhile; all are drawn while nothing is known. */ readonly profile:
          SamplingProfile | ((source: string) => SamplingProfile | undefined)
        readonly lambda: number
        /** Dollars of a sample; what samples took so far when absent. */ readonly price?: number | undefined
      }
    | undefined
  readonly together?: number | undefined
}

/**
 * Best of n samples by a scorer. A sample that the scorer can't tell of counts as the mean of the others; where it can tell of none, the vote
 * decides. What goes out is the best-scored sample of the winning answer. Throws `InvalidRequest` for settings out of range.
 */
export function bestOfN(settings: BestOfNSettings): Strategy {
  const { scorer, choose = 'weighted' } = settings
  const samplers = samplersOf(settings.samplers ?? (settings.model === undefined ? [] : [{ model: settings.model }]))
  const n = wholeNumber(settings.n, 1, 64, 'n')
  const { worth } = settings
  if (worth !== undefined) numberIn(worth.lambda, 0, 1e9, 'worth.lambda')
  const enough = settings.enough === undefined ? (worth === undefined ? undefined : 1) : numberIn(settings.enough, 0, 1, 'enough')
  const together = enough === undefined ? wholeNumber(settings.together ?? n, 1, 64, 'together') : 1
  const arm = samplers.map(({ strategy }) => strategy.id).join('+')
  const planned = plannedDraws(samplers, enough === undefined ? n : Math.ceil(n / 2), n)
  return {
    id: `best_of_n(${samplers.map(({ strategy }) => strategy.id).join(', ')} × ${n}, ${scorer.id})`,
    plan: [...planned, ...scorer.plan.map((use): PlannedUse => ({ ...use, expected: use.expected * n, most: use.most * n }))],
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      if ((request.n ?? 1) > 1) return yield* samplers[0].strategy.run(request, env, options)
      const tally = new Tally()
      const scored: { readonly sample: Sample; readonly score: number | null }[] = []
      const category = categoryOf(settings, request)
      const profile =
        worth === undefined
          ? undefined
          : typeof worth.profile === 'function'
            ? worth.profile(saturationSource(arm, category))
            : worth.profile
      let drawn = 0
      let stopped = false
      while (drawn < n && !stopped) {
        if (scored.length > 0 && env.budget.regime() === 'last_call') {
          tally.note('stop', samplers[0].model, 'the budget holds about one more call')
          break
        }
        if (worth !== undefined && profile !== undefined && scored.length > 0) {
          const price = worth.price ?? priceOf(scored.map(({ sample }) => sample))
          // An unknown price is no reason to stop: the most is.
          if (
            price !== null &&
            valueOfSample(profile, scored.length, Math.max(0, ...scored.map(({ score }) => score ?? 0)), { lambda: worth.lambda, price }) <=
              0
          ) {
            tally.note('stop', samplers[0].model, 'another sample isn’t worth its price')
            break
          }
        }
        const round = enough === undefined ? n : 1
        const rotated = rotate(samplers, drawn)
        let samples: readonly Sample[]
        try {
          samples = (
            await drawPool(
              { samplers: rotated, most: round, stop: { rule: 'none' }, together, name: 'sample', hint: settings.hint },
              request,
              env,
              tally,
              drawn,
            )
          ).samples
        } catch (thrown) {
          if (scored.length > 0 && (thrown instanceof BudgetExceeded || thrown instanceof UpstreamFailure) && !env.signal.aborted) break
          throw thrown
        }
        drawn += round
        for (const sample of samples) {
          const score = await scoreOf(scorer, request, sample, env, tally)
          scored.push({ sample, score })
          if (enough !== undefined && score !== null && score >= enough) stopped = true
        }
      }
      const { speaker, signal } = chosen(scored, choose)
      // No vote decided, so there is no agreement to calibrate.
      tally.teach(poolLesson(arm, { samples: scored.map(({ sample }) => sample), rounds: [] }, { category, hint: settings.hint }))
      yield* handOut(speaker.answer.completion, request)
      return tally.answer(speaker.answer.completion, {
        evidence: signal === null ? undefined : { source: scorer.id, probability: null, signal },
      })
    },
  }
}

/** A scorer that fails knows nothing; a budget without room for it ends the scoring, not the answer. */
async function scoreOf(
  scorer: Scorer,
  request: Request,
  { answer, sampler }: Sample,
  env: Environment,
  tally: Tally,
): Promise<number | null> {
  let score: Score
  try {
    score = await scorer.score(request, answer.completion, env)
  } catch (thrown) {
    if (env.signal.aborted || !(thrown instanceof UpstreamFailure || thrown instanceof BudgetExceeded)) throw thrown
    tally.note('score', sampler.model, 'the scorer failed')
    return null
  }
  const value = score.value !== null && score.value >= 0 && score.value <= 1 ? score.value : null
  if (score.completion) tally.add('score', score.completion, score.note)
  else tally.note('score', sampler.model, score.note)
  return value
}

function chosen(
  scored: readonly { readonly sample: Sample; readonly score: number | null }[],
  choose: 'weighted' | 'best',
): { readonly speaker: Sample; readonly signal: number | null } {
  const known = scored.flatMap(({ score }) => (score === null ? [] : [score]))
  const mean = known.length === 0 ? 1 : known.reduce((sum, score) => sum + score, 0) / known.length
  const valued = scored.map(({ sample, score }) => ({ sample, score: score ?? mean }))
  const ranked = [...valued].sort((a, b) => b.score - a.score)
  const votes = new Agreement()
  for (const { sample, score } of valued) votes.add(sample.key, score)
  // Where answers don't compare there are no equal answers to add up over.
  const weighted = choose === 'weighted' && valued.filter(({ sample }) => sample.key !== null).length * 2 > valued.length
  const best = ranked[0]?.sample
  const speaker = weighted
    ? speakerFor(
        votes.winner,
        ranked.map(({ sample }) => sample),
      )
    : best
  if (speaker === undefined) throw new RangeError('a choice among no samples')
  return { speaker, signal: known.length === 0 ? null : (scored.find(({ sample }) => sample === speaker)?.score ?? null) }
}

function rotate<T>(items: readonly [T, ...T[]], by: number): readonly [T, ...T[]] {
  const [first, ...rest] = [...items.slice(by % items.length), ...items.slice(0, by % items.length)]
  return first === undefined ? items : [first, ...rest]
}
