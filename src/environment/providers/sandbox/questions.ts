import { childRandom } from '../../../statistics/index.js'
import type { Effort } from '../../../protocol/index.js'
import { findArithmetic } from './arithmetic.js'
import { normal, normalQuantile } from './draws.js'
import type { SandboxModel } from './models.js'

/** A question whose right answer the simulator knows. */
export interface KnownQuestion {
  /** The answer alone. */
  readonly right: string
  /** What a model that errs says instead. */
  readonly wrong: readonly string[]
  /** A sentence around an answer. */
  sentence(answer: string): string
}

const CAPITALS: Readonly<Record<string, string>> = {
  argentina: 'Buenos Aires',
  australia: 'Canberra',
  austria: 'Vienna',
  belgium: 'Brussels',
  brazil: 'Brasília',
  bulgaria: 'Sofia',
  canada: 'Ottawa',
  chile: 'Santiago',
  china: 'Beijing',
  colombia: 'Bogotá',
  croatia: 'Zagreb',
  cuba: 'Havana',
  denmark: 'Copenhagen',
  egypt: 'Cairo',
  ethiopia: 'Addis Ababa',
  finland: 'Helsinki',
  france: 'Paris',
  germany: 'Berlin',
  ghana: 'Accra',
  greece: 'Athens',
  hungary: 'Budapest',
  iceland: 'Reykjavík',
  india: 'New Delhi',
  indonesia: 'Jakarta',
  iran: 'Tehran',
  ireland: 'Dublin',
  italy: 'Rome',
  japan: 'Tokyo',
  kenya: 'Nairobi',
  mexico: 'Mexico City',
  morocco: 'Rabat',
  netherlands: 'Amsterdam',
  'new zealand': 'Wellington',
  norway: 'Oslo',
  peru: 'Lima',
  poland: 'Warsaw',
  portugal: 'Lisbon',
  romania: 'Bucharest',
  senegal: 'Dakar',
  'south korea': 'Seoul',
  spain: 'Madrid',
  sweden: 'Stockholm',
  switzerland: 'Bern',
  thailand: 'Bangkok',
  turkey: 'Ankara',
  ukraine: 'Kyiv',
  'united kingdom': 'London',
  'united states': 'Washington, D.C.',
  uruguay: 'Montevideo',
  vietnam: 'Hanoi',
}
const SYMBOLS: Readonly<Record<string, string>> = {
  hydrogen: 'H',
  helium: 'He',
  carbon: 'C',
  nitrogen: 'N',
  oxygen: 'O',
  sodium: 'Na',
  magnesium: 'Mg',
  aluminium: 'Al',
  aluminum: 'Al',
  silicon: 'Si',
  potassium: 'K',
  calcium: 'Ca',
  iron: 'Fe',
  copper: 'Cu',
  zinc: 'Zn',
  silver: 'Ag',
  tin: 'Sn',
  gold: 'Au',
  mercury: 'Hg',
  lead: 'Pb',
}
const FACTS: readonly { readonly asks: RegExp; readonly right: string; readonly wrong: readonly string[]; readonly about: string }[] = [
  { asks: /largest planet/i, right: 'Jupiter', wrong: ['Saturn', 'Neptune'], about: 'The largest planet of the solar system is' },
  { asks: /smallest planet/i, right: 'Mercury', wrong: ['Mars', 'Venus'], about: 'The smallest planet of the solar system is' },
  { asks: /how many (?:days|d) (?:are )?in a leap year/i, right: '366', wrong: ['365', '364'], about: 'The days of a leap year number' },
  { asks: /how many minutes (?:are )?in a day/i, right: '1440', wrong: ['1400', '3600'], about: 'The minutes of a day number' },
  { asks: /how many (?:sides|edges) (?:does|has) a hexagon/i, right: '6', wrong: ['8', '5'], about: 'The number of sides of a hexagon is' },
  { asks: /boiling point of water/i, right: '100 °C', wrong: ['90 °C', '212 °C'], about: 'At sea level the boiling point of water is' },
  { asks: /largest ocean/i, right: 'the Pacific', wrong: ['the Atlantic', 'the Indian Ocean'], about: 'The largest ocean is' },
  {
    asks: /longest side of a right(?:-angled)? triangle/i,
    right: 'the hypotenuse',
    wrong: ['the cathetus', 'the median'],
    about: 'The longest side of a right triangle is',
  },
  {
    asks: /who wrote hamlet/i,
    right: 'William Shakespeare',
    wrong: ['Christopher Marlowe', 'Ben Jonson'],
    about: 'The author of Hamlet is',
  },
  {
    asks: /who (?:discovered|found) penicillin/i,
    right: 'Alexander Fleming',
    wrong: ['Louis Pasteur', 'Robert Koch'],
    about: 'The discoverer of penicillin is',
  },
  { asks: /square root of 144/i, right: '12', wrong: ['14', '11'], about: 'The square root of 144 is' },
  {
    asks: /first (?:man|person|human) on the moon/i,
    right: 'Neil Armstrong',
    wrong: ['Buzz Aldrin', 'Yuri Gagarin'],
    about: 'The first human on the moon was',
  },
]

