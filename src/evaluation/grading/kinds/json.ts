import { InvalidRequest } from '../../../errors/index.js'
import { jsonIn } from '../../../strategies/index.js'
import { CHECK_SECONDS, checkBounded, LONGEST_CHECKED } from '../bounded-text.js'
import { noConfig, readConfig, verdict, type CheckKind, type Graded } from '../check-kind.js'

/** A check of JSON, maybe against a schema: `find` gives the JSON text of an answer, `undefined` where there is none. */
function jsonKind(kind: string, about: string, find: (answer: string) => string | undefined, none: string): CheckKind {
  return {
    kind,
    about,
    async bind(declared, path) {
      readConfig(noConfig, declared, path)
      const { value } = declared
      if (value !== undefined && value !== null && typeof value !== 'boolean' && (typeof value !== 'object' || Array.isArray(value)))
        throw new InvalidRequest(`\`value\` of ${kind} is a JSON schema (a mapping), or left out.`, { path: `${path}.value` })
      if (value === undefined || value === null)
        return { grade: (answer) => verdict(find(answer) !== undefined, 'The answer holds JSON.', none) }
      const schema = JSON.stringify(value)
      if ((await checkBounded({ schema, text: 'null' })) === 'not_checked')
        throw new InvalidRequest(
          'The schema can’t be used. It has to be one of draft 6, draft 7 or 2020-12, without references outside itself.',
          { path: `${path}.value` },
        )
      return {
        async grade(answer): Promise<Graded> {
          if (answer.length > LONGEST_CHECKED)
            return {
              score: 0,
              passed: false,
              reason: `The answer is longer than the ${LONGEST_CHECKED} characters that are held against a schema.`,
            }
          const text = find(answer)
          if (text === undefined) return { score: 0, passed: false, reason: none }
          const result = await checkBounded({ schema, text })
          if (result === 'not_checked')
            return { score: 0, passed: false, reason: `The JSON couldn’t be held against the schema within ${CHECK_SECONDS} seconds.` }
          return verdict(result === 'held', 'The JSON holds the schema.', 'The JSON breaks the schema.')
        },
      }
    },
  }
}

function whole(answer: string): string | undefined {
  try {
    JSON.parse(answer)
    return answer
  } catch {
    return undefined
  }
}

function within(answer: string): string | undefined {
  const all = whole(answer.trim())
  if (all !== undefined) return all
  const found = jsonIn(answer)
  return found === undefined ? undefined : asJson(found)
}

/** `undefined` for what nests so deep that it can't be written again. */
function asJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** JSON as the whole answer, and JSON somewhere in its first 100,000 characters (fences and sentences around it are fine). */
export const jsonKinds: readonly CheckKind[] = [
  jsonKind('is-json', 'The whole answer is JSON; with `value`, JSON that holds this schema.', whole, 'The answer is no JSON.'),
  jsonKind(
    'contains-json',
    'There is a JSON object or list in the answer; with `value`, the first one holds this schema.',
    within,
    'There is no JSON in the answer.',
  ),
]
