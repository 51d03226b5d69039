import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
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
  expect(
    await checks.check('after', [
      { pattern: 'a', flags: '', text: 'a' },
      { pattern: 'b', flags: '', text: 'a' },
    ]),
  ).toEqual(['held', 'broken'])
  expect(faults).toEqual([])
})

it('keeps a process alive while somebody waits for a check, and not for a moment longer', async () => {
  const script = `import { BoundedChecks } from ${JSON.stringify(new URL('./bounded-checks.ts', import.meta.url).href)}
const checks = new BoundedChecks({ startSeconds: 60 }, () => undefined)
console.log(String(await checks.check('one', [{ pattern: 'x', flags: '', text: 'axb' }])), String(await checks.check('one', [{ pattern: 'y', flags: '', text: 'axb' }])))`
  // The thread would stay for a minute.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script],
    { timeout: 28_000 },
  )
  expect(stdout.trim()).toBe('held broken')
})
