import type { Estimate as ArmEstimate, Predictor } from '../../src/routing/index.js'
import type { RoutingRow } from '../data/routing-problem.js'
import { chooser } from './choosing.js'
import { contenders, kindOf, type Contender } from './contenders.js'
import type { Point } from './measures.js'
import { factsOf, type Understood } from './world.js'

/** λ in dear reference calls a right answer: what the trade-offs of a curve are. */
export const tradeOffs: readonly number[] = [0, 0.5, 1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 100, 300, 1000, Infinity]

/** What a contender did on the rows of one split. */
export interface Played {
  readonly label: string
  /** Expected strong quality less weak, by row; empty where the data has no pair. */
  readonly gains: Float64Array
  /** One point a trade-off. */
  readonly points: readonly Point[]
  /** What the contender itself expects at each trade-off, and of the reference everywhere: for choosing a trade-off without outcomes. */
  readonly expected: readonly { readonly quality: number; readonly reference: number }[]
  readonly calibration: readonly { readonly probability: number; readonly outcome: number }[]
  readonly trainSeconds: number
}

export function play(
  understood: Understood,
  arms: readonly string[],
  pair: { weak: string; strong: string } | undefined,
  seed: number,
  only: readonly Contender[] = contenders,
): readonly Played[] {
  const reference = bestOn(understood.train, arms)
  return only.map((contender) => {
    const started = process.cpuUsage()
    const predictor = kindOf(contender.kind).train(understood.observations, factsOf(arms), contender.settings, seed)
    const { user, system } = process.cpuUsage(started)
    return playOne(contender.label, predictor, understood, arms, pair, reference, (user + system) / 1e6)
  })
}

function playOne(
  label: string,
  predictor: Predictor,
  understood: Understood,
  arms: readonly string[],
  pair: { weak: string; strong: string } | undefined,
  reference: string,
  trainSeconds: number,
): Played {
  const { test, testFeatures } = understood
  const estimates = testFeatures.map((features) => predictor.predict(features, arms))
  const quality = (row: number, arm: string) => estimates[row]?.[arms.indexOf(arm)]?.quality?.mean ?? 0.5
  const gains = Float64Array.from(pair ? test.map((_, row) => quality(row, pair.strong) - quality(row, pair.weak)) : [])
  const calibration = test.flatMap(({ outcomes }, row) =>
    Object.entries(outcomes).map(([arm, outcome]) => ({ probability: quality(row, arm), outcome: outcome.quality })),
  )
  // A pair is measured by its ranking; the curve is for those with more arms.
  const lambdas = pair ? [] : tradeOffs
  const scale = meanUsd(understood.train, reference)
  const choose = chooser(arms, reference)
  const familiarity = testFeatures.map((features) => predictor.familiarity(features))
  const points: Point[] = []
  const expected: { quality: number; reference: number }[] = []
  for (const relative of lambdas) {
    const chosen = testFeatures.map((features, row) =>
      choose(features, familiarity[row] ?? 0, estimates[row] as readonly ArmEstimate[], relative * scale),
    )
    points.push(pointOf(test, (row) => chosen[row] ?? reference))
    expected.push({
      quality: mean(chosen.map((arm, row) => quality(row, arm))),
      reference: mean(chosen.map((_, row) => quality(row, reference))),
    })
  }
  return { label, gains, points, expected, calibration, trainSeconds }
}

export function pointOf(rows: readonly RoutingRow[], armOf: (row: number) => string): Point {
  return {
    quality: Float64Array.from(rows, ({ outcomes }, row) => outcomes[armOf(row)]?.quality ?? 0),
    usd: Float64Array.from(rows, ({ outcomes }, row) => outcomes[armOf(row)]?.usd ?? 0),
  }
}

/** The arm with the best mean quality on the rows; of equals the cheapest. */
export function bestOn(rows: readonly RoutingRow[], arms: readonly string[]): string {
  const scored = arms.map((arm) => ({
    arm,
    quality: mean(rows.flatMap(({ outcomes }) => outcomes[arm]?.quality ?? [])),
    usd: meanUsd(rows, arm),
  }))
  return scored.reduce((best, one) => (one.quality > best.quality || (one.quality === best.quality && one.usd < best.usd) ? one : best)).arm
}

export function cheapestOn(rows: readonly RoutingRow[], arms: readonly string[]): string {
  return arms.reduce((best, arm) => (meanUsd(rows, arm) < meanUsd(rows, best) ? arm : best))
}

export function meanUsd(rows: readonly RoutingRow[], arm: string): number {
  return mean(rows.flatMap(({ outcomes }) => outcomes[arm]?.usd ?? []))
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
}
