import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import { toDollars } from '../../../quantities/index.js'
import { wordsOf } from '../overlap.js'
import { noConfig, readConfig, verdict, type CheckKind, type DeclaredCheck } from '../check-kind.js'

function limitOf(declared: DeclaredCheck, path: string, unit: string): number {
  const { threshold } = declared
  if (threshold === undefined || !(threshold >= 0))
    throw new InvalidRequest(`${declared.type} needs \`threshold\`: the most ${unit} that an answer may take.`, {
      path: `${path}.threshold`,
    })
  return threshold
}

const count = z.int().nonnegative()
const words = z.union([count, z.strictObject({ min: count.optional(), max: count.optional() })])

/** Limits on what an answer took, and on its length. */
export const limitKinds: readonly CheckKind[] = [
  {
    kind: 'cost',
    about: 'The answer cost at most `threshold` dollars. An answer whose price isn’t known fails.',
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const most = limitOf(declared, path, 'dollars')
      return {
        grade(_answer, { taken }) {
          if (taken.cost.usd === null)
            return { score: 0, passed: false, reason: 'What the answer cost isn’t known: its model has no price.' }
          const dollars = toDollars(taken.cost.usd)
          return verdict(dollars <= most, `The answer cost $${dollars}.`, `The answer cost $${dollars}, more than $${most}.`)
        },
      }
    },
  },
  {
    kind: 'latency',
    about: 'The answer took at most `threshold` milliseconds.',
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const most = limitOf(declared, path, 'milliseconds')
      return {
        grade(_answer, { taken }) {
          const milliseconds = Math.round(taken.seconds * 1000)
          return verdict(
            taken.seconds * 1000 <= most,
            `The answer took ${milliseconds} ms.`,
            `The answer took ${milliseconds} ms, more than ${most} ms.`,
          )
        },
      }
    },
  },
  {
    kind: 'word-count',
    about: 'The answer has `value` words: a number, or `min` and `max`.',
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const read = words.safeParse(declared.value)
      if (!read.success)
        throw new InvalidRequest('`value` of word-count is a number of words, or a mapping of `min` and `max`.', { path: `${path}.value` })
      const { min = 0, max = Infinity } = typeof read.data === 'number' ? { min: read.data, max: read.data } : read.data
      return {
        grade(answer) {
          const given = wordsOf(answer).length
          return verdict(
            given >= min && given <= max,
            `The answer has ${given} words.`,
            `The answer has ${given} words; ${min === max ? min : `${min} to ${max}`} were wanted.`,
          )
        },
      }
    },
  },
]
