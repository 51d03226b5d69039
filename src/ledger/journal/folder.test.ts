import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDurableLedger } from '../durable-ledger.js'
import { makeFolder } from './folder.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-folder-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('a folder', () => {
  it('is made with those above it, with its mode, and stays when it is there', () => {
    const path = join(directory, 'a', 'b', 'c')
    makeFolder(path, 0o700)
    makeFolder(path, 0o700)
    expect([statSync(path).isDirectory(), statSync(path).mode & 0o777]).toEqual([true, 0o700])
  })

  it('is not made where something else stands', () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    expect(() => makeFolder(file)).toThrow(/EEXIST/)
    expect(() => makeFolder(join(file, 'below'))).toThrow(/ENOTDIR/)
    symlinkSync(join(directory, 'nowhere'), join(directory, 'link'))
    expect(() => makeFolder(join(directory, 'link'))).toThrow(/EEXIST/)
  })

  describe.skipIf(!existsSync('/proc/self'))('below /proc, where nothing can be made (skipped where there is no /proc)', () => {
    it('is refused, and does not hang', () => {
      expect(() => makeFolder('/proc/bursar/journal')).toThrow(/ENOENT/)
    })

    it('is told to whoever opens a ledger there', async () => {
      const inProc = { journals: '/proc/bursar/journals', store: { file: '/proc/bursar/bursar.db' } }
      await expect(openDurableLedger(inProc)).rejects.toMatchObject({
        code: 'invalid_configuration',
        message: expect.stringContaining('/proc/bursar') as string,
      })
      const journalsOnly = { ...inProc, store: { file: join(directory, 'bursar.db') } }
      await expect(openDurableLedger(journalsOnly)).rejects.toMatchObject({
        code: 'invalid_configuration',
        message: expect.stringContaining('/proc/bursar') as string,
      })
    })
  })
})
