import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import { BursarError } from '../../errors/index.js'
import { NoVerdict } from '../grading/judge/ask-judge.js'
import { memoryCells, type Cells } from './cells.js'
import { openCellFile } from './cell-file.js'
import { evaluateSuites, type EvaluateOptions } from './evaluate.js'
import { checkOf, dollars, simulatedModel, simulatedSuite, simulatedWorld, type SimulatedWorld } from './fixtures/simulated-world.js'
import { outcomeRows } from './outcomes.js'
import { summaryOf } from './summary.js'

const never = new AbortController().signal
const posterior = { kind: 'posterior', confidence: 0.95, indifference: 0 } as const
const all = { kind: 'never', confidence: 0.95, indifference: 0 } as const
const optionsFor = (world: SimulatedWorld, more: Partial<EvaluateOptions> = {}): EvaluateOptions => ({
  world,
  cells: memoryCells(),
  search: 'racing',
  rule: posterior,
  parallel: 4,
  seed: 1,
  stop: never,
  signal: never,
  ...more,
})
const models = { good: simulatedModel(0.9), fair: simulatedModel(0.6), poor: simulatedModel(0.3) }
const made = ({ called }: SimulatedWorld) => [...called.values()].reduce((sum, calls) => sum + calls, 0)
const failure = (code: 'upstream_error' | 'upstream_rate_limited' | 'upstream_rejected', retryAfterSeconds?: number) =>
  new UpstreamFailure('no', {
    code,
    status: 502,
    upstreamStatus: 500,
    retryable: code !== 'upstream_rejected',
    phase: 'request',
    retryAfterSeconds,
  })

describe('an evaluation', () => {
  it('finds the best with few cells, and says why it ended', async () => {
    const world = simulatedWorld(models)
    const [end] = await evaluateSuites([simulatedSuite(Object.keys(models), 200)], optionsFor(world))
    if (!end) throw new Error('no end')
    const summary = summaryOf(end, posterior)
    expect([summary.leader, summary.stop, summary.decided]).toEqual(['good', 'decided', true])
    expect(summary.cells.scored).toBeLessThan(300)
    expect(made(world)).toBe(summary.cells.scored)
    expect(summary.methods[0]?.best).toBeGreaterThanOrEqual(0.95)
    expect(summary.methods.reduce((sum, { best }) => sum + best, 0)).toBeCloseTo(1)
    expect(world.most).toBe(4)
  })

  it('proves the best by elimination', async () => {
    const world = simulatedWorld(models)
    const rule = { kind: 'guaranteed', confidence: 0.95, indifference: 0 } as const
    const [end] = await evaluateSuites([simulatedSuite(Object.keys(models), 200)], optionsFor(world, { search: 'elimination', rule }))
    expect([end?.stop, end?.standing.leader, end?.standing.beaten]).toEqual(['decided', 0, 2])
    expect(end && end.score.progress.scored < 600).toBe(true)
  })

  it('scores every cell where that is wanted, and exports them', async () => {
    const suite = simulatedSuite(['good', 'poor'], 12)
    const [end] = await evaluateSuites([suite], optionsFor(simulatedWorld(models), { search: 'uniform', rule: all }))
    expect(end?.stop).toBe('exhausted')
    const rows = end ? [...outcomeRows(suite, end.score)] : []
    expect(rows).toHaveLength(12)
    expect(rows[0]).toMatchObject({ id: 'simulated 0', request: { messages: [{ role: 'user', content: 'question simulated 0' }] } })
    expect(rows.every(({ outcomes }) => outcomes['good']?.usd !== undefined && outcomes['poor']?.seconds !== undefined)).toBe(true)
  })

  it.each([{ usd: 0.02 }, { calls: 17 }])('never exceeds %o, also with many calls at once', async (limits) => {
    const world = simulatedWorld(models, limits)
    const [end] = await evaluateSuites(
      [simulatedSuite(Object.keys(models), 100)],
      optionsFor(world, { rule: all, search: 'uniform', parallel: 8 }),
    )
    expect(end?.stop).toBe('budget')
    const { usd = dollars(0), calls = 0 } = world.budget.remaining()
    expect(usd >= 0n && calls >= 0).toBe(true)
    expect(made(world)).toBeGreaterThan(9)
  })

  it('begins nothing after its time', async () => {
    const world = simulatedWorld(models)
    const [end] = await evaluateSuites(
      [simulatedSuite(Object.keys(models), 100)],
      optionsFor(world, { rule: all, search: 'uniform', seconds: 5 }),
    )
    expect(end?.stop).toBe('time')
    expect(world.clock.monotonic()).toBeLessThan(10)
  })
})

