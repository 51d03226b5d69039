import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDatabase } from './database-lock.js'
import { backdate, lifeOf, ProcessMark, readMark, thisProcess, type MarkContent } from './process-mark.js'

let directory: string
let database: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-mark-'))
  database = join(directory, 'bursar.db')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** A mark as another process would have left it. */
function foreign(path: string, content: Partial<MarkContent>, ageSeconds = 0): void {
  writeFileSync(path, JSON.stringify({ ...thisProcess(), token: 'other', released: false, ...content }))
  backdate(path, ageSeconds)
}
const lifeAt = (path: string, leaseSeconds = 30) => {
  const mark = readMark(path)
  return mark === undefined ? undefined : lifeOf(mark, leaseSeconds)
}
const onLinux = process.platform === 'linux'

describe('marks of processes', () => {
  it('are alive with their process, and dead when it has let go', async () => {
    const mark = new ProcessMark(join(directory, 'mark'))
    expect(lifeAt(mark.path)).toBe(onLinux ? 'alive' : 'fresh')
    expect(await mark.touch()).toBe(true)
    mark.release()
    expect(lifeAt(mark.path)).toBe('dead')
    mark.remove()
    expect(readMark(mark.path)).toBeUndefined()
    expect(await mark.touch()).toBe(false)
  })

  it('are not let go of by one whose mark it is not any more', () => {
    const mark = new ProcessMark(join(directory, 'mark'))
    foreign(mark.path, {})
    mark.release()
    expect(lifeAt(mark.path)).not.toBe('dead')
  })

  it.skipIf(!onLinux)('are dead, however fresh, when their number belongs to nobody or to another process (needs /proc)', async () => {
    const path = join(directory, 'mark')
    foreign(path, { startTicks: '1' })
    expect(lifeAt(path)).toBe('dead')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await new Promise((resolve) => child.on('spawn', resolve))
    const ticks = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]
    foreign(path, { pid: child.pid ?? 0, startTicks: ticks ?? '' }, 1000)
    expect(lifeAt(path)).toBe('alive')
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('exit', resolve))
    foreign(path, { pid: child.pid ?? 0, startTicks: ticks ?? '' })
    expect(lifeAt(path)).toBe('dead')
  })

  it('of processes that can not be seen from here live as long as they are touched', () => {
    const path = join(directory, 'mark')
    for (const content of [{ bootId: 'another machine' }, { pidSpace: 'another container' }]) {
      foreign(path, content, 29)
      expect(lifeAt(path)).toBe('fresh')
      foreign(path, content, 31)
      expect(lifeAt(path)).toBe('dead')
    }
    writeFileSync(path, 'not a mark')
    expect(lifeAt(path)).toBe('fresh')
    backdate(path, 31)
    expect(lifeAt(path)).toBe('dead')
  })
})

describe('the lock of an embedded database', () => {
  it('is given to one at a time, by whatever name the file is reached, and names the other', async () => {
    const mark = await lockDatabase(database, 30)
    await expect(lockDatabase(database, 30)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining(`process ${process.pid} on`) as string,
    })
    symlinkSync(directory, `${directory}-link`)
    try {
      await expect(lockDatabase(join(`${directory}-link`, 'bursar.db'), 30)).rejects.toMatchObject({ code: 'invalid_configuration' })
    } finally {
      rmSync(`${directory}-link`)
    }
    const another = await lockDatabase(join(directory, 'another.db'), 30)
    mark.remove()
    const again = await lockDatabase(database, 30)
    again.remove()
    another.remove()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is taken from the dead at once', async () => {
    foreign(`${database}.lock-1-dead`, { startTicks: '1', pid: 2 ** 22 - 1 }, 1)
    const begun = performance.now()
    const mark = await lockDatabase(database, 30)
    expect(performance.now() - begun).toBeLessThan(1000)
    expect(existsSync(`${database}.lock-1-dead`)).toBe(false)
    mark.remove()
  })

  it('is taken from one that can not be seen only when it has been silent for the lease', async () => {
    foreign(`${database}.lock-1-far`, { bootId: 'far', host: 'far-away' })
    const touching = setInterval(() => backdate(`${database}.lock-1-far`, 0), 50)
    await expect(lockDatabase(database, 0.4)).rejects.toMatchObject({ message: expect.stringContaining('on far-away') as string })
    clearInterval(touching)
    const mark = await lockDatabase(database, 0.4)
    mark.remove()
  })

  it('is given to one of many that try at the same moment', async () => {
    for (let round = 0; round < 5; round++) {
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockDatabase(database, 30)))
      const won = tries.filter((one) => one.status === 'fulfilled')
      expect(won.length).toBeLessThanOrEqual(1)
      for (const { value } of won) value.remove()
    }
  })

  it('is given to one of several processes', { timeout: 60_000 }, async () => {
    const script = fileURLToPath(new URL('./fixtures/lock-and-hold.ts', import.meta.url))
    const holders = join(directory, 'holders')
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--import', 'tsx', script, database, holders], { stdio: ['ignore', 'ignore', 'inherit'] }),
    )
    const ends = await Promise.all(children.map((child) => new Promise<number | null>((resolve) => child.on('exit', resolve))))
    expect(ends).toEqual([0, 0, 0, 0])
    // Each says when it has the lock and when it lets go of it.
    const lines = readFileSync(holders, 'utf8').trim().split('\n')
    expect(lines.length).toBeGreaterThanOrEqual(2)
    for (let index = 0; index < lines.length; index += 2) {
      expect(lines[index]).toMatch(/^has /)
      expect(lines[index + 1]).toBe(lines[index]?.replace('has', 'leaves'))
    }
  })
})
