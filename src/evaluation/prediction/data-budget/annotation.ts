import { InvalidRequest } from '../../../errors/index.js'
import { leastSquares } from '../fitting/least-squares.js'

/** What a kind of label costs and, where it was measured, brings. */
export interface LabelKind {
  readonly name: string
  readonly usdPerLabel: number
  /** Measured scores with so many labels of this kind, all else equal. */
  readonly points?: readonly { readonly labels: number; readonly score: number }[] | undefined
  /**
   * Score that the first e-folding of labels brings, where nothing was measured, in the unit of the measured scores; see
   * `defaultGains`.
   */
  readonly gain?: number | undefined
  /** So many there are to be labelled at most. */
  readonly available?: number | undefined
  readonly already?: number | undefined
}

/** score = base + gain · ln(1 + n / scale). */
export interface LabelCurve {
  readonly base: number
  readonly gain: number
  readonly scale: number
  readonly measured: boolean
}

export interface AnnotationShare {
  readonly name: string
  readonly labels: number
  readonly usd: number
  /** Points of score that the curve says these labels bring. */
  readonly gain: number
  readonly curve: LabelCurve
}

export interface AnnotationPlan {
  readonly shares: readonly AnnotationShare[]
  readonly usd: number
  readonly gain: number
  /** The same budget in equal parts for each kind: the baseline. */
  readonly evenGain: number
  /** Points of score that one more dollar would bring; 0 where everything is labelled. */
  readonly nextPerDollar: number
}

/**
 * Points of score per e-folding of labels where nothing was measured. Ours, in the order that PolQA's findings (012) give: checked
 * positives of top passages and hard negatives raise retrieval more than labels of random passages. Only the order is from the paper;
 * the sizes are not.
 */
export const defaultGains: Readonly<Record<string, number>> = { positive: 3, hard_negative: 2, question_type: 1, random_passage: 0.5 }
const defaultGain = 1
/** Labels after which the logarithm begins to bend, where points don't tell. Ours. */
const defaultScale = 100

function defaultGainOf(name: string): number {
  return (Object.hasOwn(defaultGains, name) ? defaultGains[name] : undefined) ?? defaultGain
}

/**
 * The learning curve of a kind: least squares on its points (two at least; the scale stays the default with two), else the defaults,
 * times `unit`: what a point of the defaults is in the scores of the kinds that were measured. O(rounds × points).
 */
export function labelCurve({ name, points = [], gain }: LabelKind, path = 'kind', unit = 1): LabelCurve {
  for (const [at, { labels, score }] of points.entries()) {
    if (labels >= 0 && labels < Infinity && Number.isFinite(score)) continue
    throw new InvalidRequest(`labels ${labels}, score ${score}: a number of labels of at least 0 and a score were expected.`, {
      path: `${path}.points[${at}]`,
    })
  }
  if (new Set(points.map(({ labels }) => labels)).size < 2)
    return { base: points[0]?.score ?? 0, gain: gain ?? unit * defaultGainOf(name), scale: defaultScale, measured: false }
  const fitScale = points.length >= 3
  const first = points[0]?.score ?? 0
  const { parameters } = leastSquares(
    ([base = 0, lnGain = 0, lnScale = 0]) => [
      ...points.map(({ labels, score }) => base + Math.exp(lnGain) * Math.log1p(labels / Math.exp(lnScale)) - score),
      // A weak belief keeps the scale where three points leave it open.
      (fitScale ? 0.02 : 10) * (lnScale - Math.log(defaultScale)),
    ],
    [first, 0, Math.log(defaultScale)],
  )
  return { base: parameters[0] ?? 0, gain: Math.exp(parameters[1] ?? 0), scale: Math.exp(parameters[2] ?? 0), measured: true }
}

