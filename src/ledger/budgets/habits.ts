import type { Unit } from '../../quantities/index.js'
import { BoundedMap } from './bounded-map.js'

/** The weight of the newest call in a running mean. */
const NEWEST = 0.1

/** What calls of one key usually reserve and take, by unit, as running means in grains. For telling how tight a budget is, never for money. */
export class Habit {
  private readonly means = new Map<Unit, { reserved: number; taken: number }>()

  learn(unit: Unit, reserved: bigint, taken: bigint): void {
    const mean = this.means.get(unit)
    if (!mean) {
      this.means.set(unit, { reserved: Number(reserved), taken: Number(taken) })
      return
    }
    mean.reserved += NEWEST * (Number(reserved) - mean.reserved)
    mean.taken += NEWEST * (Number(taken) - mean.taken)
  }

  /** Grains that must be left for one call like those before and the reservation of another after it; 0 when nothing is known. */
  roomForTwo(unit: Unit): number {
    const mean = this.means.get(unit)
    return mean ? mean.reserved + mean.taken : 0
  }
}

/** Habits of the keys that called last. */
export class Habits {
  private readonly byOwner: BoundedMap<Habit>

  constructor(capacity: number) {
    this.byOwner = new BoundedMap(capacity)
  }

  of(owner: string): Habit {
    let habit = this.byOwner.get(owner)
    if (!habit) this.byOwner.set(owner, (habit = new Habit()))
    return habit
  }
}
