import { describe, expect, it } from 'vitest'
import { rankOrder, workersOf } from '../../bench/data/rank-order.js'
import { childRandom } from '../../src/statistics/index.js'

describe('rows of a harness that ran on several processes', () => {
  it('stand one process after the other', () => {
    expect([...rankOrder(7, 1)]).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect([...rankOrder(7, 3)]).toEqual([0, 3, 6, 1, 4, 2, 5])
  })

  it('tell how many processes each model ran on', () => {
    const random = childRandom(1, 'ranks')
    const truth = [1, 2, 4, 8, 8, 1]
    const tasks = [150, 250].map((documents) => {
      const ease = Array.from({ length: documents }, () => random.next())
      return truth.map((workers) => {
        const right = ease.map((chance) => (random.next() < 0.15 + 0.7 * chance ? 1 : 0))
        return [...rankOrder(documents, workers)].map((document) => right[document] ?? 0)
      })
    })
    expect(workersOf(tasks)).toEqual(truth)
  })

  it('are left as they are where nothing tells', () => {
    expect(workersOf([[new Float64Array(40), new Float64Array(40).fill(1)]])).toEqual([1, 1])
  })
})
