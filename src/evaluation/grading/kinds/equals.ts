import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import { canonicalJson } from '../../../strategies/index.js'
import { readConfig, shown, textValue, textValues, verdict, type CheckKind } from '../check-kind.js'

const config = z.strictObject({ anyOf: z.boolean().optional(), ignoreCase: z.boolean().optional() })

/**
 * The whole answer is the expected text, but for white space around it; a mapping or list is compared as JSON, whatever the order of
 * its keys.
 */
export const equals: CheckKind = {
  kind: 'equals',
  about:
    'The answer is `value`, but for white space around it. A mapping or list is compared as JSON. `config`: `ignoreCase`, `anyOf` (`value` is a list of right answers).',
  bind(declared, path) {
    const { anyOf = false, ignoreCase = false } = readConfig(config, declared, path)
    const { value } = declared
    if (!anyOf && typeof value === 'object' && value !== null) {
      const wanted = canonicalJson(JSON.stringify(value))
      if (wanted === undefined) throw new InvalidRequest('`value` of equals nests more than 64 levels deep.', { path: `${path}.value` })
      return {
        grade: (answer) =>
          verdict(
            canonicalJson(answer) === wanted,
            'The answer is the JSON that was expected.',
            'The answer isn’t the JSON that was expected.',
          ),
      }
    }
    const form = (text: string) => (ignoreCase ? text.trim().toLowerCase() : text.trim())
    const wanted = anyOf ? textValues(declared, path) : [textValue(declared, path)]
    const known = new Set(wanted.map(form))
    return {
      grade: (answer) =>
        verdict(
          known.has(form(answer)),
          'The answer is what was expected.',
          `The answer is not ${wanted
            .slice(0, 3)
            .map((text) => shown(text))
            .join(' or ')}.`,
        ),
    }
  },
}
