import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asOutcomeRow, rowBySchema } from './outcome-row.js'

/** Mostly right, so that many rows are right altogether. */
const mostly = <Value>(right: fc.Arbitrary<Value>, wrong: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: wrong })
const amount = mostly(fc.constantFrom(0, 0.25, 1, -0), fc.constantFrom(1.5, -1, 1e400, NaN, '1', null))
const count = mostly(fc.nat(100), fc.constantFrom(1.5, -1, 2 ** 53, '7', null))
const measured = {
  quality: amount,
  usd: amount,
  inputTokens: count,
  outputTokens: count,
  reasoningTokens: count,
  seconds: amount,
  answer: mostly(fc.constantFrom('', 'text', '\ud83d\ude00'), fc.constantFrom('\ud83d', '\ude00\ud83d', 3)),
}
const rarely = <Value>(arbitrary: fc.Arbitrary<Value>) => mostly(arbitrary, fc.constantFrom(null, 1, 'text', [], {}))
const someOf = (fields: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[] = []) => rarely(fc.record(fields, { requiredKeys }))
const message = rarely(fc.record({ role: mostly(fc.constant('user'), fc.constant('')), content: fc.constantFrom('q', null, []) }))
const outcome = someOf({ ...measured, samples: rarely(fc.array(someOf(measured), { minLength: 1, maxLength: 2 })) })
const row = mostly(
  someOf(
    {
      id: mostly(fc.constant('a'), fc.constantFrom('', 4)),
      request: someOf({ messages: rarely(fc.array(message, { maxLength: 2 })), tools: fc.constant([]) }, ['messages']),
      category: mostly(fc.constant('maths'), fc.constant(7)),
      weight: mostly(fc.constantFrom(1, 2.5), fc.constantFrom(0, Infinity, '1')),
      outcomes: rarely(fc.dictionary(fc.constantFrom('m', 'm', 'm', 'n', 'n', 'n', '', '__proto__'), outcome, { maxKeys: 2 })),
    },
    ['id', 'request', 'outcomes'],
  ),
  fc.record({ id: fc.constant('a'), outcomes: fc.anything() }),
)

describe('a row looked at by hand', () => {
  it('is what the schema says, fault for fault', () => {
    let plain = 0
    fc.assert(
      fc.property(row, (value) => {
        const found = asOutcomeRow(value)
        expect(found).toEqual(rowBySchema(value))
        if (found === value) plain += 1
      }),
      { seed: 7, numRuns: 600 },
    )
    expect(plain).toBeGreaterThan(100)
  })

  it('goes to the schema where a field is unknown, which takes it away', () => {
    const outcomes = { m: { quality: 1, colour: 'red' } }
    expect(asOutcomeRow({ id: '1', request: { messages: [{ role: 'user', content: 'q' }] }, outcomes })).toMatchObject({
      outcomes: { m: { quality: 1 } },
    })
    expect(JSON.stringify(asOutcomeRow({ id: '1', request: { messages: [{ role: 'user', content: 'q' }] }, outcomes }))).not.toContain(
      'red',
    )
  })
})
