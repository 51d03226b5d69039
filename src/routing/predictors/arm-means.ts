import type { Features } from '../../understanding/index.js'
import type { ArmFacts, ArmId } from '../contracts.js'
import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * What each arm is worth on average, and in each category, each level shrunk to the one above: category × arm → arm → tier → all arms.
 * So an arm is worth something from its first outcome on, and before it what its tier is worth.
 */
export interface ArmMeans {
  /** Mean quality and the variance of that mean; `null` while no arm has any outcome. `support` is the weight of the arm's own outcomes in it. */
  of(arm: ArmId, category: string | undefined): MeanOfArm | null
  /** Arms in the order they were first seen. */
  readonly arms: readonly ArmId[]
  add(arm: ArmId, category: string | undefined, quality: number, weight: number): void
  write(to: ByteWriter): void
}

export interface MeanOfArm {
  readonly mean: number
  readonly variance: number
  readonly support: number
}

/** Most categories that are told apart; later ones count for their arm only. */
const mostCategories = 1_000
/** Most arms that are remembered. */
export const mostArms = 1_000

interface Tally {
  weight: number
  sum: number
}

/** A category is used where it is rather sure (060: below 0.6 the request is "other"). */
export function sureCategory({ category }: Features): string | undefined {
  return category && category.probability >= 0.6 ? category.name : undefined
}

/** `shrinkage` is a: how many outcomes the level above counts for. */
export function createArmMeans(facts: readonly ArmFacts[], shrinkage: number, from?: ByteReader): ArmMeans {
  const tiers = new Map(facts.map(({ id, card }) => [id, card.tier]))
  const all: Tally = { weight: 0, sum: 0 }
  const byTier = new Map<string, Tally>()
  const byArm = new Map<ArmId, Tally>()
  const byCategory = new Map<string, Map<ArmId, Tally>>()

  function tally<Key>(map: Map<Key, Tally>, key: Key): Tally {
    let found = map.get(key)
    if (!found) map.set(key, (found = { weight: 0, sum: 0 }))
    return found
  }

  function count(arm: ArmId, category: string | undefined, weight: number, sum: number): void {
    if (!byArm.has(arm) && byArm.size >= mostArms) return
    const tier = tiers.get(arm)
    const levels = [all, tally(byArm, arm)]
    if (tier !== undefined) levels.push(tally(byTier, tier))
    if (category !== undefined) {
      let table = byCategory.get(category)
      if (!table && byCategory.size < mostCategories) byCategory.set(category, (table = new Map()))
      if (table) levels.push(tally(table, arm))
    }
    for (const level of levels) {
      level.weight += weight
      level.sum += sum
    }
  }

  if (from) read(from)

  function read(reader: ByteReader): void {
    // Sums are stored level by level rather than counted again: floating sums in another order would not be bit-equal.
    const texts = () => {
      const list: string[] = []
      for (let left = reader.count(mostCategories + mostArms); left > 0; left--) list.push(reader.text())
      return list
    }
    const tallies = () => {
      const names = texts()
      const values = reader.f64(2 * names.length)
      return new Map(names.map((name, at) => [name, { weight: values[2 * at] ?? 0, sum: values[2 * at + 1] ?? 0 }]))
    }
    Object.assign(all, tallies().get('all'))
    tallies().forEach((value, key) => byTier.set(key, value))
    tallies().forEach((value, key) => byArm.set(key, value))
    for (const name of texts()) byCategory.set(name, tallies())
  }

  return {
    get arms() {
      return [...byArm.keys()]
    },
    of(arm, category) {
      if (all.weight === 0) return null
      const tier = tiers.get(arm)
      let mean = all.sum / all.weight
      const own = byArm.get(arm)
      const ofTier = tier === undefined ? undefined : byTier.get(tier)
      if (ofTier) mean = (ofTier.sum + shrinkage * mean) / (ofTier.weight + shrinkage)
      let weight = own?.weight ?? 0
      if (own) mean = (own.sum + shrinkage * mean) / (own.weight + shrinkage)
      const local = category === undefined ? undefined : byCategory.get(category)?.get(arm)
      if (local && own) {
        mean = (local.sum + shrinkage * mean) / (local.weight + shrinkage)
        weight = local.weight
      }
      // Beta posterior with `shrinkage` pseudo-outcomes at the mean above; one more keeps it positive and below a single outcome's.
      return { mean, variance: (mean * (1 - mean) + 1e-4) / (weight + shrinkage + 1), support: weight }
    },
    add: (arm, category, quality, weight) => count(arm, category, weight, weight * quality),
    write(to) {
      const texts = (list: readonly string[]) => {
        to.number(list.length)
        for (const text of list) to.text(text)
      }
      const tallies = (map: ReadonlyMap<string, Tally>) => {
        texts([...map.keys()])
        to.f64(Float64Array.from([...map.values()].flatMap(({ weight, sum }) => [weight, sum])))
      }
      tallies(new Map([['all', all]]))
      tallies(byTier)
      tallies(byArm)
      texts([...byCategory.keys()])
      byCategory.forEach((table) => tallies(table))
    },
  }
}
