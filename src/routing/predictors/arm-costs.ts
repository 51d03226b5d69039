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
  /**
   * Expected natural logarithm of each measure, in the order of `measures`; `NaN` where nothing is known. O(1). The array is used again by
   * the next call.
   */
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
interface Table {
  readonly sums: Float64Array
  /** What follows from the sums, of each measure; `undefined` where it has to be computed again. */
  readonly lines: (Line | null | undefined)[]
  readonly smears: (number | undefined)[]
}

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
      tables.set(name, tableOf(from.f64(size)))
    }
  let arms = [...tables.keys()].filter((name) => name.startsWith('arm ')).length

  const tierName = (arm: ArmId) => `tier ${tiers.get(arm) ?? ''}`
  const armName = (arm: ArmId) => `arm ${arm}`
  const localName = (arm: ArmId, category: string) => `local ${category.length} ${category} ${arm}`

  let whole = tables.get('all')
  // Tables by arm and category: their names would be put together for every arm of every decision.
  const found = { own: new Map<ArmId, Table>(), tier: new Map<ArmId, Table>(), local: new Map<string, Map<ArmId, Table>>() }
  const own = (arm: ArmId) => remembered(found.own, arm, armName)
  const tierOf = (arm: ArmId) => (tiers.get(arm) === undefined ? undefined : remembered(found.tier, arm, tierName))
  function local(arm: ArmId, category: string): Table | undefined {
    let byArm = found.local.get(category)
    if (!byArm) found.local.set(category, (byArm = new Map()))
    return byArm.get(arm) ?? remembered(byArm, arm, () => localName(arm, category))
  }

  /** Tables are never taken away, so one that was found stays. */
  function remembered(by: Map<ArmId, Table>, arm: ArmId, nameOf: (arm: ArmId) => string): Table | undefined {
    const known = by.get(arm)
    if (known) return known
    const table = tables.get(nameOf(arm))
    if (table && by.size < mostTables) by.set(arm, table)
    return table
  }

  function line(table: Table | undefined, measure: number): Line | null {
    if (!table) return null
    const known = table.lines[measure]
    return known === undefined ? (table.lines[measure] = fitted(table.sums, measure)) : known
  }

  // Used again by every call.
  const out = new Float64Array(measures.length)
  const errors = new Float64Array(measures.length)

  /** ln y at x of each measure: the line of all arms, moved towards the tier's, then the arm's, then the category's residual. */
  function expect(arm: ArmId, x: number, category: string | undefined): Float64Array {
    whole ??= tables.get('all')
    const tierTable = tierOf(arm)
    const ownTable = own(arm)
    const localTable = ownTable === undefined || category === undefined ? undefined : local(arm, category)
    for (let measure = 0; measure < out.length; measure++) out[measure] = expected(x, measure, tierTable, ownTable, localTable)
    return out
  }

  type Known = Table | undefined
  function expected(x: number, measure: number, tierTable: Known, ownTable: Known, localTable: Known): number {
    const all = line(whole, measure)
    if (!all) return NaN
    let value = all.meanY + all.slope * (x - all.meanX)
    const tier = line(tierTable, measure)
    if (tier) value = towards(value, tier.meanY + tier.slope * (x - tier.meanX), tier.weight)
    const ofArm = line(ownTable, measure)
    if (!ofArm) return value
    value = towards(value, ofArm.meanY + ofArm.slope * (x - ofArm.meanX), ofArm.weight)
    const inCategory = line(localTable, measure)
    return inCategory ? towards(value, inCategory.meanY + ofArm.slope * (x - inCategory.meanX), inCategory.weight) : value
  }

  const towards = (prior: number, value: number, weight: number) => (weight * value + shrinkage * prior) / (weight + shrinkage)

  /** The table of a name, made where there is room for one more. */
  function made(name: string): Table | undefined {
    let table = tables.get(name)
    if (!table && tables.size < mostTables) tables.set(name, (table = tableOf(new Float64Array(size))))
    return table
  }

  function addTo(table: Table | undefined, x: number, logs: Float64Array, weight: number): void {
    if (!table) return
    for (let measure = 0; measure < measures.length; measure++) {
      const y = logs[measure] ?? NaN
      if (Number.isNaN(y)) continue
      const at = measure * sums
      const { sums: cells } = table
      cells[at] = (cells[at] ?? 0) + weight
      cells[at + 1] = (cells[at + 1] ?? 0) + weight * x
      cells[at + 2] = (cells[at + 2] ?? 0) + weight * y
      cells[at + 3] = (cells[at + 3] ?? 0) + weight * (x * x)
      cells[at + 4] = (cells[at + 4] ?? 0) + weight * (x * y)
      table.lines[measure] = undefined
    }
  }

  function addErrors(table: Table | undefined, weight: number): void {
    if (!table) return
    errors.forEach((error, measure) => {
      if (Number.isNaN(error)) return
      const at = measure * sums + 5
      const { sums: cells } = table
      cells[at] = (cells[at] ?? 0) + weight * error * error
      cells[at + 1] = (cells[at + 1] ?? 0) + weight
      table.smears[measure] = undefined
    })
  }

  return {
    logs: (arm, features, category) => expect(arm, inputOf(features), category),
    smear(arm, measure) {
      const table = own(arm) ?? tables.get('all')
      if (!table) return 1
      return (table.smears[measure] ??= smearOf(table.sums, measure))
    },
    add(arm, features, category, logs, weight) {
      if (logs.every(Number.isNaN)) return
      if (own(arm) === undefined) {
        if (arms >= mostArms) return
        arms += 1
      }
      const x = inputOf(features)
      const foretold = expect(arm, x, category)
      for (let measure = 0; measure < errors.length; measure++) errors[measure] = (logs[measure] ?? NaN) - (foretold[measure] ?? NaN)
      const all = (whole ??= made('all'))
      const ofArm = own(arm) ?? made(armName(arm))
      addTo(all, x, logs, weight)
      addTo(ofArm, x, logs, weight)
      addErrors(all, weight)
      addErrors(ofArm, weight)
      if (tiers.get(arm) !== undefined) addTo(tierOf(arm) ?? made(tierName(arm)), x, logs, weight)
      if (category !== undefined) addTo(local(arm, category) ?? made(localName(arm, category)), x, logs, weight)
    },
    write(to) {
      to.number(tables.size)
      tables.forEach((table, name) => {
        to.text(name)
        to.f64(table.sums)
      })
    },
  }
}

function tableOf(cells: Float64Array): Table {
  return { sums: cells, lines: measures.map(() => undefined), smears: measures.map(() => undefined) }
}

function fitted(cells: Float64Array, measure: number): Line | null {
  const at = measure * sums
  const weight = cells[at] ?? 0
  if (weight === 0) return null
  const x = cells[at + 1] ?? 0
  const y = cells[at + 2] ?? 0
  const xx = cells[at + 3] ?? 0
  const xy = cells[at + 4] ?? 0
  const meanX = x / weight
  const meanY = y / weight
  const spreadX = Math.max(0, xx - weight * meanX * meanX)
  const slope = (xy - weight * meanX * meanY) / (spreadX + slopePrior)
  return { weight, slope, meanX, meanY }
}

function smearOf(cells: Float64Array, measure: number): number {
  const weight = cells[measure * sums + 6] ?? 0
  return weight === 0 ? 1 : Math.min(mostSmear, Math.exp((cells[measure * sums + 5] ?? 0) / weight / 2))
}

function inputOf({ traits }: Features): number {
  return Number.isFinite(traits.inputTokens) && traits.inputTokens > 0 ? Math.log(traits.inputTokens) : 0
}
