import { describe, expect, it } from 'vitest'
import { usd } from '../../quantities/index.js'
import { learningBudget } from '../../routing/index.js'
import { parseStrategy, StrategyLibrary, type LibraryUse } from '../../strategies/index.js'
import { scriptedEnvironment } from '../../strategies/planning/fixtures/scripted-environment.js'
import { Guides, type GuideParts } from './index.js'

const seed = parseStrategy('small')
const use: LibraryUse = {
  name: 'l',
  seeds: [seed],
  lambda: 1,
  explore: 0,
  plan: [],
  guide: { model: { model: 'guide' }, models: ['small', 'large'], everyFailures: 3, mostCalls: 4 },
}

function failing(): StrategyLibrary {
  const library = new StrategyLibrary()
  library.addSeeds([seed])
  for (const { hash } of library.entries) for (let run = 0; run < 3; run++) library.record({ cluster: 'k', hash, quality: 0, usd: 1 })
  return library
}

function guides(changes: Partial<GuideParts> = {}) {
  const said: string[] = []
  const budget = learningBudget(usd(1), { now: () => 0 })
  const proposals = [{ strategy: 'large' }, { strategy: { kind: 'self_consistency', model: 'large', most: 9 } }, { strategy: 'other' }]
  const env = scriptedEnvironment(() => JSON.stringify({ strategies: proposals }))
  const made = new Guides({
    open: () => ({ env, end: () => said.push('ended') }),
    priceOf: () => usd(0.01),
    budget: () => budget,
    note: (text) => said.push(text),
    onFault: (thrown) => said.push(String(thrown)),
    ...changes,
  })
  return { made, said, budget, env }
}

describe('guides of libraries', () => {
  it('are asked in the background, take what holds, and give back what they did not need', async () => {
    const { made, said, budget, env } = guides()
    const library = failing()
    made.wanted({ use, library, cluster: 'k' })
    made.wanted({ use, library, cluster: 'k' })
    await made.idle()
    expect(env.heard).toHaveLength(1)
    expect(library.entries.map(({ source }) => source)).toEqual(['seed', 'guide'])
    expect(said).toEqual(['ended', 'The guide of the library "l" proposed 1 new strategies for "k"; 2 were refused.'])
    expect(budget.remaining()).toBe(usd(0.999))
  })

  it.each<[string, Partial<GuideParts>]>([
    ['the price is not known', { priceOf: () => null }],
    ['learning has no dollars left', { budget: () => learningBudget(usd(0.001), { now: () => 0 }) }],
    ['it is dearer than its share of the spending', { priceOf: () => usd(0.5) }],
  ])('are not asked where %s', async (_, changes) => {
    const { made, env } = guides(changes)
    made.wanted({ use, library: failing(), cluster: 'k' })
    await made.idle()
    expect(env.heard).toEqual([])
  })
})
