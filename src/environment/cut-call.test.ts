import { describe, expect, it } from 'vitest'
import { picoUsd } from '../quantities/index.js'
import type { CutCall, OutcomeRow } from './index.js'
import { recordedEnvironment } from './index.js'

const row: OutcomeRow = {
  id: 'r',
  request: { messages: [{ role: 'user', content: '?' }] },
  outcomes: { m: { answer: 'word '.repeat(200), inputTokens: 10, outputTokens: 200, quality: 1 } },
}
const request = { model: 'm', messages: [], stream: true, paths: {}, extra: [] }

describe('a call that is cut by its reader', () => {
  it('tells what it took: its input and what had gone out', async () => {
    const env = recordedEnvironment(row, { price: (_, usage) => picoUsd(usage.outputTokens) })
    const cuts: CutCall[] = []
    const running = env.call('m', request, { onCut: (taken) => cuts.push(taken) })
    let seen = 0
    while (seen < 500) {
      const step = await running.next()
      if (step.done) break
      if (step.value.type === 'text') seen += step.value.text.length
    }
    await running.return(undefined as never)
    expect(cuts).toHaveLength(1)
    expect(cuts[0]?.usage.inputTokens).toBe(10)
    expect(cuts[0]?.usage.outputTokens).toBe(Math.ceil((200 * seen) / 1000))
    expect(cuts[0]).toEqual({
      callId: 'rec-r-m-0',
      provider: 'recorded',
      deployment: 'recorded/m',
      usage: env.spent().usage,
      cost: env.spent().cost,
    })
  })

  it('says nothing of a call that ends', async () => {
    const cuts: CutCall[] = []
    const env = recordedEnvironment(row)
    for await (const delta of env.call('m', request, { onCut: (taken) => cuts.push(taken) })) expect(delta).toBeDefined()
    expect(cuts).toEqual([])
  })
})
