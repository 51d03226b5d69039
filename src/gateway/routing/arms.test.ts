import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config/index.js'
import { inspectConfig } from '../inspect.js'

describe('an arm that learns on the way', () => {
  it('has a strategy of its own for each tenant, and the same one each time', async () => {
    const { config } = parseConfig(
      'providers: {sandbox: }\nrouting: {arms: [{name: half, strategy: {kind: effort, effort: 0.5, strategy: sandbox/small}}]}',
      {},
    )
    const opened = await inspectConfig(config)
    try {
      const arm = opened.router.arms.byId.get('half')
      if (!arm) throw new Error('no arm')
      expect(arm.strategyFor('a')).toBe(arm.strategyFor('a'))
      expect(arm.strategyFor('a')).not.toBe(arm.strategyFor('b'))
      expect(arm.strategyFor('a').id).toBe(arm.strategy.id)
    } finally {
      await opened.close()
    }
  })
})
