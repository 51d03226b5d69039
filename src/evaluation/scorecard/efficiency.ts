/**
 * Efficiency metrics over outcomes. Each is a pure function of plain numbers; what isn't finite throws `RangeError`, and a quantity
 * that has no meaning (a division by nothing) is `null`, never 0 and never `NaN`.
 */

/** What a system gave and took on average over a set of items. */
export interface Averages {
  /** Share of items that it got right, or mean quality; in [0, 1]. */
  readonly accuracy: number
  /** Mean tokens an item. */
  readonly tokens: number
}

/** E³ = A · (A / T): accuracy times accuracy a token (037, Plan-and-Budget). Unit: 1/token. `null` without any tokens. */
export function e3({ accuracy, tokens }: Averages): number | null {
  return ratio(finite(accuracy) * accuracy, finite(tokens))
}

/**
 * Token elasticity of performance, (ΔPerf / Perf_base) / (ΔTokens / Tokens_base) (086, EllieSQL). Above 1 the further tokens pay more than
 * proportionally. No unit. `null` where the base has no performance or no tokens, or takes as many tokens.
 */
export function tokenElasticity(system: Averages, base: Averages): number | null {
  const performance = ratio(finite(system.accuracy) - finite(base.accuracy), base.accuracy)
  const tokens = ratio(finite(system.tokens) - finite(base.tokens), base.tokens)
  return performance === null || tokens === null ? null : ratio(performance, tokens)
}

/** What 3E compares of a reasoner with plain chain of thought (043, SRM). */
export interface ThreeE {
  /** Success, in [0, 1]. */
  readonly effectiveness: number
  /** Tokens and seconds relative to the plain ones: 0.5 is half; `null` where the plain ones are 0. */
  readonly tokenRatio: number | null
  readonly timeRatio: number | null
  /** Success elsewhere (another domain, another search) less success at home; in [-1, 1]. `null` where it wasn't tried elsewhere. */
  readonly extensibility: number | null
}

/** Effectiveness, efficiency and extensibility (043). `seconds` an item; `elsewhere`: accuracy in another domain. */
export function threeE(
  system: Averages & { readonly seconds: number; readonly elsewhere?: number | undefined },
  plain: Averages & { readonly seconds: number },
): ThreeE {
  return {
    effectiveness: finite(system.accuracy),
    tokenRatio: ratio(finite(system.tokens), finite(plain.tokens)),
    timeRatio: ratio(finite(system.seconds), finite(plain.seconds)),
    extensibility: system.elsewhere === undefined ? null : finite(system.elsewhere) - system.accuracy,
  }
}

/** Tool productivity, right answers a tool call over the whole set (185, OTC). `null` where no tool was called. */
export function toolProductivity(right: number, toolCalls: number): number | null {
  return ratio(finite(right), finite(toolCalls))
}

/**
 * OTC's reward of a run's tool calls (185): with m calls made and n the fewest among right runs of the same task, 1 for m = n = 0,
 * cos(mπ / (2m + c)) for n = 0, else sin(fπ / 2n) with f = 2nm / (m + n); times whether the run was right. In [0, 1]. Throws
 * `RangeError` for counts below 0.
 */
export function toolCallReward(m: number, n: number, right: boolean, c = 1): number {
  if (!(m >= 0) || !(n >= 0) || !(c > 0)) throw new RangeError('counts of tool calls are 0 or more, and c is above 0')
  if (!right) return 0
  if (n === 0) return m === 0 ? 1 : Math.cos((m * Math.PI) / (2 * m + c))
  return m === 0 ? 0 : Math.sin((((2 * n * m) / (m + n)) * Math.PI) / (2 * n))
}

/** Intelligence per watt: mean accuracy over mean power in watts while serving (112). Unit: 1/W. */
export function intelligencePerWatt(accuracy: number, watts: number): number | null {
  return ratio(finite(accuracy), finite(watts))
}

/** Intelligence per joule: mean accuracy over mean energy of a query in joules (112). Unit: 1/J. */
export function intelligencePerJoule(accuracy: number, joules: number): number | null {
  return ratio(finite(accuracy), finite(joules))
}

/**
 * Coverage: the share of queries that the best of the local models answers as well as the frontier's model or better (112), with an
 * oracle over the local ones. A row holds the qualities of the local models and the frontier's. `null` of no rows. O(rows × models).
 */
export function localCoverage(rows: readonly { readonly local: readonly number[]; readonly frontier: number }[]): number | null {
  return ratio(rows.filter(({ local, frontier }) => local.some((quality) => finite(quality) >= finite(frontier))).length, rows.length)
}

/**
 * Request-level efficiency: throughput in tokens a second over the mean tokens of a request, hence requests a second on the same
 * hardware (120, Puzzle).
 */
export function requestLevelEfficiency(tokensPerSecond: number, tokensPerRequest: number): number | null {
  return ratio(finite(tokensPerSecond), finite(tokensPerRequest))
}

/** What a training run took. */
export interface TrainingCost {
  readonly seconds: number
  readonly trainableParameters: number
  readonly memoryBytes: number
}

/**
 * TPME (127, IISAN): α₁·t̂ + α₂·p̂ + α₃·m̂ over training time, trainable parameters and memory, each min–max normalised over the
 * compared runs (that normalisation is reconstructed); lower is better, in [0, 1]. The authors' weights are 0.45, 0.10, 0.45. A
 * component in which all are alike counts 0.
 */
export function tpme(
  runs: readonly TrainingCost[],
  [time, parameters, memory]: readonly [number, number, number] = [0.45, 0.1, 0.45],
): number[] {
  const scaled = (of: (run: TrainingCost) => number) => {
    const values = runs.map((run) => finite(of(run)))
    const low = Math.min(...values)
    const span = Math.max(...values) - low
    return values.map((value) => (span === 0 ? 0 : (value - low) / span))
  }
  const [t, p, m] = [scaled((run) => run.seconds), scaled((run) => run.trainableParameters), scaled((run) => run.memoryBytes)]
  return runs.map((_, index) => time * (t[index] ?? 0) + parameters * (p[index] ?? 0) + memory * (m[index] ?? 0))
}

/**
 * Information capacity (132): (S - NLL + b) / log₂ N, with S the text's bits a token, NLL the model's bits a token, N its FLOPs a
 * token.
 */
export function informationCapacity({
  textBits,
  lossBits,
  flops,
  bias,
}: {
  readonly textBits: number
  readonly lossBits: number
  readonly flops: number
  readonly bias: number
}): number | null {
  return flops > 0 ? ratio(finite(textBits) - finite(lossBits) + finite(bias), Math.log2(finite(flops))) : null
}

/** The same turned round: the loss in bits a token that a model of the same series and of `flops` a token should have (132). */
export function lossFromCapacity(
  capacity: number,
  { textBits, flops, bias }: { readonly textBits: number; readonly flops: number; readonly bias: number },
): number | null {
  return flops > 0 ? finite(textBits) + finite(bias) - finite(capacity) * Math.log2(finite(flops)) : null
}

function ratio(top: number, bottom: number): number | null {
  return bottom === 0 ? null : top / bottom
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`a metric needs finite numbers, not ${value}`)
  return value
}
