import { BudgetExceeded, InvalidRequest } from '../../errors/index.js'
import type { CallOptions, Environment, ModelId } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { Agreement, type PoolState, type StopRule } from '../agreement/index.js'
import { handOut, Tally } from '../calls.js'
import type { Answer, PlannedUse, Strategy } from '../strategy.js'
import { drawPool, mayGoOn, poolLesson, speakerFor, type Pool } from './pool.js'
import { numberIn, plannedDraws, wholeNumber, type Sample, type SamplerSettings } from './sampler.js'
import { categoryOf, checkedStop, samplersOf, type VoteSettings } from './self-consistency.js'

export interface SwitchRung {
  /** One model, or several samplers drawn in turn. */
  readonly model?: ModelId | undefined
  readonly samplers?: readonly SamplerSettings[] | undefined
  /** The most samples of this rung; `samplesEach` when absent. */
  readonly samples?: number | undefined
  /** q̂: how often this rung is right on its own (041's external weight of its votes); 1 when absent. */
  readonly quality?: number | undefined
  /** Predicts from the request whether the rung is worth asking at all (069); a rung but the last is skipped where it says no. */
  readonly worthAsking?: ((request: Request) => boolean) | undefined
}

export interface ModelSwitchSettings extends VoteSettings {
  readonly rungs: readonly SwitchRung[]
  readonly samplesEach: number
  /** Probability of being right (or, where nothing is calibrated, share of a rung's own samples) from which its answer is accepted. */
  readonly threshold: number
  /** Probability from which a rung draws no further samples; `threshold` when absent, and never less. */
  readonly early?: number | undefined
  /** Within a rung; Beta stopping at 0.95 when absent. */
  readonly stop?: StopRule | undefined
  readonly together?: number | undefined
  /** Told of a rung's pool after each round of samples, to learn what agreement is worth: `arm` is its name in the calibration (`agreementArm`). `winner` is an answer's key: content. */
  readonly onPool?: ((arm: string, state: PoolState & { readonly winner: string | null }) => void) | undefined
}

/**
 * ModelSwitch (041): each model in turn answers a few times; the first that agrees with itself well enough ends it, else the next is asked, and the answer
 * is a weighted vote over all samples. A rung's votes weigh (1 − H / ln k) · q̂: how much it agrees with itself, and how often it is right. Where
 * agreement is calibrated, the probability of being right is compared with `threshold`, not the raw share, and each rung's answer has one vote of the weight of its
 * log-odds. The budget's last call ends it with the best so far.
 * Throws `InvalidRequest` for settings out of range.
 */
