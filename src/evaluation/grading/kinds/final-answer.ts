import { z } from 'zod'
import { InvalidRequest } from '../../../errors/index.js'
import { answerKey } from '../../../strategies/index.js'
import { noConfig, readConfig, shown, textValue, textValues, verdict, type CheckKind, type DeclaredCheck } from '../check-kind.js'

const numericConfig = z.strictObject({ tolerance: z.number().nonnegative().optional(), relative: z.number().nonnegative().optional() })

/** Of numbers that are equal as they are written: twelve digits are compared, which doubles hold. */
const ROUNDING = 1e-9

/** The numbers that a text ends on, in ascending order; `undefined` where there are none. */
function numbersOf(text: string): readonly number[] | undefined {
  const key = answerKey(text, { kind: 'number' })
  if (key === null || !key.startsWith('n:')) return undefined
  return key
    .slice(2)
    .split(',')
    .map(Number)
    .sort((a, b) => a - b)
}

/**
 * The number that an answer ends on: in `\boxed{}`, after "####" or "the answer is", else the last one. Thousands separators, currency,
 * units, percent signs, fractions and LaTeX are read. |answer − value| ≤ max(tolerance, relative · |value|).
 */
export const numeric: CheckKind = {
  kind: 'numeric',
  about: 'The number that the answer ends on is that of `value`. `config`: `tolerance` (absolute), `relative` (a share of the value).',
  bind(declared, path) {
    const { tolerance = 0, relative = ROUNDING } = readConfig(numericConfig, declared, path)
    const said = textValue(declared, path)
    const wanted = numbersOf(said)
    if (wanted === undefined) throw new InvalidRequest(`\`value\` of numeric holds no number: ${shown(said)}.`, { path: `${path}.value` })
    const near = (given: number, right: number) => Math.abs(given - right) <= Math.max(tolerance, relative * Math.abs(right))
    return {
      grade(answer) {
        const given = numbersOf(answer)
        if (given === undefined)
          return { score: 0, passed: false, reason: `The answer names no number; ${wanted.join(', ')} was expected.` }
        const right = given.length === wanted.length && given.every((number, index) => near(number, wanted[index] ?? NaN))
        return verdict(
          right,
          `The answer ends on ${given.join(', ')}.`,
          `The answer ends on ${given.join(', ')}, not on ${wanted.join(', ')}.`,
        )
      },
    }
  },
}

const choiceConfig = z.strictObject({ choices: z.array(z.string().min(1)).min(2).max(26).optional() })

/** The letter that an answer to a multiple-choice question names, however it says so. */
export const choice: CheckKind = {
  kind: 'choice',
  about:
    'The letter that the answer chooses is `value` (A to J). `config`: `choices`, the texts of the options, of which an answer may also name one in full.',
  bind(declared, path) {
    const { choices = [] } = readConfig(choiceConfig, declared, path)
    const wanted = letterOf(declared, choices, path)
    return {
      grade(answer) {
        const key = answerKey(answer, { kind: 'choice', choices: Math.max(choices.length, 10) })
        const given = key?.startsWith('c:') === true ? key.slice(2) : namedIn(answer, choices)
        return verdict(
          given === wanted,
          `The answer chooses ${wanted}.`,
          given === undefined ? `The answer chooses none; ${wanted} was expected.` : `The answer chooses ${given}, not ${wanted}.`,
        )
      },
    }
  },
}

/** The right letter: as it stands, or that of an option's text. */
function letterOf(declared: DeclaredCheck, choices: readonly string[], path: string): string {
  const said = textValue(declared, path).trim()
  const letter = /^\(?([A-J])\)?\.?$/i.exec(said)?.[1]?.toUpperCase()
  if (letter !== undefined) return letter
  const index = choices.findIndex((text) => sameText(text, said))
  if (index < 0 || index > 9)
    throw new InvalidRequest(`\`value\` of choice is a letter from A to J, or one of \`config.choices\`, not ${shown(said)}.`, {
      path: `${path}.value`,
    })
  return String.fromCharCode(65 + index)
}

/** The letter of the one option whose text the answer's end is; `undefined` where it names none. */
function namedIn(answer: string, choices: readonly string[]): string | undefined {
  const key = answerKey(answer)
  const index = key === null ? -1 : choices.findIndex((text) => answerKey(text, { kind: 'text' }) === key || answerKey(text) === key)
  return index < 0 ? undefined : String.fromCharCode(65 + index)
}

function sameText(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase()
}

/**
 * The final answer is the expected one, whatever form both are written in: `answerKey` of both is the same. For mixed sets such as
 * MATH.
 */
export const finalAnswer: CheckKind = {
  kind: 'answer',
  about:
    'The final answer (a number, date, choice, JSON, or a few words) is the same as that of `value`, however either is written. A list: one of them.',
  bind(declared, path) {
    readConfig(noConfig, declared, path)
    const texts = textValues(declared, path)
    const wanted = new Set(texts.map((text) => answerKey(text) ?? answerKey(text, { kind: 'text' })))
    if (wanted.has(null))
      throw new InvalidRequest(
        '`value` of answer is too long to compare: a final answer has at most 80 characters. Use llm-rubric or f1 for longer ones.',
        { path: `${path}.value` },
      )
    return {
      grade(answer) {
        const keys = [answerKey(answer), answerKey(answer, { kind: 'text' })]
        return verdict(
          keys.some((key) => key !== null && wanted.has(key)),
          'The final answer is the expected one.',
          `The final answer is not ${shown(texts[0] ?? '')}.`,
        )
      },
    }
  },
}