describe('failures', () => {
  it('that may pass are tried again', async () => {
    const world = simulatedWorld(models, {}, (_name, call) => {
      if (call === 1 && fails-- > 0) throw failure('upstream_error')
    })
    let fails = 3
    const [end] = await evaluateSuites([simulatedSuite(['good'], 10)], optionsFor(world, { rule: all, search: 'uniform' }))
    expect([end?.stop, end?.score.progress]).toEqual(['exhausted', { scored: 10, of: 10, kept: 0, failed: 0 }])
  })

  it('that go on end it', async () => {
    const world = simulatedWorld(models, {}, () => {
      throw failure('upstream_error')
    })
    const [end] = await evaluateSuites([simulatedSuite(['good', 'fair'], 10)], optionsFor(world))
    expect([end?.stop, end?.failure?.message]).toEqual(['failing', 'no'])
  })

  it.each(['upstream_error', 'upstream_rejected'] as const)(
    'for good (%s) wake calls that wait for money, so that it ends',
    async (code) => {
      const world = simulatedWorld(models, {}, (name) => {
        if (name.startsWith('good')) throw new BursarError('Too dear.', { code: 'budget_exceeded', status: 402 })
        throw failure(code)
      })
      const [end] = await evaluateSuites([simulatedSuite(['good', 'fair'], 1)], optionsFor(world, { search: 'uniform', rule: all }))
      expect(['budget', 'failing']).toContain(end?.stop)
    },
  )

  it("of a method's own give no points, and a method that never answers gets no more calls", async () => {
    let refused = 0
    const world = simulatedWorld(models, {}, (name) => {
      if (!name.startsWith('fair')) return
      refused += 1
      throw failure('upstream_rejected')
    })
    const [end] = await evaluateSuites([simulatedSuite(['good', 'fair'], 60)], optionsFor(world))
    expect([end?.stop, end?.standing.leader]).toEqual(['decided', 0])
    expect(refused).toBeLessThan(10)
  })

  it('for the rate slow everyone down together', async () => {
    let refusals = 0
    const starts: number[] = []
    const world = simulatedWorld(models, {}, () => {
      if (refusals === 0 && starts.length === 6) {
        refusals += 1
        throw failure('upstream_rate_limited', 30)
      }
      starts.push(world.clock.monotonic())
    })
    const [end] = await evaluateSuites([simulatedSuite(['good'], 20)], optionsFor(world, { rule: all, search: 'uniform' }))
    expect(end?.stop).toBe('exhausted')
    const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0))
    expect(Math.max(...gaps)).toBeGreaterThan(25)
  })

  it('of the configuration end it at once and name the method', async () => {
    const world = simulatedWorld(models, {}, () => {
      throw new BursarError('There is no such model.', { code: 'model_not_found', status: 404 })
    })
    await expect(evaluateSuites([simulatedSuite(['good'], 5)], optionsFor(world))).rejects.toThrow('Method "good": There is no such model.')
  })
})

