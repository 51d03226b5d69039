import { describe, expect, it } from 'vitest'
import type { CutCall } from '../../src/environment/index.js'
import { asking, live } from './worlds.js'

describe('a live call that is cut by its reader', () => {
  it('tells what the ledger recorded of it', async () => {
    const world = live()
    const cuts: CutCall[] = []
    const running = world.env.call('large', asking(), { onCut: (taken) => cuts.push(taken) })
    let pieces = 0
    while (pieces < 3) {
      const step = await running.next()
      if (step.done) break
      if (step.value.type === 'text') pieces++
    }
    await running.return(undefined as never)
    expect(cuts).toHaveLength(1)
    const { usage, cost } = world.spent()
    expect(cuts[0]).toMatchObject({ usage, cost })
    expect(usage.outputTokens).toBeGreaterThan(0)
    expect(usage.inputTokens).toBeGreaterThan(0)
    expect(cost.usd).not.toBeNull()
    expect(world.inFlight()).toBe(0)
  })

  it('says nothing of a call that ends or fails', async () => {
    const world = live()
    const cuts: CutCall[] = []
    const onCut = (taken: CutCall) => void cuts.push(taken)
    for await (const delta of world.env.call('small', asking(), { onCut })) expect(delta).toBeDefined()
    await expect(world.env.call('broken', asking(), { onCut }).next()).rejects.toThrow()
    expect(cuts).toEqual([])
  })
})
