import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { BursarError } from '../../errors/index.js'
import { loadConfig } from './load.js'
import { watchConfig, type ConfigWatcher, type WatchOptions } from './watch.js'

const cleanups: (() => void)[] = []
afterEach(() =>
  cleanups
    .splice(0)
    .reverse()
    .forEach((clean) => clean()),
)

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bursar-watch-'))
  cleanups.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const withPort = (port: number) => `server: { port: ${port} }\n`

/** Collects what a watcher tells, and lets a test wait for the next telling. */
function observe(file: string, options: Partial<WatchOptions> = {}) {
  const told: (number | BursarError)[] = []
  let wake: (() => void) | undefined
  const tell = (what: number | BursarError) => {
    told.push(what)
    wake?.()
  }
  const watcher: ConfigWatcher = watchConfig(file, {
    env: {},
    settleSeconds: 0.01,
    onChange: (config) => tell(config.server.port),
    onError: tell,
    ...options,
  })
  cleanups.push(() => watcher.close())
  return {
    watcher,
    told,
    async count(wanted: number) {
      while (told.length < wanted) await new Promise<void>((resolve) => (wake = resolve))
      return told
    },
  }
}

describe('watchConfig', () => {
  it('sees a file that is written anew', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { count } = observe(file)
    writeFileSync(file, withPort(2))
    expect(await count(1)).toEqual([2])
  })

  it('sees files put in place by renaming, again and again', async () => {
    const dir = folder()
    const file = join(dir, 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { count } = observe(file)
    for (const port of [2, 3, 4]) {
      writeFileSync(join(dir, '.bursar.yaml.swp'), withPort(port))
      renameSync(join(dir, '.bursar.yaml.swp'), file)
      await count(port - 1)
    }
    expect(await count(3)).toEqual([2, 3, 4])
  })

  it('sees the links of a Kubernetes config map being swapped', async () => {
    const dir = folder()
    for (const [version, port] of [
      ['..1', 1],
      ['..2', 2],
    ] as const) {
      mkdirSync(join(dir, version))
      writeFileSync(join(dir, version, 'bursar.yaml'), withPort(port))
    }
    symlinkSync('..1', join(dir, '..data'))
    symlinkSync(join('..data', 'bursar.yaml'), join(dir, 'bursar.yaml'))
    const { count } = observe(join(dir, 'bursar.yaml'))
    symlinkSync('..2', join(dir, '..data_tmp'))
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
    expect(await count(1)).toEqual([2])
  })

  it('finds by polling what no event of the folder tells', async () => {
    const elsewhere = join(folder(), 'real.yaml')
    writeFileSync(elsewhere, withPort(1))
    const link = join(folder(), 'bursar.yaml')
    symlinkSync(elsewhere, link)
    const { count } = observe(link, { pollSeconds: 0.02 })
    writeFileSync(elsewhere, withPort(2))
    expect(await count(1)).toEqual([2])
  })

  it('keeps the old configuration when the new file is bad, says so once, and takes the next good one', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { watcher, told, count } = observe(file)
    writeFileSync(file, 'server: { prot: 2 }')
    await count(1)
    await watcher.check()
    await watcher.check()
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ code: 'invalid_configuration', message: expect.stringContaining('did you mean "port"') as string })
    writeFileSync(file, withPort(3))
    await count(2)
    expect(told[1]).toBe(3)
  })

  it('does not take an empty or a vanished file for a configuration', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { watcher, told, count } = observe(file)
    writeFileSync(file, '\n')
    await count(1)
    unlinkSync(file)
    await count(2)
    await watcher.check()
    expect(told.map((what) => (typeof what === 'number' ? what : what.message))).toEqual([
      expect.stringContaining('empty'),
      expect.stringContaining('no such file'),
    ])
    writeFileSync(file, withPort(4))
    expect((await count(3))[2]).toBe(4)
  })

  it('says nothing when the content stays the same', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { watcher, told } = observe(file)
    writeFileSync(file, withPort(1))
    await watcher.check()
    expect(told).toEqual([])
  })

  it('sees a change made between loading and watching', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { fingerprint } = loadConfig(file, {})
    writeFileSync(file, withPort(2))
    const { watcher, told } = observe(file, { inUse: fingerprint })
    await watcher.check()
    expect(told).toEqual([2])
  })

  it('tells nothing more once it is closed', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { watcher, told } = observe(file, { pollSeconds: 0.01 })
    writeFileSync(file, withPort(2))
    const looking = watcher.check()
    watcher.close()
    await looking
    await watcher.check()
    expect(told).toEqual([])
  })

  it('gives the overrides of the command line to each new configuration', async () => {
    const file = join(folder(), 'bursar.yaml')
    writeFileSync(file, withPort(1))
    const { watcher, told } = observe(file, { overrides: { port: 77 } })
    writeFileSync(file, withPort(2))
    await watcher.check()
    expect(told).toEqual([77])
  })
})