export function modelSwitch(settings: ModelSwitchSettings): Strategy {
  const { calibration } = settings
  wholeNumber(settings.rungs.length, 1, 16, 'rungs.length')
  numberIn(settings.threshold, 0, 1, 'threshold')
  const early = Math.max(settings.threshold, numberIn(settings.early ?? settings.threshold, 0, 1, 'early'))
  const samplesEach = wholeNumber(settings.samplesEach, 1, 128, 'samplesEach')
  const together = wholeNumber(settings.together ?? 1, 1, 128, 'together')
  const stop = checkedStop(settings.stop ?? { rule: 'beta', confidence: 0.95 })
  const rungs = settings.rungs.map((rung, index) => ({
    samplers: samplersOf(rung.samplers ?? (rung.model === undefined ? [] : [{ model: rung.model }]), `rungs[${index}].samplers`),
    most: wholeNumber(rung.samples ?? samplesEach, 1, 128, `rungs[${index}].samples`),
    quality: numberIn(rung.quality ?? 1, 0, 1, `rungs[${index}].quality`),
    worthAsking: rung.worthAsking,
  }))
  const ids = rungs.map(({ samplers }) => samplers.map(({ strategy }) => strategy.id).join('+'))
  if (new Set(ids).size < ids.length)
    throw new InvalidRequest('rungs: the same samplers stand on two rungs; a rung is never asked twice.', { path: 'rungs' })
  const sure = (
    rung: number,
    { top, total, winner, share }: Agreement,
    category: string | undefined,
  ): { readonly probability: number | null; readonly accepted: boolean } => {
    const probability = winner === null ? 0 : (calibration?.probability({ arm: ids[rung] ?? '', category }, { top, total }) ?? null)
    return { probability, accepted: winner !== null && (probability ?? share) >= settings.threshold }
  }
  return {
    id: `model_switch(${ids.join(' → ')})`,
    plan: rungs.flatMap(({ samplers, most }, index): readonly PlannedUse[] =>
      plannedDraws(samplers, index === 0 ? Math.min(most, 3) : 0, most),
    ),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      if ((request.n ?? 1) > 1) return yield* (rungs.at(-1) ?? rungs[0])?.samplers[0].strategy.run(request, env, options) ?? never()
      const tally = new Tally()
      const category = categoryOf(settings, request)
      const pools: RungPool[] = []
      const samples: Sample[] = []
      const fellBackFrom: ModelId[] = []
      let failure: unknown
      for (const [index, rung] of rungs.entries()) {
        const last = index === rungs.length - 1
        const { model } = rung.samplers[0]
        if (samples.length > 0 && env.budget.regime() === 'last_call') {
          tally.note('stop', model, 'the budget holds about one more call: the best so far answers')
          break
        }
        if (!last && rung.worthAsking?.(request) === false) {
          tally.note('skip', model, 'predicted not to be right often enough')
          continue
        }
        let pool: Pool
        try {
          pool = await drawPool(
            {
              samplers: rung.samplers,
              most: rung.most,
              stop,
              together,
              name: rungs.length === 1 ? 'sample' : `rung ${index + 1} sample`,
              hint: settings.hint,
              shapes: settings.shapes && { known: settings.shapes, category },
              enough: (agreement) => {
                settings.onPool?.(ids[index] ?? '', { top: agreement.top, total: agreement.total, winner: agreement.winner })
                if (last || calibration === undefined) return false
                const { probability } = sure(index, agreement, category)
                if (probability !== null && probability >= early) return true
                // Even if all further samples agreed it would not be sure: they would be drawn in vain.
                const left = (rung.most - agreement.drawn) * Math.max(...rung.samplers.map(({ weight }) => weight))
                const atBest = calibration.probability(
                  { arm: ids[index] ?? '', category },
                  { top: agreement.top + left, total: agreement.total + left },
                )
                return atBest !== null && atBest < settings.threshold
              },
            },
            request,
            env,
            tally,
          )
        } catch (thrown) {
          if (env.signal.aborted || !mayGoOn(thrown)) throw thrown
          failure ??= thrown
          fellBackFrom.push(model)
          if (thrown instanceof BudgetExceeded && samples.length > 0) break
          continue
        }
        const { agreement } = pool
        samples.push(...pool.samples)
        tally.teach(poolLesson(ids[index] ?? '', pool, { category, hint: settings.hint }))
        const { probability, accepted } = sure(index, agreement, category)
        pools.push({ agreement, quality: rung.quality, probability })
        tally.note(
          last ? 'vote' : accepted ? 'accept' : 'escalate',
          model,
          `${pool.samples.length} samples, ${Math.round(agreement.share * 100)} % agree: ${pool.why}`,
        )
        // A rung that is sure answers by itself: those before it weren't.
        if (accepted && !last) return yield* answered(agreement.winner, pool.samples, agreement.share, probability)
      }
      if (samples.length === 0) throw failure
      const votes = voteOver(pools)
      // A vote over several rungs has no calibration of its own.
      return yield* answered(votes.winner, samples, votes.share, pools.length === 1 ? (pools[0]?.probability ?? null) : null)

      function* answered(
        winner: string | null,
        from: readonly Sample[],
        signal: number,
        probable: number | null,
      ): Generator<Delta, Answer> {
        const speaker = speakerFor(winner, from)
        if (speaker === undefined) throw new RangeError('a vote without samples')
        yield* handOut(speaker.answer.completion, request)
        return tally.answer(speaker.answer.completion, {
          fellBackFrom,
          evidence: winner === null ? undefined : { source: 'agreement', probability: probable, signal },
        })
      }
    },
  }
}

interface RungPool {
  readonly agreement: Agreement
  readonly quality: number
  /** That its winner is right; `null` where nothing is calibrated. */
  readonly probability: number | null
}

/** Answers that are thought possible before any vote; a rung that is right less often than by guessing among them says hardly anything. */
const PLAUSIBLE_ANSWERS = 5
const LEAST_WEIGHT = 0.01

function voteOver(pools: readonly RungPool[]): Agreement {
  const votes = new Agreement()
  const calibrated = pools.every(({ probability }) => probability !== null)
  for (const { agreement, quality, probability } of pools) {
    if (calibrated && probability !== null) {
      const p = Math.min(0.999, Math.max(0.001, probability))
      votes.add(agreement.winner, Math.max(LEAST_WEIGHT, Math.log((p / (1 - p)) * (PLAUSIBLE_ANSWERS - 1))))
    } else for (const [answer, own] of agreement.votes) votes.add(answer, agreement.consistency * quality * own)
  }
  return votes
}

function never(): never {
  throw new RangeError('a switch has at least one rung')
}