/**
 * Splits a budget over kinds of labels so that the summed curves gain most: dollars go where the next label brings most per dollar. The
 * curves are concave and taken as independent of one another (which they are not quite: say so to whoever reads the plan), so the
 * greedy split is the best one, up to a label of each. Solved for the common gain per dollar by bisection, not label by label. Throws
 * `InvalidRequest` for kinds without a price, twice the same name, or a budget below 0. O(kinds · 100).
 */
export function planAnnotation(kinds: readonly LabelKind[], budget: number): AnnotationPlan {
  if (!(budget >= 0 && budget < Infinity))
    throw new InvalidRequest(`The budget is ${budget}; dollars of at least 0 were expected.`, { path: 'budget' })
  if (kinds.length === 0) throw new InvalidRequest('There are no kinds of labels.', { path: 'kinds' })
  const unit = unitOf(kinds)
  const curves = kinds.map((kind, at) => {
    if (!(kind.usdPerLabel > 0 && kind.usdPerLabel < Infinity))
      throw new InvalidRequest(`usdPerLabel is ${kind.usdPerLabel}; dollars above 0 were expected.`, { path: `kinds[${at}].usdPerLabel` })
    if (kinds.findIndex(({ name }) => name === kind.name) !== at)
      throw new InvalidRequest(`"${kind.name}" is told twice.`, { path: `kinds[${at}].name` })
    const already = kind.already ?? 0
    return { kind, already, most: Math.max(0, (kind.available ?? Infinity) - already), curve: labelCurve(kind, `kinds[${at}]`, unit) }
  })
  /** Labels of a kind at which one more brings less than `rate` points a dollar: gain/(scale + n) = rate · usd. */
  const labelsAt = ({ kind, already, most, curve }: (typeof curves)[number], rate: number) =>
    Math.min(most, Math.max(0, curve.gain / (rate * kind.usdPerLabel) - curve.scale - already))
  const spentAt = (rate: number) => curves.reduce((sum, one) => sum + labelsAt(one, rate) * one.kind.usdPerLabel, 0)
  let [low, high] = [1e-15, 1e9]
  for (let step = 0; step < 100; step++) {
    const middle = Math.sqrt(low * high)
    if (spentAt(middle) > budget) low = middle
    else high = middle
  }
  const gainOf = ({ already, curve }: (typeof curves)[number], labels: number) =>
    curve.gain * Math.log((curve.scale + already + labels) / (curve.scale + already))
  const shares = curves.map((one): AnnotationShare => {
    const labels = Math.floor(labelsAt(one, high) + 1e-6)
    return { name: one.kind.name, labels, usd: labels * one.kind.usdPerLabel, gain: gainOf(one, labels), curve: one.curve }
  })
  const next = curves.map(({ kind, already, most, curve }, at) => {
    const labels = shares[at]?.labels ?? 0
    return labels + 1 > most ? 0 : curve.gain / (curve.scale + already + labels) / kind.usdPerLabel
  })
  return {
    shares,
    usd: shares.reduce((sum, { usd }) => sum + usd, 0),
    gain: shares.reduce((sum, { gain }) => sum + gain, 0),
    evenGain: curves.reduce(
      (sum, one) => sum + gainOf(one, Math.min(one.most, Math.floor(budget / curves.length / one.kind.usdPerLabel))),
      0,
    ),
    nextPerDollar: Math.max(...next),
  }
}

/**
 * What a point of the defaults is in the scores that were measured: those may be shares or per cent, and a guess in another unit would
 * outweigh whatever was measured. The measured kinds' gains over their defaults; 1 where no kind was measured.
 */
function unitOf(kinds: readonly LabelKind[]): number {
  const measured = kinds
    .map((kind, at) => ({ name: kind.name, curve: labelCurve(kind, `kinds[${at}]`) }))
    .filter(({ curve }) => curve.measured)
  if (measured.length === 0) return 1
  return measured.reduce((sum, { curve }) => sum + curve.gain, 0) / measured.reduce((sum, { name }) => sum + defaultGainOf(name), 0)
}
