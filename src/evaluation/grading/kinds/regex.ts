import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import { CHECK_SECONDS, checkBounded, LONGEST_CHECKED } from '../bounded-text.js'
import { readConfig, shown, textValue, verdict, type CheckKind } from '../check-kind.js'

const config = z.strictObject({
  flags: z
    .string()
    .regex(/^[dimsuv]*$/, 'flags are letters of d, i, m, s, u, v')
    .optional(),
})

/**
 * A JavaScript pattern is found in the answer. It runs in a thread: one that takes longer than five seconds counts as not found. The
 * first 2,000,000 characters are looked at.
 */
export const regex: CheckKind = {
  kind: 'regex',
  about: 'The JavaScript pattern `value` is found in the answer. `config`: `flags`, such as `i`.',
  verbatim: true,
  bind(declared, path) {
    const { flags = '' } = readConfig(config, declared, path)
    const pattern = textValue(declared, path)
    try {
      new RegExp(pattern, flags)
    } catch (thrown) {
      throw new InvalidRequest(`The pattern can’t be used: ${thrown instanceof Error ? thrown.message : 'it is none'}.`, {
        path: `${path}.value`,
      })
    }
    return {
      async grade(answer) {
        const result = await checkBounded({ pattern, flags, text: answer.slice(0, LONGEST_CHECKED) })
        if (result === 'not_checked')
          return { score: 0, passed: false, reason: `The pattern took longer than ${CHECK_SECONDS} seconds on this answer.` }
        return verdict(result === 'held', `The answer matches ${shown(pattern)}.`, `The answer doesn’t match ${shown(pattern)}.`)
      },
    }
  },
}
