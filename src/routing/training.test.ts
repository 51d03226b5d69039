import { expect, it } from 'vitest'
import { createUnderstanding } from '../understanding/index.js'
import { observationsOfRow } from './training.js'

it('turns a row of an outcome table into one observation an arm, with what was measured and no more', () => {
  const features = createUnderstanding({ cacheEntries: 0 }).ofText('How many legs have three spiders?')
  const found = observationsOfRow(
    {
      id: 'r1',
      request: { messages: [{ role: 'user', content: 'How many legs have three spiders?' }] },
      category: 'sums',
      outcomes: { a: { quality: 0, outputTokens: 10, reasoningTokens: 5 }, b: { samples: [{ quality: 1 }, { quality: 0 }, { answer: '24' }], usd: 0.1 }, c: {} },
    },
    features,
  )
  expect(found.map(({ arm, quality, outputTokens, usd }) => ({ arm, quality, outputTokens, usd }))).toEqual([
    { arm: 'a', quality: 0, outputTokens: 15, usd: undefined },
    { arm: 'b', quality: 0.5, outputTokens: undefined, usd: 0.1 },
    { arm: 'c', quality: undefined, outputTokens: undefined, usd: undefined },
  ])
  expect(found.every((one) => one.features.category?.name === 'sums')).toBe(true)
})
