import { describe, expect, it } from 'vitest'
import { InvalidRequest } from '../errors/index.js'
import { labelsOf } from './attribution.js'

describe('labelsOf', () => {
  it('finds nothing where nothing is said', () => {
    expect(Object.values(labelsOf({ host: 'x', 'x-bursar-run': '' })).filter((value) => value !== undefined)).toEqual([])
  })

  it('reads run, session, user, tags and limits', () => {
    expect(
      labelsOf({
        'x-bursar-run': 'run-7',
        'x-session-id': 's',
        'x-litellm-end-user-id': 'ann',
        'x-bursar-tags': 'feature=search, env=prod=1',
        'x-bursar-run-budget': 'usd=0.25; calls=40',
        'x-bursar-budget': 'seconds=1.5',
      }),
    ).toEqual({
      run: 'run-7',
      session: 's',
      user: 'ann',
      tags: { feature: 'search', env: 'prod=1' },
      runRules: [
        { unit: 'usd', limit: 250_000_000_000n, per: 'total', hard: true },
        { unit: 'calls', limit: 40n, per: 'total', hard: true },
      ],
      requestRules: [{ unit: 'seconds', limit: 1500n, per: 'total', hard: true }],
    })
  })

  it("prefers Bursar's own header", () => {
    expect(labelsOf({ 'x-bursar-user': 'a', 'x-litellm-end-user-id': 'b' }).user).toBe('a')
  })

  it('takes no tag for a part of an object', () => {
    expect(Object.keys(labelsOf({ 'x-bursar-tags': '__proto__=1' }).tags ?? {})).toEqual(['__proto__'])
  })

  it.each([
    ['x-bursar-run', 'x'.repeat(257)],
    ['x-bursar-tags', 'novalue'],
    ['x-bursar-tags', '=v'],
    ['x-bursar-tags', Array.from({ length: 33 }, (_, index) => `t${index}=1`).join(',')],
    ['x-bursar-budget', ''],
    ['x-bursar-budget', 'usd=-1'],
    ['x-bursar-budget', 'usd=1e3'],
    ['x-bursar-budget', 'euro=1'],
    ['x-bursar-budget', 'usd=1;'],
    ['x-bursar-run-budget', 'usd=1=2'],
  ])('refuses %s: %s by its name', (name, value) => {
    let thrown: unknown
    try {
      labelsOf({ [name]: value })
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toBeInstanceOf(InvalidRequest)
    expect((thrown as InvalidRequest).path).toBe(name)
  })
})
