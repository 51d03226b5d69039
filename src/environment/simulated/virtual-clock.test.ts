import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { virtualClock } from './virtual-clock.js'

it('what runs at the same time takes the longest of it, what runs in turn the sum', async () => {
  const clock = virtualClock(1_000)
  await Promise.all([clock.sleep(5), clock.sleep(60), clock.sleep(7).then(() => clock.sleep(8))])
  expect([clock.monotonic(), clock.now()]).toEqual([60, 1_060])
  await clock.sleep(86_400)
  expect(clock.monotonic()).toBe(86_460)
})

it('wakes in the order of the times, and of falling asleep where they are the same', async () => {
  const clock = virtualClock()
  const random = seededRandom(3)
  const times = Array.from({ length: 500 }, () => Math.floor(random.next() * 40))
  const woken: { time: number; index: number }[] = []
  await Promise.all(
    times.map(async (time, index) => {
      await clock.sleep(time)
      expect(clock.monotonic()).toBe(time)
      woken.push({ time, index })
    }),
  )
  expect(woken).toEqual(times.map((time, index) => ({ time, index })).sort((a, b) => a.time - b.time || a.index - b.index))
  expect(clock.waiting).toBe(0)
})

it('time does not pass for a sleeper that was cancelled', async () => {
  const clock = virtualClock()
  const abort = new AbortController()
  const asleep = clock.sleep(1_000, abort.signal)
  abort.abort(new Error('enough'))
  await expect(asleep).rejects.toThrow('enough')
  await clock.sleep(1)
  expect([clock.monotonic(), clock.waiting]).toEqual([1, 0])
  await expect(clock.sleep(1, abort.signal)).rejects.toThrow('enough')
})

it('one signal cancels all who sleep under it, and is left alone afterwards', async () => {
  const clock = virtualClock()
  const abort = new AbortController()
  await Promise.all(Array.from({ length: 50 }, (_, index) => clock.sleep(index, abort.signal)))
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0)
  const asleep = Array.from({ length: 50 }, () => clock.sleep(9, abort.signal))
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1)
  abort.abort(new Error('all of you'))
  for (const each of asleep) await expect(each).rejects.toThrow('all of you')
  await clock.sleep(1)
  expect([clock.monotonic(), clock.waiting]).toEqual([50, 0])
})

it('keeps the order when most sleepers are cancelled', async () => {
  const clock = virtualClock()
  const random = seededRandom(8)
  const woken: number[] = []
  const kept: Promise<void>[] = []
  for (let index = 0; index < 600; index++) {
    const time = random.next() * 100
    if (index % 7 === 0) kept.push(clock.sleep(time).then(() => void woken.push(time)))
    else {
      const abort = new AbortController()
      const cancelled = clock.sleep(time, abort.signal)
      abort.abort(new Error('no'))
      await expect(cancelled).rejects.toThrow('no')
    }
    expect(clock.waiting + woken.length).toBe(kept.length)
  }
  await Promise.all(kept)
  expect([woken.length, clock.waiting]).toEqual([kept.length, 0])
  expect(clock.monotonic()).toBeLessThanOrEqual(100 * kept.length)
})

it.each([NaN, -1, Infinity])('refuses to sleep %s seconds', async (seconds) => {
  await expect(virtualClock().sleep(seconds)).rejects.toBeInstanceOf(RangeError)
})