describe('cells', () => {
  let folder = ''
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const open = () => openCellFile(join((folder = folder === '' ? mkdtempSync(join(tmpdir(), 'cells-')) : folder), 'cells.db'))

  it('that were paid for before an interruption are not paid for again', async () => {
    const suite = simulatedSuite(['good', 'poor'], 20)
    const stop = new AbortController()
    const first = simulatedWorld(models)
    const cells = await open()
    const [half] = await evaluateSuites(
      [suite],
      optionsFor(first, {
        cells,
        search: 'uniform',
        rule: all,
        stop: stop.signal,
        onCell: () => void (made(first) >= 15 && stop.abort(new Error('stop'))),
      }),
    )
    cells.close()
    expect([half?.stop, half && half.score.progress.scored < 40]).toEqual(['interrupted', true])
    const second = simulatedWorld(models)
    const again = await open()
    const [end] = await evaluateSuites([suite], optionsFor(second, { cells: again, search: 'uniform', rule: all }))
    again.close()
    expect([end?.stop, made(first) + made(second)]).toEqual(['exhausted', 40])
    expect(end?.score.progress.kept).toBe(made(first))
  })

  it('are paid for once by two that run at the same time', async () => {
    const suite = simulatedSuite(['good', 'poor'], 20)
    const worlds = [simulatedWorld(models), simulatedWorld(models)]
    const files: Cells[] = [await open(), await open()]
    const ends = await Promise.all(
      worlds.map((world, index) =>
        evaluateSuites([suite], optionsFor(world, { cells: files[index] ?? memoryCells(), search: 'uniform', rule: all })),
      ),
    )
    for (const file of files) file.close()
    expect(ends.map(([end]) => end?.score.progress.scored)).toEqual([40, 40])
    expect(worlds.map(made).reduce((sum, calls) => sum + calls, 0)).toBe(40)
  })

  it('are graded anew without a call when a check has changed, and kept grades are not asked for', async () => {
    let graded = 0
    const checks = (kind: string) => [checkOf(kind, () => ((graded += 1), 1))]
    const run = async (kind: string) => {
      const world = simulatedWorld(models)
      const cells = await open()
      await evaluateSuites(
        [simulatedSuite(['good'], 10, 'graded', checks(kind))],
        optionsFor(world, { cells, search: 'uniform', rule: all }),
      )
      cells.close()
      return [made(world), graded]
    }
    expect([await run('a'), await run('a'), await run('b')]).toEqual([
      [10, 10],
      [0, 10],
      [0, 20],
    ])
  })
})

it('a slow grader idles no call', async () => {
  const world = simulatedWorld({ good: simulatedModel(0.9) })
  const slow = checkOf('slow', async (_answer, environment) => (await environment.clock.sleep(3), 1))
  await evaluateSuites(
    [simulatedSuite(['good'], 40, 'slow', [slow])],
    optionsFor(world, { search: 'uniform', rule: all, parallel: 4, grading: 16 }),
  )
  // 40 calls of about a second in 4 slots, and the last grade: one after the other it would take 40 s.
  expect(world.clock.monotonic()).toBeLessThan(20)
})

describe('a judge that gives no verdict', () => {
  const judged = (unread: (asked: number) => boolean) => {
    let asked = 0
    const check = checkOf('judged', () => {
      asked += 1
      if (unread(asked)) throw new NoVerdict('nothing that can be read', { code: 'upstream_malformed', status: 502 })
      return 1
    })
    return { suite: simulatedSuite(['good'], 20, 'judged', [check]), asked: () => asked }
  }
  const whole = (world: SimulatedWorld) => optionsFor(world, { search: 'uniform', rule: all })

  it('is not asked again for the same answer: the item has no score, and the rest goes on', async () => {
    const { suite, asked } = judged((times) => times === 3)
    const [end] = await evaluateSuites([suite], whole(simulatedWorld(models)))
    expect([end?.stop, end?.score.progress.scored, asked()]).toEqual(['exhausted', 19, 20])
  })

  it('over and over ends the evaluation, with what the judge said', async () => {
    const { suite, asked } = judged(() => true)
    const [end] = await evaluateSuites([suite], whole(simulatedWorld(models)))
    expect([end?.stop, end?.failure?.message]).toEqual(['failing', 'nothing that can be read'])
    expect(asked()).toBeLessThan(20)
  })
})
