import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { readLog, replayLog, type LogReplay } from './log.js'
import { Paired } from './paired.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-replay-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Questions about rivers, which the small model can answer, and proofs, which it can't. */
function log(rows: number, seed = 1): object[] {
  const random = childRandom(seed, 'log')
  return Array.from({ length: rows }, (_, index) => {
    const hard = random.next() < 0.4
    const content = hard ? `Prove that the sum of ${index} odd numbers is a square, step by step, by induction.` : `Which river flows through the city number ${index}?`
    const right = (rate: number) => (random.next() < rate ? 1 : 0)
    return {
      id: `q${index}`,
      request: { messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content }] },
      outcomes: {
        small: { quality: hard ? right(0.1) : right(0.95), usd: 0.0001, seconds: 1 },
        large: { quality: right(0.95), usd: 0.01, seconds: 3 },
      },
    }
  })
}

function write(name: string, rows: readonly (object | string)[]): string {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  return file
}

const settings: LogReplay = {
  arms: ['large', 'small'],
  reference: 'large',
  predictor: 'ridge',
  objectives: { cheap: { relativeLambda: 4 }, balanced: { relativeLambda: 20 }, nothing: { lambda: 0 } },
  warmUp: 100,
  margin: 0.05,
  seed: 1,
  signal: new AbortController().signal,
}

describe('replayLog', () => {
  it('finds out what the small model can do, and saves on it without losing quality', async () => {
    const file = write('log.jsonl', log(600))
    expect((await readLog(file)).arms).toEqual(['large', 'small'])
    const { policies, requests, incomplete, leftOut } = await replayLog(file, settings)
    expect([requests, incomplete, leftOut]).toEqual([500, 0, 0])
    const of = (name: string) => {
      const found = policies.find((policy) => policy.name === name)
      if (!found) throw new Error(`no ${name}`)
      return found
    }
    expect(of('always large')).toMatchObject({ usdPerThousand: 10, verdict: 'proven', unknown: 0, secondsPerRequest: 3 })
    expect(of('always large').difference.value).toBe(0)
    expect(of('always small').verdict).toBe('worse')
    expect(of('always small').saved.value).toBeCloseTo(0.99, 9)
    expect(of('cheap').saved.low).toBeGreaterThan(0.2)
    expect(of('balanced').saved.low).toBeGreaterThan(0.1)
    for (const name of ['cheap', 'balanced']) expect(of(name).verdict).toBe('proven')
    expect(of('nothing').chosen).toEqual({ small: 500 })
    expect(of('oracle').quality).toBeGreaterThanOrEqual(of('balanced').quality)
    expect(of('oracle').usdPerThousand).toBeLessThan(of('always large').usdPerThousand)
  })

  it('says the same again, and something else for another seed only where something is drawn', async () => {
    const file = write('again.jsonl', log(300))
    const once = await replayLog(file, settings)
    expect(await replayLog(file, settings)).toEqual(once)
    const other = await replayLog(file, { ...settings, seed: 2 })
    expect(other.policies.find(({ name }) => name === 'balanced')).toEqual(once.policies.find(({ name }) => name === 'balanced'))
    expect(other.policies.find(({ name }) => name === 'random arm')).not.toEqual(once.policies.find(({ name }) => name === 'random arm'))
  })

  it('learns from another table only, where one is given', async () => {
    const train = write('train.jsonl', log(400, 2))
    const { policies, requests } = await replayLog(write('test.jsonl', log(200, 3)), { ...settings, trainFile: train, warmUp: 0 })
    expect(requests).toBe(200)
    expect(policies.find(({ name }) => name === 'balanced')?.saved.value).toBeGreaterThan(0.4)
  })

  it('leaves out what is wrong, counts what is missing, and prices tokens', async () => {
    const row = (id: string, outcomes: object) => ({ id, request: { messages: [{ role: 'user', content: [{ type: 'text', text: `question ${id}` }] }] }, outcomes })
    const file = write('odd.jsonl', [
      row('1', { large: { quality: 1, inputTokens: 1_000_000, outputTokens: 0 }, small: { quality: 1, usd: 1 } }),
      'no json',
      row('2', { small: { quality: 1, usd: 1 } }),
      row('3', { large: { quality: 2, usd: 1 } }),
      row('4', { large: { quality: 0, usd: 3 } }),
      row('5', { large: { quality: 0, usd: 3 }, small: { samples: [{ quality: 1, usd: 1, answer: 'a' }, { quality: 0, usd: 2, answer: 'b' }] } }),
    ])
    writeFileSync(join(folder, 'odd.prices.json'), JSON.stringify({ large: { input: 5, output: 5 } }))
    const faults: string[] = []
    const { policies, requests, incomplete, leftOut } = await replayLog(file, { ...settings, warmUp: 0, onFault: ({ message }) => void faults.push(message) })
    expect([requests, incomplete, leftOut]).toEqual([3, 1, 2])
    expect(faults[0]).toMatch(/row 2: is not JSON/)
    expect(faults[1]).toMatch(/row 4: outcomes\.large\.quality/)
    const small = policies.find(({ name }) => name === 'always small')
    expect(small).toMatchObject({ unknown: 1, quality: 0.75, usdPerThousand: 1_250 })
    expect(policies.find(({ name }) => name === 'always large')?.usdPerThousand).toBeCloseTo((1_000 * (5 + 3 + 3)) / 3, 6)
  })

  it('refuses a reference or a predictor that is not there, and stops when told', async () => {
    const file = write('few.jsonl', log(5))
    await expect(replayLog(file, { ...settings, reference: 'none' })).rejects.toMatchObject({ path: 'reference' })
    await expect(replayLog(file, { ...settings, predictor: 'oracle' })).rejects.toMatchObject({ path: 'predictor' })
    await expect(replayLog(file, { ...settings, signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped')
    await expect(readLog(write('empty.jsonl', []))).rejects.toMatchObject({ code: 'invalid_configuration' })
  })
})

describe('Paired', () => {
  it('holds the saving and the difference as often as it says', () => {
    let held = 0
    for (let seed = 0; seed < 300; seed++) {
      const random = childRandom(seed, 'pairs')
      const paired = new Paired()
      for (let index = 0; index < 200; index++) {
        const size = 1 + 3 * random.next()
        paired.add(size * (random.next() < 0.5 ? 0.1 : 1), size)
      }
      const { low, high } = paired.saved()
      if (low <= 0.45 && 0.45 <= high) held += 1
    }
    expect(held / 300).toBeGreaterThan(0.91)
  })

  it('by hand', () => {
    const paired = new Paired()
    paired.add(1, 2)
    paired.add(3, 6)
    expect(paired.saved()).toMatchObject({ value: 0.5, n: 2 })
    expect(paired.saved().high - paired.saved().low).toBeCloseTo(0, 12)
    expect(paired.difference().value).toBe(-2)
    expect(() => paired.add(NaN, 1)).toThrow(RangeError)
    expect(new Paired().saved().value).toBeNaN()
  })
})
