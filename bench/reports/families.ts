import { gammaDraw, normalDraw, type Random } from '../../src/statistics/index.js'

/** A way in which keys spend: dollars of one day after the other. Made up, seeded, with what real keys are known for. */
export interface Family {
  readonly name: string
  readonly what: string
  /** Makes a key; each call of the result is its next day. Day 0 is a Monday. */
  make(random: Random): (day: number) => number
}

const weekend = (day: number) => day % 7 >= 5

export const families: readonly Family[] = [
  {
    name: 'steady',
    what: 'independent days, a spread of 30 %',
    make: (random) => {
      const level = 5 + 40 * random.next()
      return () => level * Math.exp(0.3 * normalDraw(random))
    },
  },
  {
    name: 'office',
    what: 'working days, a fifth of it at weekends',
    make: (random) => {
      const level = 5 + 40 * random.next()
      return (day) => level * (weekend(day) ? 0.2 : 1) * Math.exp(0.35 * normalDraw(random))
    },
  },
  {
    name: 'wandering',
    what: 'the level moves by 12 % a day and comes back slowly; spread 25 %',
    make: (random) => {
      const level = 5 + 40 * random.next()
      let drift = 0.4 * normalDraw(random)
      return (day) => {
        drift = 0.95 * drift + 0.12 * normalDraw(random)
        return level * Math.exp(drift + 0.25 * normalDraw(random)) * (weekend(day) ? 0.6 : 1)
      }
    },
  },
  {
    name: 'growing',
    what: 'grows 0 to 4 % a day in the first 45 days, then levels off; working days',
    make: (random) => {
      let level = 2 + 10 * random.next()
      const rate = 0.04 * random.next()
      return (day) => {
        level *= 1 + rate * Math.min(1, Math.exp(-(day - 45) / 20))
        return level * (weekend(day) ? 0.5 : 1) * Math.exp(0.3 * normalDraw(random))
      }
    },
  },
  {
    name: 'jobs',
    what: 'a Poisson number of jobs a day (0.4 to 3 on average), each of very different size',
    make: (random) => {
      const rate = 0.4 + 2.6 * random.next()
      const size = 1 + 10 * random.next()
      return () => {
        let total = 0
        for (let clock = -Math.log(1 - random.next()) / rate; clock < 1; clock -= Math.log(1 - random.next()) / rate)
          total += size * Math.exp(0.8 * normalDraw(random))
        return total
      }
    },
  },
  {
    name: 'bursty',
    what: 'Gamma days (shape 1.5), every twelfth day three times as much',
    make: (random) => {
      const level = 5 + 20 * random.next()
      return () => (level * gammaDraw(random, 1.5) * (random.next() < 1 / 12 ? 3 : 1)) / 1.5
    },
  },
  {
    name: 'moved',
    what: 'steady, but the level changes by a factor of 0.4 to 2.5 once in 40 days on average',
    make: (random) => {
      let level = 5 + 40 * random.next()
      return (day) => {
        if (random.next() < 1 / 40) level *= Math.exp(0.9 * (2 * random.next() - 1))
        return level * (weekend(day) ? 0.7 : 1) * Math.exp(0.25 * normalDraw(random))
      }
    },
  },
]
