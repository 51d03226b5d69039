import { InvalidRequest } from '../../../errors/index.js'
import { noConfig, readConfig, shown, textValue, textValues, verdict, type CheckKind } from '../check-kind.js'

/** Where upper and lower case count, and where they don't. */
const asItIs = (text: string): string => text
const lower = (text: string): string => text.toLowerCase()

function one(
  kind: string,
  about: string,
  form: (text: string) => string,
  holds: (answer: string, wanted: string) => boolean,
  how: string,
): CheckKind {
  return {
    kind,
    about,
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const said = textValue(declared, path)
      if (said === '')
        throw new InvalidRequest(`${kind} with an empty \`value\` would hold for every answer. Say the text that is expected.`, {
          path: `${path}.value`,
        })
      const wanted = form(said)
      return {
        grade: (answer) =>
          verdict(
            holds(form(answer), wanted),
            `The answer ${how} ${shown(said)}.`,
            `No: the answer would have to say ${shown(said)}, and doesn’t${how === 'begins with' ? ' begin with it' : ''}.`,
          ),
      }
    },
  }
}

function several(kind: string, about: string, form: (text: string) => string, all: boolean): CheckKind {
  return {
    kind,
    about,
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const wanted = textValues(declared, path)
      if (wanted.includes(''))
        throw new InvalidRequest(`${kind} with an empty text in \`value\` would hold for every answer. Leave it out.`, {
          path: `${path}.value`,
        })
      return {
        grade(answer) {
          const seen = form(answer)
          const missing = wanted.filter((text) => !seen.includes(form(text)))
          const passed = all ? missing.length === 0 : missing.length < wanted.length
          const named = missing.slice(0, 3).map((text) => shown(text))
          return verdict(
            passed,
            all ? 'The answer contains all that was expected.' : 'The answer contains one of the expected texts.',
            all ? `The answer lacks ${named.join(', ')}.` : 'The answer contains none of the expected texts.',
          )
        },
      }
    },
  }
}

/** The types that look for texts in an answer. Time grows with the answer's length. */
export const containsKinds: readonly CheckKind[] = [
  one('contains', 'The answer contains `value`.', asItIs, (answer, wanted) => answer.includes(wanted), 'contains'),
  one('icontains', 'The same, whatever its case.', lower, (answer, wanted) => answer.includes(wanted), 'contains'),
  one('starts-with', 'The answer begins with `value`.', asItIs, (answer, wanted) => answer.startsWith(wanted), 'begins with'),
  several('contains-all', 'The answer contains every text of the list `value`.', asItIs, true),
  several('contains-any', 'The answer contains at least one text of the list `value`.', asItIs, false),
  several('icontains-all', '`contains-all`, whatever the case.', lower, true),
  several('icontains-any', '`contains-any`, whatever the case.', lower, false),
]
