import { noUsage, type Usage } from '../../quantities/index.js'
import type { Arm, Estimate, Load, Situation } from '../contracts.js'

/**
 * How many calls an arm's deployments answer at once, by the place where they run. More wait in line. A cloud's own limits are told by
 * refusals, not by waiting, so there is no line there. 150 has a device run one call at a time.
 */
export const slotsByPlace: Readonly<Record<'device' | 'edge' | 'cloud', number>> = { device: 1, edge: 4, cloud: Number.POSITIVE_INFINITY }

/**
 * The estimates of a situation as far as they can be believed, in the order of its arms: what isn't a finite number in its range is
 * unknown, an arm without an estimate is unknown altogether, and seconds that nobody measured (0, since no call takes no time) come from the
 * arm's card: first token + output tokens / speed (150). Waiting in line is added to the seconds. Unknown seconds stay `NaN`-free: they
 * are 0, and `secondsOf` reads them as `null`. O(arms).
 */
export function soundEstimates({ arms, estimates, load }: Pick<Situation, 'arms' | 'estimates' | 'load'>): readonly Estimate[] {
  // The usual case has them in order; a predictor that skipped an arm must not shift the others.
  return arms.map((arm, index) => {
    const inPlace = estimates[index]
    const given = inPlace?.arm === arm.id ? inPlace : estimates.find((estimate) => estimate.arm === arm.id)
    return sound(arm, given, load)
  })
}

function sound(arm: Arm, given: Estimate | undefined, load: Load): Estimate {
  const outputTokens = amount(given?.outputTokens)
  const quality = given?.quality
  const seconds = positive(given?.cost.seconds) ?? secondsByCard(arm, outputTokens)
  const usd = given?.cost.usd ?? null
  const soundUsd = usd === null || usd < 0n ? null : usd
  const soundSeconds = seconds === null ? 0 : seconds + queueSeconds(arm, seconds, load)
  const joules = amount(given?.cost.joules)
  const gramsCO2e = amount(given?.cost.gramsCO2e)
  const support = amount(given?.support) ?? 0
  const soundQuality = quality && quality.mean >= 0 && quality.mean <= 1 && amount(quality.variance) !== null ? quality : null
  // The usual case: all of it is sound as it was given, and nothing waits.
  if (
    given !== undefined &&
    soundQuality === given.quality &&
    soundUsd === given.cost.usd &&
    soundSeconds === given.cost.seconds &&
    joules === given.cost.joules &&
    gramsCO2e === given.cost.gramsCO2e &&
    outputTokens === given.outputTokens &&
    support === given.support
  )
    return given
  return {
    arm: arm.id,
    quality: soundQuality && { mean: soundQuality.mean, variance: soundQuality.variance },
    cost: { usd: soundUsd, seconds: soundSeconds, joules, gramsCO2e },
    outputTokens,
    support,
  }
}

/** Seconds that a sound estimate expects, `null` where nobody knows. */
export function secondsOf(estimate: Estimate): number | null {
  return positive(estimate.cost.seconds)
}

/** Waiting: calls in flight beyond the free slots, each holding a slot for as long as this one will. */
function queueSeconds(arm: Arm, seconds: number, load: Load): number {
  const inFlight = amount(load.inFlight(arm.id)) ?? 0
  const slots = slotsByPlace[arm.card.place ?? 'cloud']
  const waiting = Math.max(0, inFlight + 1 - slots)
  return waiting === 0 ? 0 : (waiting / slots) * seconds
}

function secondsByCard({ card }: Arm, outputTokens: number | null): number | null {
  const first = positive(card.firstTokenSeconds)
  const speed = positive(card.tokensPerSecond)
  if (first === null && speed === null) return null
  if (speed === null || outputTokens === null) return first
  return (first ?? 0) + outputTokens / speed
}

function amount(value: number | null | undefined): number | null {
  return value != null && value >= 0 && value < Number.POSITIVE_INFINITY ? value : null
}

function positive(value: number | null | undefined): number | null {
  const known = amount(value)
  return known === 0 ? null : known
}

/** A plain text call's usage. */
export function textUsage(inputTokens: number, outputTokens: number): Usage {
  return { ...noUsage, inputTokens, outputTokens }
}
