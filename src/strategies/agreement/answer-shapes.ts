import { BursarError } from '../../errors/index.js'

/** Counts as plain data: of all answers of a category (`''` as shape) and of those of a shape, how many were right. */
export interface SavedShapes {
  readonly version: 1
  readonly counts: readonly (readonly [category: string, shape: string, right: number, total: number])[]
}

/** A shape starts from its category's rate, as if so many answers of it had been seen. */
const SHRINKAGE = 4
/** No shape weighs less: an answer of an odd shape may be right. */
const LEAST_WEIGHT = 0.02
const MOST_SHAPES = 20_000

/**
 * What an answer looks like, not what it says: its form, for numbers whether whole and how many digits, for words how many and, of one word, how long.
 * Of a key as `answerKey` gives it. O(key).
 */
export function answerShape(key: string): string {
  const form = key.slice(0, 1)
  const body = key.slice(2)
  if (form === 'n') {
    if (body.includes(',')) return 'numbers'
    const digits = Math.min(8, (body.replace('-', '').split('.')[0] ?? '').length)
    return `number:${body.startsWith('-') ? 'negative' : 'positive'}:${body.includes('.') || body.includes('e') ? 'fraction' : 'whole'}:${digits}`
  }
  if (form === 't') {
    const words = body.split(' ')
    return words.length > 1 ? `words:${Math.min(8, words.length)}` : `word:${Math.min(24, body.length)}`
  }
  return form
}

/**
 * How plausible answers of a shape are in a category, learned from outcomes: where right answers are whole numbers, an answer of 3.7 is hardly one, however
 * often it is given. Weighs votes: the odds that an answer of the shape is right, relative to the category's, at most 1. Bounded; O(1).
 */
export class AnswerShapes {
  readonly #counts = new Map<string, { right: number; total: number }>()

  static load(saved: unknown): AnswerShapes {
    const shapes = new AnswerShapes()
    if (
      typeof saved !== 'object' ||
      saved === null ||
      !('version' in saved) ||
      saved.version !== 1 ||
      !('counts' in saved) ||
      !Array.isArray(saved.counts)
    )
      throw unreadable()
    for (const row of saved.counts as readonly unknown[]) {
      if (!Array.isArray(row)) throw unreadable()
      const [category, shape, right, total] = row as readonly unknown[]
      if (
        typeof category !== 'string' ||
        typeof shape !== 'string' ||
        typeof right !== 'number' ||
        typeof total !== 'number' ||
        !(right >= 0 && right <= total && total < Infinity)
      )
        throw unreadable()
      shapes.#counts.set(`${category}\0${shape}`, { right, total })
    }
    return shapes
  }

  save(): SavedShapes {
    return {
      version: 1,
      counts: [...this.#counts].map(([key, { right, total }]) => {
        const at = key.indexOf('\0')
        return [key.slice(0, at), key.slice(at + 1), right, total]
      }),
    }
  }

  /** Learns that an answer was right (1), wrong (0) or in between; `weight`: how much that counts. Throws `RangeError`, and learns nothing, for other numbers. */
  learn(key: string, right: number, category = '', weight = 1): void {
    this.learnShape(answerShape(key), right, category, weight)
  }

  /** The same of an answer of which only the shape is known (`answerShape`). */
  learnShape(own: string, right: number, category = '', weight = 1): void {
    if (!(right >= 0 && right <= 1)) throw new RangeError(`an outcome lies in [0, 1], not ${right}`)
    if (!(weight >= 0 && weight < Infinity)) throw new RangeError(`a weight is a number of at least 0, not ${weight}`)
    for (const shape of ['', own]) {
      const name = `${category}\0${shape}`
      const cell = this.#counts.get(name)
      if (cell) {
        cell.right += weight * right
        cell.total += weight
      } else if (this.#counts.size < MOST_SHAPES) this.#counts.set(name, { right: weight * right, total: weight })
    }
  }

  /** The weight of a vote for this answer, in [0.02, 1]; 1 for shapes that say nothing, and before anything was learned. */
  weight(key: string, category = ''): number {
    const all = this.#counts.get(`${category}\0`)
    if (all === undefined) return 1
    const base = (all.right + 1) / (all.total + 2)
    const own = this.#counts.get(`${category}\0${answerShape(key)}`)
    if (own === undefined) return 1
    const rate = (own.right + SHRINKAGE * base) / (own.total + SHRINKAGE)
    return Math.min(1, Math.max(LEAST_WEIGHT, (rate / (1 - rate)) * ((1 - base) / base)))
  }
}

function unreadable(): BursarError {
  return new BursarError('These are no saved answer shapes of this version.', { code: 'invalid_configuration', status: 500 })
}
