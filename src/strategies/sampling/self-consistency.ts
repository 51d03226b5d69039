import type { CallOptions, Environment, ModelId } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import type { AgreementCalibration, AnswerHint, AnswerShapes, StopRule } from '../agreement/index.js'
import { handOut, Tally } from '../calls.js'
import type { Answer, Strategy } from '../strategy.js'
import { drawPool, poolLesson, speakerFor } from './pool.js'
import { saturationSource, type Saturation } from './saturation.js'
import { numberIn, plannedDraws, sampler, wholeNumber, type Sampler, type SamplerSettings } from './sampler.js'

/** How answers are compared and what agreement is known to be worth; shared by strategies that vote. */
export interface VoteSettings {
  readonly hint?: AnswerHint | undefined
  /** Learned plausibility of answers' forms. */
  readonly shapes?: AnswerShapes | undefined
  readonly calibration?: AgreementCalibration | undefined
  /** Kind of question, for shapes and calibration; a function where one strategy answers several kinds. */
  readonly category?: string | ((request: Request) => string | undefined) | undefined
}

/** The kind of a question. */
export function categoryOf({ category }: Pick<VoteSettings, 'category'>, request: Request): string | undefined {
  return typeof category === 'function' ? category(request) : category
}

export interface SelfConsistencySettings extends VoteSettings {
  /** Either one model, or several samplers that are drawn in turn. */
  readonly model?: ModelId | undefined
  readonly samplers?: readonly SamplerSettings[] | undefined
  readonly most: number
  /** Beta stopping at 0.95 when absent. */
  readonly stop?: StopRule | undefined
  /** How far sampling carries, as learned so far (002): the ceiling of a `value` rule that has none of its own. */
  readonly saturation?: Saturation | undefined
  /** Samples under way at the same time: 1 when absent, which saves the most. */
  readonly together?: number | undefined
}

const MOST_SAMPLES = 128

/**
 * Self-consistency (Wang et al. 2023): samples of the same question, and the answer that most of them give. Stops early by a rule. What goes out is the
 * first sample that gave the answer, whole; usage and cost are sums. A request for several choices gets a plain call, since the choices are the
 * caller's own samples. Throws `InvalidRequest` for settings out of range.
 */
export function selfConsistency(settings: SelfConsistencySettings): Strategy {
  const samplers = samplersOf(settings.samplers ?? (settings.model === undefined ? [] : [{ model: settings.model }]))
  const most = wholeNumber(settings.most, 1, MOST_SAMPLES, 'most')
  const together = wholeNumber(settings.together ?? 1, 1, MOST_SAMPLES, 'together')
  const stop = checkedStop(settings.stop ?? { rule: 'beta', confidence: 0.95 })
  const arm = samplers.map(({ strategy }) => strategy.id).join('+')
  const id = `self_consistency(${samplers.map(({ strategy }) => strategy.id).join(', ')} × ${most})`
  return {
    id,
    plan: plannedDraws(samplers, stop.rule === 'none' ? most : Math.min(most, 4), most),
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      if ((request.n ?? 1) > 1 || most === 1) return yield* samplers[0].strategy.run(request, env, options)
      const tally = new Tally()
      const category = categoryOf(settings, request)
      const pool = await drawPool(
        {
          samplers,
          most,
          stop: withCeiling(stop, settings.saturation, arm, category),
          together,
          name: 'sample',
          hint: settings.hint,
          shapes: settings.shapes && { known: settings.shapes, category },
        },
        request,
        env,
        tally,
      )
      const { agreement, samples, why } = pool
      const speaker = speakerFor(agreement.winner, samples)
      if (speaker === undefined) throw new RangeError('a pool without samples')
      const { completion } = speaker.answer
      tally.note('vote', speaker.sampler.model, `${samples.length} samples: ${why}`)
      tally.teach(poolLesson(arm, pool, { category, hint: settings.hint }))
      yield* handOut(completion, request)
      const { winner, top, total } = agreement
      return tally.answer(completion, {
        evidence:
          winner === null
            ? undefined
            : {
                source: 'agreement',
                probability: settings.calibration?.probability({ arm, category }, { top, total }) ?? null,
                signal: agreement.share,
              },
      })
    },
  }
}

/** A rule that asks what samples are worth, with the ceiling that was learned where it names none. */
function withCeiling(stop: StopRule, saturation: Saturation | undefined, arm: string, category: string | undefined): StopRule {
  if (stop.rule !== 'value' || stop.ceiling !== undefined || saturation === undefined) return stop
  const profile = saturation.profile(saturationSource(arm, category))
  return profile === undefined ? stop : { ...stop, ceiling: profile.ceiling }
}

/** At least one sampler, checked; errors name the field. */
export function samplersOf(settings: readonly (ModelId | SamplerSettings)[], path = 'samplers'): readonly [Sampler, ...Sampler[]] {
  wholeNumber(settings.length, 1, 16, `${path}.length`)
  const [first, ...rest] = settings.map((one, index) => sampler(one, `${path}[${index}]`))
  if (first === undefined) throw new RangeError('checked before')
  return [first, ...rest]
}

/** Throws `InvalidRequest` for a rule whose numbers are out of range. */
export function checkedStop(stop: StopRule, path = 'stop'): StopRule {
  switch (stop.rule) {
    case 'beta':
      numberIn(stop.confidence, 0.5, 1, `${path}.confidence`)
      break
    case 'window':
      wholeNumber(stop.size, 1, MOST_SAMPLES, `${path}.size`)
      break
    case 'value':
      numberIn(stop.lambda, 0, 1e9, `${path}.lambda`)
      numberIn(stop.ceiling ?? 1, 0, 1, `${path}.ceiling`)
      break
    case 'none':
  }
  if ('prior' in stop && stop.prior !== undefined) numberIn(stop.prior, 0.01, 100, `${path}.prior`)
  return stop
}
