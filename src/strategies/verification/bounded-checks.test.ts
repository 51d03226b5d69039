import { afterAll, expect, it } from 'vitest'
import { BoundedChecks } from './index.js'

// The behaviour with schemas, limits and threads that break off is tested where the gateway uses it (`gateway/verifiers`).
const faults: unknown[] = []
const checks = new BoundedChecks({ timeoutSeconds: 0.4 }, (fault) => void faults.push(fault))
afterAll(() => checks.close())

it('finds patterns in a thread, and gives up on those that take for ever', async () => {
  const pattern = (source: string, text: string, flags = '') => checks.check(`${source} ${text.length}`, [{ pattern: source, flags, text }])
  expect(await pattern('^b', 'a\nb', 'm')).toEqual(['held'])
  expect(await pattern('^b', 'a\nb', 'g')).toEqual(['broken'])
  expect(await pattern('(', 'text')).toEqual(['not_checked'])
  expect(await pattern('^(a+)+$', `${'a'.repeat(40)}b`)).toEqual(['not_checked'])
  expect(await checks.check('after', [{ pattern: 'a', flags: '', text: 'a' }, { pattern: 'b', flags: '', text: 'a' }])).toEqual(['held', 'broken'])
  expect(faults).toEqual([])
})
