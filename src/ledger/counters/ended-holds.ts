import type { Settlement } from './postgres-batch.js'

/**
 * Reservations that are over and may still lie in the database as reserved: nearly always the store settles them, within
 * milliseconds. Found by counter, for whoever needs what they leave over. All steps are O(lines of the reservations).
 */
export class EndedHolds {
  private readonly byId = new Map<string, { readonly settlement: Settlement; readonly at: number }>()
  private readonly byCounter = new Map<string, Set<string>>()

  get size(): number {
    return this.byId.size
  }

  /** `at`: seconds, not less than those of the ones before. */
  add(settlement: Settlement, at: number): void {
    this.byId.set(settlement.id, { settlement, at })
    for (const counter of settlement.counters) {
      const ids = this.byCounter.get(counter)
      if (ids) ids.add(settlement.id)
      else this.byCounter.set(counter, new Set([settlement.id]))
    }
  }

  /** Removes one, and gives it. */
  take(id: string): Settlement | undefined {
    const ended = this.byId.get(id)
    if (ended === undefined) return undefined
    this.byId.delete(id)
    for (const counter of ended.settlement.counters) {
      const ids = this.byCounter.get(counter)
      ids?.delete(id)
      if (ids?.size === 0) this.byCounter.delete(counter)
    }
    return ended.settlement
  }

  /** Removes those on any of these counters, and gives them. */
  takeOn(counters: Iterable<string>): Settlement[] {
    const taken: Settlement[] = []
    for (const counter of counters)
      for (const id of [...(this.byCounter.get(counter) ?? [])]) {
        const settlement = this.take(id)
        if (settlement) taken.push(settlement)
      }
    return taken
  }

  /** Ids of the oldest, at most `limit` of those that are over since `until`. */
  oldest(until: number, limit: number): string[] {
    const ids: string[] = []
    for (const [id, { at }] of this.byId) {
      if (at > until || ids.length === limit) break
      ids.push(id)
    }
    return ids
  }
}
