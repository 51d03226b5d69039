import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keepKey, keptKeyFor } from './kept-key.js'

describe('keys that a folder keeps', () => {
  const before = process.cwd()
  let folder = ''
  beforeEach(() => process.chdir((folder = mkdtempSync(join(tmpdir(), 'bursar-kept-key-')))))
  afterEach(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true })
  })

  it('are made once, each of its own, for their owner alone', () => {
    const [caller, admin] = [keepKey('key'), keepKey('admin-key')]
    expect(keepKey('key')).toEqual(caller)
    expect(keepKey('admin-key')).toEqual(admin)
    expect(admin.key).not.toBe(caller.key)
    expect(admin.key.length).toBeGreaterThan(50)
    expect(statSync(admin.file).mode & 0o777).toBe(0o600)
  })

  it('are sent to a gateway on this machine and to no other', () => {
    const { key } = keepKey('admin-key')
    expect(keptKeyFor('http://127.0.0.1:8787', 'admin-key')).toBe(key)
    expect(keptKeyFor('http://localhost:8787', 'admin-key')).toBe(key)
    for (const url of ['https://bursar.example.com', 'http://127.0.0.1.example.com', 'http://10.0.0.7:8787', 'not an address'])
      expect([url, keptKeyFor(url, 'admin-key')]).toEqual([url, undefined])
    expect(keptKeyFor('http://127.0.0.1:8787', 'key')).toBeUndefined()
  })

  it('are made anew where the file holds nothing', () => {
    const { file } = keepKey('key')
    writeFileSync(file, '\n')
    expect(keptKeyFor('http://127.0.0.1', 'key')).toBeUndefined()
    expect(keepKey('key').key).toMatch(/^sk-bursar-[0-9a-f]{48}$/)
  })
})
