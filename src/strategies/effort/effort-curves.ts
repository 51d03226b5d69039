import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { fitIsotonic, type MonotoneCurve, type WeightedPoint } from '../../statistics/index.js'

/** What one answer made of the effort it was asked for. */
export interface EffortOutcome {
  /** Soft budget over T̂(x), the tokens that the arm would have used of itself. */
  readonly asked: number
  /** Output tokens over T̂(x). */
  readonly realised: number
  /** In [0, 1]. */
  readonly quality?: number | undefined
}

/** A row of the calibration table. */
export interface EffortRow {
  readonly asked: number
  readonly realised: number
  /** `null` where no quality was told. */
  readonly quality: number | null
  /** Answers, the newest weighing most. */
  readonly n: number
}

/** By arm and category: what an asked effort becomes, so that it can be asked for what is wanted (paper 077: isotonic calibration). */
export interface EffortCurves {
  /** Throws `RangeError` for numbers that aren't finite or are below 0, and learns nothing from them. O(1). */
  observe(arm: string, category: string, outcome: EffortOutcome): void
  /** Realised by asked ratio; begins at "a model keeps to what it is asked". O(bins). */
  curve(arm: string, category: string): MonotoneCurve
  /** How many times the tokens asked for it writes, on average; 1 while nothing is known. */
  overshoot(arm: string, category: string): number
  table(arm: string, category: string): readonly EffortRow[]
  serialize(): Uint8Array
}

export interface EffortCurvesOptions {
  /** Curves that are remembered, those used last. 1,000 unless told otherwise. */
  readonly curves?: number | undefined
  /** Answers over which the past of a bin fades. 1,000 unless told otherwise. */
  readonly fading?: number | undefined
}

/** Bins of the asked ratio, up to this ratio. */
const bins = 20
const widest = 1.25
/** What no model is believed to exceed: a loop is no calibration. */
const mostRealised = 8
/** Answers that the belief in obedience counts for in each bin. */
const priorWeight = 1
/** Half-way between the arm's curve and the category's own at so many answers in a bin. */
const shrinkage = 5

interface Bin {
  n: number
  asked: number
  realised: number
  quality: number
  judged: number
}

const number = z.number().nonnegative()
const stored = z.object({
  version: z.literal(1),
  fading: z.number().min(1),
  curves: z.array(z.tuple([z.string(), z.array(z.tuple([number, number, number, number, number])).length(bins)])),
})

export function createEffortCurves({ curves = 1_000, fading = 1_000 }: EffortCurvesOptions = {}): EffortCurves {
  if (!(curves >= 2) || !(fading >= 1) || !Number.isFinite(fading)) throw new RangeError('curves is at least 2, fading at least 1 answer')
  return new LearnedCurves(new Map(), Math.floor(curves), fading)
}

/** What `serialize` wrote. Throws `BursarError` (`invalid_configuration`) for anything else. */
export function loadEffortCurves(bytes: Uint8Array, { curves = 1_000 }: Pick<EffortCurvesOptions, 'curves'> = {}): EffortCurves {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    json = undefined
  }
  const read = stored.safeParse(json)
  if (!read.success)
    throw new BursarError('The effort calibration can’t be read; remove the file to begin anew.', {
      code: 'invalid_configuration',
      status: 500,
    })
  const kept = read.data.curves
    .slice(-curves)
    .map(([key, rows]): [string, Bin[]] => [
      key,
      rows.map(([n, asked, realised, quality, judged]) => ({ n, asked, realised, quality, judged })),
    ])
  return new LearnedCurves(new Map(kept), curves, read.data.fading)
}

class LearnedCurves implements EffortCurves {
  constructor(
    private readonly byKey: Map<string, Bin[]>,
    private readonly most: number,
    private readonly fading: number,
  ) {}

  observe(arm: string, category: string, { asked, realised, quality }: EffortOutcome): void {
    if (![asked, realised, quality ?? 0].every((value) => Number.isFinite(value) && value >= 0))
      throw new RangeError('efforts and qualities are finite and not below 0')
    for (const key of keysOf(arm, category)) {
      const bin = this.bins(key)[binOf(asked)]
      if (bin === undefined) continue
      const kept = 1 - 1 / (this.fading + 1)
      bin.n = bin.n * kept + 1
      bin.asked = bin.asked * kept + Math.min(asked, widest)
      bin.realised = bin.realised * kept + Math.min(realised, mostRealised)
      bin.quality = bin.quality * kept + (quality ?? 0)
      bin.judged = bin.judged * kept + (quality === undefined ? 0 : 1)
    }
  }

  curve(arm: string, category: string): MonotoneCurve {
    const [armKey, ownKey] = keysOf(arm, category)
    const [whole, own] = [this.byKey.get(armKey), this.byKey.get(ownKey)]
    const points: WeightedPoint[] = []
    for (let index = 0; index < bins; index++) {
      const middle = ((index + 0.5) * widest) / bins
      const [wide, narrow] = [whole?.[index], own?.[index]]
      const share = narrow === undefined ? 0 : narrow.n / (narrow.n + shrinkage)
      const sum = (part: 'asked' | 'realised' | 'n') => (wide?.[part] ?? 0) * (1 - share) + (narrow?.[part] ?? 0) * share
      // Where nothing was asked for yet, the model is believed to obey: so what was never tried is asked for once, and learned.
      const weight = sum('n') + priorWeight
      points.push({ x: (sum('asked') + middle * priorWeight) / weight, y: (sum('realised') + middle * priorWeight) / weight, weight })
    }
    return fitIsotonic(points)
  }

  overshoot(arm: string, category: string): number {
    let [asked, realised] = [priorWeight, priorWeight]
    for (const key of keysOf(arm, category))
      for (const bin of this.byKey.get(key) ?? []) {
        asked += bin.asked
        realised += bin.realised
      }
    return realised / asked
  }

  table(arm: string, category: string): readonly EffortRow[] {
    const own = this.byKey.get(keysOf(arm, category)[1]) ?? []
    return own
      .filter(({ n }) => n > 0)
      .map(({ n, asked, realised, quality, judged }) => ({
        asked: asked / n,
        realised: realised / n,
        quality: judged > 0 ? quality / judged : null,
        n,
      }))
  }

  serialize(): Uint8Array {
    const curves = [...this.byKey].map(([key, rows]) => [
      key,
      rows.map(({ n, asked, realised, quality, judged }) => [n, asked, realised, quality, judged]),
    ])
    return new TextEncoder().encode(JSON.stringify({ version: 1, fading: this.fading, curves }))
  }

  private bins(key: string): readonly Bin[] {
    const found = this.byKey.get(key) ?? Array.from({ length: bins }, (): Bin => ({ n: 0, asked: 0, realised: 0, quality: 0, judged: 0 }))
    // Put at the end, so that the first one is the one not used for longest.
    this.byKey.delete(key)
    const [oldest] = this.byKey.size >= this.most ? this.byKey.keys() : []
    if (oldest !== undefined) this.byKey.delete(oldest)
    this.byKey.set(key, found)
    return found
  }
}

/** The arm's, and the category's own. */
function keysOf(arm: string, category: string): readonly [string, string] {
  return [`a ${arm}`, `c ${category} ${arm}`]
}

function binOf(asked: number): number {
  return Math.min(bins - 1, Math.floor((asked / widest) * bins))
}
