import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LedgerFault } from '../../ledger/index.js'
import { FaultLog } from './fault-log.js'
import type { LogFields } from './log.js'

let lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[]
let faults: FaultLog
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  lines = []
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields })
  faults = new FaultLog({ error: at('error'), info: at('info') })
})
afterEach(() => {
  faults.close()
  vi.useRealTimers()
})

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })
const away: LedgerFault = { kind: 'store', message: 'the database did not take a heartbeat', error: refused }

describe('faults of the ledger in the log', () => {
  it('are told when they begin, then ever more seldom, and once when they are over', () => {
    // Ten minutes, a fault every two seconds.
    for (let second = 0; second < 600; second += 2) {
      faults.fault(away)
      vi.advanceTimersByTime(2_000)
    }
    expect(lines.map(({ fields }) => fields['seconds'])).toEqual([undefined, 30, 90, 210, 450])
    expect(lines.reduce((sum, { fields }) => sum + 1 + Number(fields['untold'] ?? 0), 0)).toBeLessThanOrEqual(300)
    expect(lines[1]?.fields).toEqual({
      kind: 'store',
      seconds: 30,
      untold: 14,
      reason: 'ECONNREFUSED: connect ECONNREFUSED 127.0.0.1:5432',
    })
    lines = []
    vi.advanceTimersByTime(60_000)
    expect(lines).toEqual([
      { level: 'info', message: 'the ledger: this fault is over', fields: { kind: 'store', seconds: 598, untold: 74 } },
    ])
  })

  it('have no stack where the cause is outside, and one where the program is wrong', () => {
    faults.fault(away)
    faults.fault({ kind: 'worker', message: 'the ledger’s worker failed', error: new TypeError('undefined is not a function') })
    expect(Object.values(lines[0]?.fields ?? {}).some((value) => value instanceof Error)).toBe(false)
    expect(lines[1]?.fields['fault']).toBeInstanceOf(TypeError)
  })

  it('of different kinds do not hide each other, nor does one that happens once hide the next', () => {
    const spoilt: LedgerFault = { kind: 'spoilt', message: '12 bytes were skipped' }
    for (const fault of [away, away, { ...away, kind: 'journal' } as const, spoilt, spoilt]) faults.fault(fault)
    expect(lines.map(({ fields }) => fields['kind'])).toEqual(['store', 'journal', 'spoilt', 'spoilt'])
  })

  it('begin anew after they were over', () => {
    faults.fault(away)
    vi.advanceTimersByTime(31_000)
    faults.fault(away)
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info', 'error'])
  })
})
