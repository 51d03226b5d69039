import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSegment } from './fixtures/read-segment.js'
import { findSegments } from './segment.js'

const script = fileURLToPath(new URL('./fixtures/append-until-killed.ts', import.meta.url))
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-crash-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Starts the process that appends; under a limit on the size of files where one is given. */
function start(holder: string, durability: string, segmentBytes: number, fileBlocks?: number) {
  const acknowledgements = join(directory, `${holder}.acknowledged`)
  const command = [
    process.execPath,
    '--import',
    'tsx',
    script,
    join(directory, 'journals', holder),
    holder,
    acknowledgements,
    durability,
    String(segmentBytes),
  ]
  const limited = fileBlocks === undefined ? command : ['bash', '-c', `ulimit -f ${fileBlocks}; exec "$@"`, 'bash', ...command]
  const child = spawn(limited[0] ?? '', limited.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  const ended = new Promise<string>((resolve) => child.on('exit', (code, signal) => resolve(signal ?? String(code))))
  const lines = () => (existsSync(acknowledgements) ? readFileSync(acknowledgements, 'utf8').split('\n').slice(0, -1) : [])
  return { child, ended, lines, complaint: () => complaint }
}

/** Ids of the calls in everything that was left behind. */
const idsFound = () =>
  findSegments(join(directory, 'journals')).flatMap(({ path }) => {
    const { records, spoilt } = readSegment(path)
    expect(spoilt).toEqual([])
    return records.map((entry) => (entry.type === 'call' ? entry.record.callId : entry.type))
  })

describe('a process that is killed', () => {
  it('has left behind every record that was acknowledged, once', { timeout: 120_000 }, async () => {
    const kills = Array.from({ length: 20 }, (_, index) => index)
    const kill = async (index: number) => {
      const { child, ended, lines, complaint } = start(`holder${index}`, index % 2 === 0 ? 'process' : 'disk', 20_000)
      await expect.poll(() => lines().length, { timeout: 30_000, message: complaint() }).toBeGreaterThan(0)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 150))
      child.kill('SIGKILL')
      expect(await ended).toBe('SIGKILL')
      return lines()
    }
    const acknowledged: string[] = []
    // Two at a time: starting takes longer than what is tested.
    for (let index = 0; index < kills.length; index += 2)
      acknowledged.push(...(await Promise.all(kills.slice(index, index + 2).map(kill))).flat())
    const found = idsFound()
    expect(acknowledged.length).toBeGreaterThan(200)
    expect(acknowledged.filter((line) => line.startsWith('refused'))).toEqual([])
    const seen = new Set(found)
    expect(found.length).toBe(seen.size)
    expect(acknowledged.filter((id) => !seen.has(id))).toEqual([])
    // Each process had at most five under way that it hadn't heard of yet.
    expect(found.length - acknowledged.length).toBeLessThanOrEqual(kills.length * 5)
  })
})

describe('a disk that takes no more', () => {
  it.each(['process', 'disk'])(
    'refuses what does not fit, keeps nothing of it, and loses nothing it took (%s)',
    { timeout: 60_000 },
    async (durability) => {
      // The system refuses to let a file grow beyond this, after having written what fits: what a full disk does.
      const blocks = 32
      const { child, ended, lines, complaint } = start('limited', durability, 1_000_000, blocks)
      await expect
        .poll(() => lines().filter((line) => line.startsWith('refused')).length, { timeout: 30_000, message: complaint() })
        .toBeGreaterThan(20)
      child.kill('SIGKILL')
      expect(await ended).toBe('SIGKILL')
      const acknowledged = lines().filter((line) => !line.startsWith('refused'))
      expect(acknowledged.length).toBeGreaterThan(10)
      const found = idsFound()
      expect(new Set(found)).toEqual(new Set(acknowledged))
      expect(found).toHaveLength(acknowledged.length)
      const [segment] = findSegments(join(directory, 'journals'))
      expect(readSegment(segment?.path ?? '').to).toBe(statSync(segment?.path ?? '').size)
    },
  )
})
