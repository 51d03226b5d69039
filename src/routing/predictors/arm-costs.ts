import type { Features } from '../../understanding/index.js'
import type { ArmFacts, ArmId } from '../contracts.js'
import { mostArms } from './arm-means.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { measures } from './observed.js'

/**
 * What arms take: for each measure a line in log space, ln y = α + β·ln(input tokens), of each arm, shrunk to its tier and to all arms, with an
 * offset for the category. Input tokens are counted, not predicted (069). Means come back from log space by the log-normal's exp(σ²/2).
 */
export interface ArmCosts {
  /** Expected natural logarithm of each measure, in the order of `measures`; `NaN` where nothing is known. O(1). */
  logs(arm: ArmId, features: Features, category: string | undefined): Float64Array
  /** What exp(expected logarithm) is multiplied by for the mean: exp(σ²/2), between 1 and `mostSmear`. */
  smear(arm: ArmId, measure: number): number
  add(arm: ArmId, features: Features, category: string | undefined, logs: Float64Array, weight: number): void
  write(to: ByteWriter): void
}

/** A σ of 1.5 in log space: beyond it a tail would be guessed from a few outliers. */
const mostSmear = Math.exp(1.125)
/** Weight of the slope's prior (β = 0), in outcomes whose ln input tokens vary by 1. */
const slopePrior = 4
const mostTables = 20_000

/** Of each measure: Σw, Σwx, Σwy, Σwxx, Σwxy; then Σw·e² and Σw of the errors e that the line made in foretelling outcomes before it learned from them. */
const sums = 7
const size = sums * measures.length
type Table = Float64Array

interface Line {
  readonly weight: number
  readonly slope: number
  readonly meanX: number
  readonly meanY: number
}

export function createArmCosts(facts: readonly ArmFacts[], shrinkage: number, from?: ByteReader): ArmCosts {
  const tiers = new Map(facts.map(({ id, card }) => [id, card.tier]))
  const tables = new Map<string, Table>()
  if (from)
    for (let left = from.count(mostTables); left > 0; left--) {
      const name = from.text()
      tables.set(name, from.f64(size))
    }
  let arms = [...tables.keys()].filter((name) => name.startsWith('arm ')).length

  const tierName = (arm: ArmId) => `tier ${tiers.get(arm) ?? ''}`
  const armName = (arm: ArmId) => `arm ${arm}`
  const localName = (arm: ArmId, category: string) => `local ${category.length} ${category} ${arm}`

  function line(name: string, measure: number): Line | null {
    const table = tables.get(name)
    const at = measure * sums
    const weight = table?.[at] ?? 0
    if (!table || weight === 0) return null
    // Read one by one: this is done for every arm of every decision, and views would cost more than the rest.
    const x = table[at + 1] ?? 0
    const y = table[at + 2] ?? 0
    const xx = table[at + 3] ?? 0
    const xy = table[at + 4] ?? 0
    const meanX = x / weight
    const meanY = y / weight
    const spreadX = Math.max(0, xx - weight * meanX * meanX)
    const slope = (xy - weight * meanX * meanY) / (spreadX + slopePrior)
    return { weight, slope, meanX, meanY }
  }

  /** ln y at x: the line of all arms, moved towards the tier's, then the arm's, then the category's residual. */
  function expected(arm: ArmId, x: number, category: string | undefined, measure: number): number {
    const all = line('all', measure)
    if (!all) return NaN
    let value = all.meanY + all.slope * (x - all.meanX)
    const tier = tiers.get(arm) === undefined ? null : line(tierName(arm), measure)
    if (tier) value = towards(value, tier.meanY + tier.slope * (x - tier.meanX), tier.weight)
    const own = line(armName(arm), measure)
    if (!own) return value
    value = towards(value, own.meanY + own.slope * (x - own.meanX), own.weight)
    const local = category === undefined ? null : line(localName(arm, category), measure)
    return local ? towards(value, local.meanY + own.slope * (x - local.meanX), local.weight) : value
  }

  const towards = (prior: number, value: number, weight: number) => (weight * value + shrinkage * prior) / (weight + shrinkage)

  function addTo(name: string, x: number, logs: Float64Array, weight: number): void {
    let table = tables.get(name)
    if (!table) {
      if (tables.size >= mostTables) return
      tables.set(name, (table = new Float64Array(size)))
    }
    for (let measure = 0; measure < measures.length; measure++) {
      const y = logs[measure] ?? NaN
      if (Number.isNaN(y)) continue
      const at = measure * sums
      const values = [1, x, y, x * x, x * y]
      for (let term = 0; term < values.length; term++) table[at + term] = (table[at + term] ?? 0) + weight * (values[term] ?? 0)
    }
  }

  function addErrors(name: string, errors: Float64Array, weight: number): void {
    const table = tables.get(name)
    if (!table) return
    errors.forEach((error, measure) => {
      if (Number.isNaN(error)) return
      const at = measure * sums + 5
      table[at] = (table[at] ?? 0) + weight * error * error
      table[at + 1] = (table[at + 1] ?? 0) + weight
    })
  }

  return {
    logs(arm, features, category) {
      const out = new Float64Array(measures.length)
      const x = inputOf(features)
      for (let measure = 0; measure < out.length; measure++) out[measure] = expected(arm, x, category, measure)
      return out
    },
    smear(arm, measure) {
      const table = tables.get(armName(arm)) ?? tables.get('all')
      const weight = table?.[measure * sums + 6] ?? 0
      return weight === 0 ? 1 : Math.min(mostSmear, Math.exp((table?.[measure * sums + 5] ?? 0) / weight / 2))
    },
    add(arm, features, category, logs, weight) {
      if (logs.every(Number.isNaN)) return
      if (!tables.has(armName(arm))) {
        if (arms >= mostArms) return
        arms += 1
      }
      const x = inputOf(features)
      const errors = logs.map((y, measure) => y - expected(arm, x, category, measure))
      addTo('all', x, logs, weight)
      addTo(armName(arm), x, logs, weight)
      addErrors('all', errors, weight)
      addErrors(armName(arm), errors, weight)
      if (tiers.get(arm) !== undefined) addTo(tierName(arm), x, logs, weight)
      if (category !== undefined) addTo(localName(arm, category), x, logs, weight)
    },
    write(to) {
      to.number(tables.size)
      tables.forEach((table, name) => {
        to.text(name)
        to.f64(table)
      })
    },
  }
}

function inputOf({ traits }: Features): number {
  return Number.isFinite(traits.inputTokens) && traits.inputTokens > 0 ? Math.log(traits.inputTokens) : 0
}