/** Recognises a question that the simulator can answer. */
export function findQuestion(text: string): KnownQuestion | undefined {
  const arithmetic = findArithmetic(text)
  if (arithmetic) {
    const { expression, value } = arithmetic
    if (value === undefined)
      return { right: 'undefined', wrong: ['0', '1', 'infinity'], sentence: (answer) => `${expression} is ${answer}.` }
    return { right: value, wrong: slips(value), sentence: (answer) => `${expression} = ${answer}` }
  }
  if (text.length > 1_000) return undefined
  const capital = /capital (?:city )?of (?:the )?([a-z]+(?: [a-z]+)?)/i.exec(text)
  if (capital) {
    const words = (capital[1] as string).toLowerCase()
    const country = Object.hasOwn(CAPITALS, words) ? words : (words.split(' ')[0] as string)
    const right = Object.hasOwn(CAPITALS, country) ? CAPITALS[country] : undefined
    if (right !== undefined) {
      const name = country.replace(/(^| )[a-z]/g, (letter) => letter.toUpperCase())
      const article = /^(?:united|netherlands)/.test(country) ? 'the ' : ''
      return {
        right,
        wrong: neighbours(Object.values(CAPITALS), right),
        sentence: (answer) => `The capital of ${article}${name} is ${withStop(answer)}`,
      }
    }
  }
  const element = /(?:chemical )?symbol (?:of|for) (?:the element )?([a-z]+)/i.exec(text)
  if (element) {
    const name = (element[1] as string).toLowerCase()
    const right = Object.hasOwn(SYMBOLS, name) ? SYMBOLS[name] : undefined
    if (right !== undefined)
      return {
        right,
        wrong: neighbours(Object.values(SYMBOLS), right),
        sentence: (answer) => `The chemical symbol of ${name} is ${answer}.`,
      }
  }
  const fact = FACTS.find(({ asks }) => asks.test(text))
  return fact && { right: fact.right, wrong: fact.wrong, sentence: (answer) => `${fact.about} ${answer}.` }
}

/** How a model answered: the answer, whether it is right, and how sure the model is, in (0, 1). */
export interface Attempt {
  readonly answer: string
  readonly right: boolean
  readonly confidence: number
}

/** Share of a question's difficulty that all models feel alike: what one model misses the next is likelier to miss too. */
const SHARED_DIFFICULTY = 0.5
/** What reasoning adds to ability, in standard deviations of difficulty. */
const EFFORT_GAIN: Readonly<Record<Effort, number>> = { none: 0, minimal: 0.1, low: 0.3, medium: 0.5, high: 0.7, xhigh: 0.8, max: 0.9 }

/**
 * Answers as the model would: a question has a difficulty that is partly the same for all models (a Gaussian copula with
 * correlation one half), and the model is right when it is below the model's ability. Over many questions the share of right
 * answers without reasoning is the declared quality. The same seed, model, text and draw give the same answer.
 */
export function attempt(
  question: KnownQuestion,
  model: SandboxModel,
  effort: Effort | undefined,
  seed: number,
  text: string,
  draw: string,
): Attempt {
  const shared = normal(childRandom(seed, `difficulty\0${text}`))
  const random = childRandom(seed, `attempt\0${model.id}\0${draw}\0${text}`)
  const own = normal(random)
  const difficulty = Math.sqrt(SHARED_DIFFICULTY) * shared + Math.sqrt(1 - SHARED_DIFFICULTY) * own
  const margin = normalQuantile(model.quality) + EFFORT_GAIN[effort ?? 'none'] - difficulty
  const right = margin > 0
  const wrong = question.wrong[Math.floor(random.next() * question.wrong.length)] ?? question.right
  // A model that errs is less sure, but not by much when it errs only just: confidence is evidence, not proof.
  const confidence = 1 / (1 + Math.exp(-(0.6 + 1.6 * margin + 0.5 * normal(random))))
  return { answer: right ? question.right : wrong, right, confidence: Math.min(0.995, Math.max(0.02, confidence)) }
}

/** Wrong results as they really happen: a slip of one, of ten, of a digit's place, two digits exchanged. */
function slips(value: string): string[] {
  const found = new Set<string>()
  if (/^-?\d{1,15}$/.test(value)) {
    const number = Number(value)
    for (const step of [10, -10, 1, -1, 100]) found.add(String(number + step))
    const digits = [...value]
    if (digits.length > 2) {
      const last = digits.length - 1
      ;[digits[last], digits[last - 1]] = [digits[last - 1] as string, digits[last] as string]
      found.add(digits.join(''))
    }
  } else {
    const digits = value.replace(/^-/, '')
    const raised = digits.replace(/\d/, (digit) => String((Number(digit) % 9) + 1))
    found.add(value.startsWith('-') ? `-${raised}` : raised)
    found.add(value.startsWith('-') ? digits : `-${digits}`)
  }
  found.delete(value)
  return [...found]
}

function neighbours(all: readonly string[], right: string): string[] {
  const others = [...new Set(all)].filter((other) => other !== right)
  const at = all.indexOf(right)
  return [others[at % others.length], others[(at * 7 + 3) % others.length], others[(at * 3 + 11) % others.length]].filter(
    (other) => other !== undefined,
  )
}

function withStop(answer: string): string {
  return answer.endsWith('.') ? answer : `${answer}.`
}
