import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { picoUsd } from '../../quantities/index.js'
import { openCellFile } from './cell-file.js'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cell-file-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const answer = {
  answer: 'forty-two \u2028 ✓',
  usd: picoUsd(123n),
  seconds: 1.5,
  inputTokens: 10,
  outputTokens: 20,
  reasoningTokens: 5,
  calls: 2,
}
const name = { method: 'm', item: 'i' }

it('keeps answers and grades as they were, also when it is opened again', async () => {
  const file = join(folder, 'kept.db')
  const first = await openCellFile(file)
  expect(first.claim('k')).toEqual({ state: 'mine' })
  first.keepAnswer('k', name, answer)
  first.keepGrade('k', 'g', 'equals', { score: 0.5, passed: false, reason: 'half', usd: null })
  first.close()
  const second = await openCellFile(file)
  expect([second.claim('k'), second.grade('k', 'g'), second.grade('k', 'other')]).toEqual([
    { state: 'answered', answer },
    { score: 0.5, passed: false, reason: 'half', usd: null },
    undefined,
  ])
  second.close()
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

it('lets one process at an answer at a time', async () => {
  const file = join(folder, 'shared.db')
  const [one, other] = [await openCellFile(file), await openCellFile(file)]
  expect([one.claim('k'), other.claim('k')]).toEqual([{ state: 'mine' }, { state: 'taken' }])
  one.giveBack('k')
  expect(other.claim('k')).toEqual({ state: 'mine' })
  // Who closes gives back what it didn't keep.
  other.close()
  expect(one.claim('k')).toEqual({ state: 'mine' })
  one.close()
})

it('takes over from a process that has died, and from one elsewhere that has said nothing for long', async () => {
  const file = join(folder, 'died.db')
  let now = 1_000
  const cells = await openCellFile(file, () => now)
  const dead = spawnSync(process.execPath, ['-e', '0']).pid
  const { default: Database } = await import('libsql')
  const beside = new Database(file)
  beside
    .prepare('insert into claims (key, owner, until) values (?, ?, ?), (?, ?, ?)')
    .run('here', `${hostname()} ${dead} x`, 2_000, 'elsewhere', 'another-host 1 x', 2_000)
  beside.close()
  expect([cells.claim('here'), cells.claim('elsewhere')]).toEqual([{ state: 'mine' }, { state: 'taken' }])
  now = 2_001
  expect(cells.claim('elsewhere')).toEqual({ state: 'mine' })
  cells.close()
})

it('says what to do about a file that is none', async () => {
  const file = join(folder, 'none.db')
  writeFileSync(file, 'this is no database, however long it may be. '.repeat(100))
  await expect(openCellFile(file)).rejects.toThrow(/--cells FILE.*--no-keep/)
})
