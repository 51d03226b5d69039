import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { openLog } from '../logs/registry.js'
import { replayLog, surveyLog, type LogReplay } from './log.js'
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
    const content = hard
      ? `Prove that the sum of ${index} odd numbers is a square, step by step, by induction.`
      : `Which river flows through the city number ${index}?`
    const right = (rate: number) => (random.next() < rate ? 1 : 0)
    return {
      id: `q${index}`,
      request: {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content },
        ],
      },
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
    expect(await surveyLog(await openLog(file))).toEqual({ arms: ['large', 'small'], comparable: true, rows: 600 })
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
    const row = (id: string, outcomes: object) => ({
      id,
      request: { messages: [{ role: 'user', content: [{ type: 'text', text: `question ${id}` }] }] },
      outcomes,
    })
    const file = write('odd.jsonl', [
      row('1', { large: { quality: 1, inputTokens: 1_000_000, outputTokens: 0 }, small: { quality: 1, usd: 1 } }),
      'no json',
      row('2', { small: { quality: 1, usd: 1 } }),
      row('3', { large: { quality: 2, usd: 1 } }),
      row('4', { large: { quality: 0, usd: 3 } }),
      row('5', {
        large: { quality: 0, usd: 3 },
        small: {
          samples: [
            { quality: 1, usd: 1, answer: 'a' },
            { quality: 0, usd: 2, answer: 'b' },
          ],
        },
      }),
    ])
    writeFileSync(join(folder, 'odd.prices.json'), JSON.stringify({ large: { input: 5, output: 5 } }))
    const faults: string[] = []
    const { policies, requests, incomplete, leftOut } = await replayLog(file, {
      ...settings,
      warmUp: 0,
      onFault: ({ message }) => void faults.push(message),
    })
    expect([requests, incomplete, leftOut]).toEqual([3, 1, 2])
    expect(faults[0]).toMatch(/row 2: is not JSON/)
    expect(faults[1]).toMatch(/row 4: outcomes\.large\.quality/)
    const small = policies.find(({ name }) => name === 'always small')
    expect(small).toMatchObject({ unknown: 1, quality: 0.75, usdPerThousand: 1_250 })
    expect(policies.find(({ name }) => name === 'always large')?.usdPerThousand).toBeCloseTo((1_000 * (5 + 3 + 3)) / 3, 6)
  })

  it.each(['knn', 'ridge'])('goes on after a break as if there had been none: %s', async (predictor) => {
    // Rows long enough for several batches of reading.
    const rows = log(240).map((row) => ({
      ...row,
      padding: undefined,
      request: {
        messages: [{ role: 'system', content: 'x'.repeat(3_000) }, ...(row as { request: { messages: object[] } }).request.messages],
      },
    }))
    const file = write(`break-${predictor}.jsonl`, [...rows.slice(0, 100), 'wrong', ...rows.slice(100), rows[3] ?? {}])
    const whole = await replayLog(file, { ...settings, predictor })
    const checkpoint = join(folder, `break-${predictor}`)
    const stop = new AbortController()
    const broken = replayLog(file, {
      ...settings,
      predictor,
      checkpoint,
      checkpointRows: 1,
      signal: stop.signal,
      onProgress: ({ rows: done }) => void (done > 80 && stop.abort(new Error('stopped'))),
    })
    await expect(broken).rejects.toThrow('stopped')
    await expect(replayLog(file, { ...settings, predictor, checkpoint, warmUp: 3 })).rejects.toMatchObject({ path: 'checkpoint' })
    const done: number[] = []
    expect(await replayLog(file, { ...settings, predictor, checkpoint, onProgress: ({ rows: at }) => void done.push(at) })).toEqual(whole)
    expect(whole.leftOut).toBe(2)
    expect(done[0]).toBeGreaterThan(81)
    expect(existsSync(checkpoint)).toBe(false)
  })

  it('gives the same figures to the last bit in threads, with faults, a limit and a break', async () => {
    const train = write('threads-train.jsonl', log(150, 2))
    // Rows long enough for several batches of reading.
    const rows: (object | string)[] = log(360, 3).map((row) => ({ ...row, padding: 'x'.repeat(3_000) }))
    rows.splice(90, 0, 'no json')
    rows.splice(200, 0, {
      id: 'odd',
      request: { messages: [{ role: 'robot', content: 'x' }] },
      outcomes: { large: { quality: 1, usd: 1 } },
    })
    const file = write('threads.jsonl', rows)
    const faults: string[] = []
    const onFault = ({ message }: Error) => void faults.push(message)
    const options = { ...settings, predictor: 'domain', trainFile: train, warmUp: 20, limit: 350, onFault }
    const alone = await replayLog(file, { ...options, threads: 0 })
    expect([alone.requests, alone.leftOut]).toEqual([330, 2])
    const told = faults.splice(0)
    const checkpoint = join(folder, 'threads')
    const threaded = { ...options, threads: 2, threadsAfter: 0, checkpoint, checkpointRows: 100 }
    const stop = new AbortController()
    const onProgress = ({ rows: done }: { rows: number }) => void (done > 150 && stop.abort(new Error('stopped')))
    await expect(replayLog(file, { ...threaded, signal: stop.signal, onProgress })).rejects.toThrow('stopped')
    expect(existsSync(checkpoint)).toBe(true)
    expect(await replayLog(file, threaded)).toEqual(alone)
    expect(faults).toEqual(told)
  }, 120_000)

  it('proves nothing by a few requests that all went alike', async () => {
    const alike = (rows: number) =>
      log(rows).map((row) => ({ ...row, outcomes: { small: { quality: 1, usd: 1 }, large: { quality: 1, usd: 2 } } }))
    const verdicts = async (rows: number) => {
      const { policies } = await replayLog(write(`alike-${rows}.jsonl`, alike(rows)), { ...settings, objectives: {}, warmUp: 0 })
      return Object.fromEntries(policies.map((policy) => [policy.name, policy]))
    }
    const few = await verdicts(3)
    expect([few['always large']?.verdict, few['always small']?.verdict]).toEqual(['proven', 'not yet'])
    // Of none among 3: 1 − 0.025^(1/3).
    expect(few['always small']?.difference.low).toBeCloseTo(-(1 - 0.025 ** (1 / 3)), 6)
    expect(few['always small']?.qualityInterval.low).toBeCloseTo(0.025 ** (1 / 3), 6)
    expect((await verdicts(1))['always small']?.verdict).toBe('not yet')
    // 1 − 0.025^(1/n) is below 0.05 from n = 72 on.
    expect((await verdicts(71))['always small']?.verdict).toBe('not yet')
    expect((await verdicts(72))['always small']?.verdict).toBe('proven')
  })

  it('refuses a damaged checkpoint', async () => {
    const file = write('damaged.jsonl', log(30))
    const checkpoint = join(folder, 'damaged')
    const options = { ...settings, checkpoint, checkpointRows: 1 }
    await expect(replayLog(file, { ...options, signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped')
    const bytes = readFileSync(checkpoint)
    bytes.writeUInt8(bytes.readUInt8(300) ^ 1, 300)
    writeFileSync(checkpoint, bytes)
    await expect(replayLog(file, options)).rejects.toMatchObject({ path: 'checkpoint' })
  })

  it('predicts nothing where no objective is asked for, and reads no request then', async () => {
    const rows = [
      ...log(20),
      {
        id: 'odd',
        request: { messages: [{ role: 'robot', content: 'x' }] },
        outcomes: { large: { quality: 1, usd: 1 }, small: { quality: 1, usd: 1 } },
      },
    ]
    const file = write('fixed.jsonl', rows)
    const { policies, predictor, leftOut, requests } = await replayLog(file, { ...settings, objectives: {}, warmUp: 0 })
    expect([policies.map(({ name }) => name), predictor, leftOut, requests]).toEqual([
      ['always large', 'always small', 'random arm', 'oracle'],
      null,
      0,
      21,
    ])
    const faults: string[] = []
    expect((await replayLog(file, { ...settings, onFault: ({ message }) => void faults.push(message) })).leftOut).toBe(1)
    expect(faults).toEqual([expect.stringMatching(/id "odd": request\.messages\[0\]\.role/)])
  })

  it('refuses a reference or a predictor that is not there, and stops when told', async () => {
    const file = write('few.jsonl', log(5))
    await expect(replayLog(file, { ...settings, reference: 'none' })).rejects.toMatchObject({ path: 'reference' })
    await expect(replayLog(file, { ...settings, predictor: 'oracle' })).rejects.toMatchObject({ path: 'predictor' })
    await expect(replayLog(file, { ...settings, signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow('stopped')
    await expect(openLog(write('empty.jsonl', []))).rejects.toMatchObject({ code: 'invalid_configuration' })
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

  it('holds with weights of a sample drawn unevenly, and is plain where all are the same', () => {
    let held = 0
    for (let run = 0; run < 300; run++) {
      const random = childRandom(run, 'weights')
      const paired = new Paired()
      for (let row = 0; row < 400; row++) {
        const hard = random.next() < 0.25
        const kept = hard ? 0.8 : 0.2
        // Mean difference over all rows: 0.25·(−0.5) = −0.125.
        if (random.next() < kept) paired.add(hard ? (random.next() < 0.5 ? 1 : 0) : 1, 1, 1 / kept)
      }
      const { low, high } = paired.difference()
      if (low <= -0.125 && -0.125 <= high) held += 1
    }
    expect(held / 300).toBeGreaterThan(0.9)
    const [plain, weighed] = [new Paired(), new Paired()]
    for (const [at, value] of [1, 4, 2, 8].entries()) {
      plain.add(value, at)
      weighed.add(value, at, 7)
    }
    expect(weighed.difference().high).toBeCloseTo(plain.difference().high, 12)
    expect(plain.difference().high - plain.difference().value).toBeCloseTo(
      (1.959963985 * Math.sqrt([1, 3, 0, 5].reduce((sum, one) => sum + (one - 2.25) ** 2, 0) / 3)) / 2,
      6,
    )
    expect(Paired.from(JSON.parse(JSON.stringify(weighed.state())) as ReturnType<Paired['state']>).saved()).toEqual(weighed.saved())
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
    const free = new Paired()
    free.add(1, 0)
    expect(free.saved().value).toBeNaN()
    // Qualities lie in [0, 1], and so do their intervals: here the normal one would reach from −1.47.
    const wide = new Paired()
    for (const [policy, reference] of [
      [0, 1],
      [0, 1],
      [1, 1],
    ] as const)
      wide.add(policy, reference)
    expect(wide.difference().low).toBeLessThan(-1)
    expect(wide.qualityDifference()).toMatchObject({ value: expect.closeTo(-2 / 3, 9), low: -1 })
    expect(wide.policyQuality().low).toBe(0)
  })
})
