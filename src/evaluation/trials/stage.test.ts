import { describe, expect, it } from 'vitest'
import { virtualClock } from '../../environment/index.js'
import { Durations } from './durations.js'
import { RateGate } from './rate-gate.js'
import { Stage } from './stage.js'

const work = (name: string, seconds: number, clock: ReturnType<typeof virtualClock>, log: string[]) => ({
  expectedSeconds: seconds,
  async run() {
    log.push(`${clock.monotonic()} ${name}`)
    await clock.sleep(seconds)
  },
})
const whenIdle = async (stage: Stage, clock: ReturnType<typeof virtualClock>) => {
  while (stage.inUse > 0) await clock.sleep(1)
}

describe('a stage', () => {
  it('takes the longest first', async () => {
    const clock = virtualClock()
    const log: string[] = []
    const stage = new Stage({ slots: 1, queue: 10, clock })
    const lane = stage.lane()
    for (const [name, seconds] of [
      ['first', 1],
      ['short', 1],
      ['long', 9],
      ['middle', 4],
    ] as const)
      void lane.submit(work(name, seconds, clock, log))
    await whenIdle(stage, clock)
    expect(log).toEqual(['0 first', '1 long', '10 middle', '14 short'])
    expect(stage.busySeconds).toBeGreaterThanOrEqual(15)
  })

  it('gives each evaluation its share, whatever the other brings', async () => {
    const clock = virtualClock()
    const log: string[] = []
    const stage = new Stage({ slots: 2, queue: 100, clock })
    const [busy, light] = [stage.lane(), stage.lane()]
    for (let piece = 0; piece < 40; piece++) void busy.submit(work('busy', 2, clock, log))
    for (let piece = 0; piece < 10; piece++) void light.submit(work('light', 2, clock, log))
    await whenIdle(stage, clock)
    // Ten pieces of the light one are over when the busy one has had about ten.
    expect(log.slice(0, 22).filter((line) => line.endsWith('light'))).toHaveLength(10)
  })

  it('makes whoever brings more than it takes wait, and ends the wait when it is cancelled', async () => {
    const clock = virtualClock()
    const stage = new Stage({ slots: 1, queue: 1, clock })
    const lane = stage.lane()
    await lane.submit(work('a', 5, clock, []))
    await lane.submit(work('b', 5, clock, []))
    const stop = new AbortController()
    const third = lane.submit(work('c', 5, clock, []), stop.signal)
    stop.abort(new Error('enough'))
    await expect(third).rejects.toThrow('enough')
    expect([lane.waiting, lane.running]).toEqual([1, 1])
  })
})

describe('a gate', () => {
  it('stays shut as long as it is asked to, and opens to half', () => {
    const clock = virtualClock()
    const gate = new RateGate(8, clock)
    gate.refused(20)
    gate.refused(5)
    expect([gate.parallel, gate.waitSeconds]).toEqual([4, 20])
    for (let success = 0; success < 40; success++) gate.succeeded()
    expect(gate.parallel).toBe(8)
  })

  it('holds up a whole stage', async () => {
    const clock = virtualClock()
    const gate = new RateGate(4, clock)
    const log: string[] = []
    const stage = new Stage({ slots: 4, queue: 10, clock, gate })
    gate.refused(30)
    const lane = stage.lane()
    for (let piece = 0; piece < 4; piece++) void lane.submit(work('piece', 1, clock, log))
    await clock.sleep(29)
    expect(log).toEqual([])
    await clock.sleep(5)
    // Two at a time after a refusal.
    expect(log).toEqual(['30 piece', '30 piece', '31 piece', '31 piece'])
  })
})

it('durations are learned by method and item', () => {
  const durations = new Durations()
  for (let round = 0; round < 20; round++)
    for (const [method, pace] of [1, 4].entries())
      for (const [item, length] of [1, 3].entries()) durations.observe(method, item, pace * length)
  expect(durations.expected(1, 1) / durations.expected(0, 0)).toBeGreaterThan(6)
  expect(() => durations.observe(0, 0, NaN)).toThrow(RangeError)
})
