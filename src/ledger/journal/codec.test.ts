import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noUsage } from '../../quantities/index.js'
import { callRecord, decisionRecord, outcomeRecord } from '../ledger-contract.js'
import { decodeRecord, encodeRecord } from './codec.js'
import { anyLedgerRecord } from './fixtures/records.js'

describe('the codec of the journal', () => {
  it('gives back every record as it was, on one line', () => {
    fc.assert(
      fc.property(anyLedgerRecord, (entry) => {
        const line = encodeRecord(entry)
        expect(line).not.toContain('\n')
        expect(decodeRecord(line)).toEqual(entry)
        // Through bytes, as a file holds it.
        expect(decodeRecord(Buffer.from(line, 'utf8').toString('utf8'))).toEqual(entry)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps money that a double cannot hold', () => {
    const record = callRecord({ cacheSavings: null, settled: [2n ** 200n, -1n, 0n] })
    expect(decodeRecord(encodeRecord({ type: 'call', record }))).toEqual({ type: 'call', record })
  })

  it.each([NaN, Infinity, -Infinity])('refuses a record with the number %s, wherever it is', (bad) => {
    const call = callRecord()
    expect(() => encodeRecord({ type: 'call', record: { ...call, at: bad } })).toThrow(RangeError)
    expect(() => encodeRecord({ type: 'call', record: { ...call, cost: { ...call.cost, joules: bad } } })).toThrow(RangeError)
    const decision = decisionRecord({ trial: { heldOut: true, holdout: bad, policyArm: 'a' } })
    expect(() => encodeRecord({ type: 'decision', record: decision })).toThrow(RangeError)
    expect(() => encodeRecord({ type: 'outcome', record: outcomeRecord({ sought: bad }) })).toThrow(RangeError)
    for (const bucket of Object.keys(noUsage))
      expect(() => encodeRecord({ type: 'call', record: { ...call, usage: { ...noUsage, [bucket]: bad } } })).toThrow(RangeError)
  })

  it('reads decisions and outcomes of journals that knew nothing of trials', () => {
    const decision = decodeRecord(
      'decision {"decisionId":"d","requestId":"r","at":1,"key":"k","requestedModel":"m","arm":"a","policy":"p","propensity":1,"reason":"named"}',
    )
    expect(decision).toMatchObject({ type: 'decision', record: { decisionId: 'd' } })
    expect(decision.record).not.toHaveProperty('trial')
    expect(decodeRecord('outcome {"outcomeId":"o","at":1,"key":"k","source":"user","score":1}')).toEqual({
      type: 'outcome',
      record: { outcomeId: 'o', at: 1, key: 'k', source: 'user', score: 1 },
    })
  })

  it.each(['', 'call', 'call ', 'call {', 'verdict {}', 'intent {"held":3}'])('throws for the line %j', (line) => {
    expect(() => decodeRecord(line)).toThrow()
  })
})
