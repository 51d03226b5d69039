import { InvalidRequest } from '../../errors/index.js'
import type { CallOptions, Environment, ModelId } from '../../environment/index.js'
import { edit, type Request } from '../../protocol/index.js'
import { completionKey, type AnswerHint } from '../agreement/index.js'
import { finish } from '../calls.js'
import { single } from '../single.js'
import type { Answer, PlannedUse, Strategy } from '../strategy.js'

export interface SamplerSettings {
  readonly model: ModelId
  /** What draws the sample; one call of the model when absent. Samples of several prompts or styles differ more than those of one. */
  readonly strategy?: Strategy | undefined
  /** How much its votes count: its accuracy, or the log-odds of it; 1 when absent. */
  readonly weight?: number | undefined
  /** For samples where the caller set none; 0.7 when absent. `null`: samples go out as the caller's request says (models that take no temperature). */
  readonly temperature?: number | null | undefined
}

/** Where samples come from. */
export interface Sampler {
  readonly model: ModelId
  readonly strategy: Strategy
  readonly weight: number
  readonly temperature: number | null
}

/** One sample and the answer that it gives; `null` where that can't be compared. */
export interface Sample {
  readonly sampler: Sampler
  readonly answer: Answer
  readonly key: string | null
}

/** At a lower temperature samples agree because they are the same, not because they are right (041). */
const LEAST_TEMPERATURE = 0.6
const USUAL_TEMPERATURE = 0.7

/** Throws `InvalidRequest` with the field's path for a weight or temperature out of its range. */
export function sampler(from: ModelId | SamplerSettings, path = 'model'): Sampler {
  const { model, strategy, weight = 1, temperature = USUAL_TEMPERATURE } = typeof from === 'string' ? { model: from } : from
  if (model === '') throw new InvalidRequest(`${path}: a sampler needs a model.`, { path })
  if (!(weight >= 0 && weight < Infinity))
    throw new InvalidRequest(`${path}.weight: the weight of votes is a number of at least 0, not ${weight}.`, { path: `${path}.weight` })
  if (temperature !== null && !(temperature >= LEAST_TEMPERATURE && temperature <= 2))
    throw new InvalidRequest(`${path}.temperature: samples need a temperature from ${LEAST_TEMPERATURE} to 2, not ${temperature}.`, {
      path: `${path}.temperature`,
    })
  return { model, strategy: strategy ?? single(model), weight, temperature }
}

/** The name under which agreement of these samplers is calibrated, whichever strategy draws from them. */
export function agreementArm(from: readonly (ModelId | SamplerSettings)[]): string {
  return from.map((one) => sampler(one).strategy.id).join('+')
}

/** The caller's request as a sample is drawn: whole, one choice, at a temperature that lets answers differ, with a seed of its own. */
export function sampleRequest(request: Request, temperature: number | null, index: number): Request {
  return edit(request, {
    stream: false,
    streamUsage: undefined,
    n: undefined,
    ...(temperature === null ? {} : { temperature: Math.max(request.temperature ?? temperature, LEAST_TEMPERATURE) }),
    ...(request.topK === 1 ? { topK: undefined } : {}),
    ...(request.seed === undefined ? {} : { seed: request.seed + index }),
  })
}

/** Draws one sample. Throws what its strategy throws. */
export async function drawSample(from: Sampler, request: Request, env: Environment, index: number, hint?: AnswerHint): Promise<Sample> {
  const options: CallOptions = { sample: index }
  const answer = await finish(from.strategy.run(sampleRequest(request, from.temperature, index), env, options))
  return { sampler: from, answer, key: completionKey(answer.completion, hint) }
}

/** What drawing these samplers `expected` and at most `most` times in turn calls. */
export function plannedDraws(samplers: readonly Sampler[], expected: number, most: number): readonly PlannedUse[] {
  const share = (count: number, index: number) => Math.floor(count / samplers.length) + (index < count % samplers.length ? 1 : 0)
  return samplers.flatMap(({ strategy }, index) =>
    strategy.plan.map((use) => ({
      ...use,
      expected: use.expected * share(Math.round(expected), index),
      most: use.most * share(most, index),
    })),
  )
}

/** Throws `InvalidRequest` unless it is a whole number in the range. */
export function wholeNumber(value: number, least: number, most: number, path: string): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new InvalidRequest(`${path}: a whole number from ${least} to ${most}, not ${value}.`, { path })
  return value
}

/** The same for a number in a range. */
export function numberIn(value: number, least: number, most: number, path: string): number {
  if (!(value >= least && value <= most)) throw new InvalidRequest(`${path}: a number from ${least} to ${most}, not ${value}.`, { path })
  return value
}
