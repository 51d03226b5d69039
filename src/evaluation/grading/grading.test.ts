import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { simulatedEnvironment } from '../../environment/index.js'
import { noCost, usd } from '../../quantities/index.js'
import type { GradingContext } from '../suite/contract.js'
import { checkKinds, createCheck, gradeItem, type DeclaredCheck } from './index.js'
import { editDistance } from './kinds/levenshtein.js'
import { bleu, rougeN, tokenF1 } from './overlap.js'

const environment = simulatedEnvironment({ models: { m: { success: 1 } }, question: { id: 'q' }, seed: 1 })
const context: GradingContext = {
  item: { id: 'i', variables: { limit: 3 } },
  request: { model: 'm', messages: [{ role: 'user', parts: [{ type: 'text', text: 'Why?' }] }], stream: false, paths: {}, extra: [] },
  environment,
  taken: { cost: { ...noCost, usd: usd('0.002') }, seconds: 1.5, outputTokens: 7 },
}
const grade = async (declared: DeclaredCheck, answer: string, over: Partial<GradingContext> = {}) =>
  (await createCheck(declared, 'assert[0]')).grade(answer, { ...context, ...over })
const passes = async (declared: DeclaredCheck, answer: string) => (await grade(declared, answer)).passed

describe('checks of texts', () => {
  it.each<[DeclaredCheck, string, boolean]>([
    [{ type: 'equals', value: 'Paris' }, ' Paris\n', true],
    [{ type: 'equals', value: 'Paris' }, 'paris', false],
    [{ type: 'equals', value: 'Paris', config: { ignoreCase: true } }, 'paris', true],
    [{ type: 'equals', value: 42 }, '42', true],
    [{ type: 'equals', value: { a: [1, { c: 2, b: 3 }] } }, '{ "a": [1, {"b": 3, "c": 2}] }', true],
    [{ type: 'equals', value: { a: 1 } }, 'a is 1', false],
    [{ type: 'equals', value: ['Paris', 'Lutetia'], config: { anyOf: true } }, 'Lutetia', true],
    [{ type: 'contains', value: 0 }, 'there are 0 left', true],
    [{ type: 'icontains', value: 'PARIS' }, 'in paris', true],
    [{ type: 'contains-any', value: ['x', 'y'] }, 'only y', true],
    [{ type: 'contains-all', value: ['x', 'y'] }, 'only y', false],
    [{ type: 'icontains-all', value: ['X', 'y'] }, 'x Y', true],
    [{ type: 'starts-with', value: 'Yes' }, 'Yes, but', true],
    [{ type: 'not-contains', value: 'sorry' }, 'Here you are', true],
    [{ type: 'not-contains', value: 'sorry' }, 'sorry!', false],
    [{ type: 'levenshtein', value: 'kitten', threshold: 3 }, 'sitting', true],
    [{ type: 'levenshtein', value: 'kitten', threshold: 2 }, 'sitting', false],
    [{ type: 'word-count', value: 3 }, 'one two, three!', true],
    [{ type: 'word-count', value: { max: 2 } }, 'one two three', false],
    [{ type: 'cost', threshold: 0.002 }, '', true],
    [{ type: 'cost', threshold: 0.0019 }, '', false],
    [{ type: 'latency', threshold: 1500 }, '', true],
    [{ type: 'not-latency', threshold: 1000 }, '', true],
  ])('%j of %j: %s', async (declared, answer, wanted) => {
    expect(await passes(declared, answer)).toBe(wanted)
  })

  it('count as many edits as the whole table of them would', () => {
    const plain = (a: string, b: string): number => {
      let row = [...Array(b.length + 1).keys()]
      for (let i = 1; i <= a.length; i++) {
        const next = [i]
        for (let j = 1; j <= b.length; j++)
          next.push(Math.min((row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1), (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
        row = next
      }
      return row.at(-1) ?? 0
    }
    const short = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })
    fc.assert(
      fc.property(short, short, fc.nat(12), (a, b, most) => void expect(editDistance(a, b, most)).toBe(Math.min(plain(a, b), most + 1))),
    )
  })
})

describe('checks of final answers', () => {
  it.each<[DeclaredCheck, string, boolean]>([
    [{ type: 'numeric', value: 18 }, 'She has 16 - 3 = 13 … so 18 dollars.', true],
    [{ type: 'numeric', value: '9 * 2 = 18\n#### 18' }, 'The answer is $18.00.', true],
    [{ type: 'numeric', value: '1,250' }, 'It costs 1250 euros', true],
    [{ type: 'numeric', value: 0.75 }, 'Thus \\boxed{\\frac{3}{4}}.', true],
    [{ type: 'numeric', value: 3.14159, config: { tolerance: 0.01 } }, 'about 3.14', true],
    [{ type: 'numeric', value: 200, config: { relative: 0.01 } }, '201.9', true],
    [{ type: 'numeric', value: 200, config: { relative: 0.01 } }, '203', false],
    [{ type: 'numeric', value: -5 }, 'the result is −5', true],
    [{ type: 'numeric', value: 5 }, 'I don’t know', false],
    [{ type: 'choice', value: 'B' }, 'The answer is (B).', true],
    [{ type: 'choice', value: 'b' }, 'B', true],
    [{ type: 'choice', value: 'Paris', config: { choices: ['Rome', 'Paris'] } }, 'Paris', true],
    [{ type: 'choice', value: 'B', config: { choices: ['Rome', 'Paris'] } }, 'The answer is Rome', false],
    [{ type: 'choice', value: 'C' }, 'none of them', false],
    [{ type: 'answer', value: '\\boxed{\\frac{1}{2}}' }, 'So the answer is 0.5', true],
    [{ type: 'answer', value: ['1/2/2020', 'never'] }, 'The answer is January 2, 2020.', true],
    [{ type: 'answer', value: 'Paris' }, 'Rome', false],
  ])('%j of %j: %s', async (declared, answer, wanted) => {
    expect(await passes(declared, answer)).toBe(wanted)
  })

  it('read any number as it may be written', async () => {
    const check = async (value: number) => createCheck({ type: 'numeric', value }, '')
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -1e9, max: 1e9 }),
        fc.constantFrom('#### {}', 'The answer is {} apples.', '\\boxed{{}}', '{}'),
        async (number, form) => {
          const text = form.replace('{}', number.toLocaleString('en-US'))
          expect((await (await check(number)).grade(text, context)).passed).toBe(true)
          expect((await (await check(number + 1)).grade(text, context)).passed).toBe(false)
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('shares of common words', () => {
  it('are what their papers’ formulas give', () => {
    // Lin (2004): "police killed the gunman" and "police kill the gunman" share 3 of 4 words, and of 3 pairs one.
    expect(rougeN('police kill the gunman', 'police killed the gunman', 1)).toBeCloseTo(0.75)
    expect(rougeN('police kill the gunman', 'police killed the gunman', 2)).toBeCloseTo(1 / 3)
    expect(tokenF1('The cat sat.', 'a cat')).toBeCloseTo((2 * 0.5 * 1) / 1.5)
    // Papineni et al. (2002): "the" is clipped to the two of the reference, 2/7; no pair of it is there.
    const clipped = Math.exp((Math.log(2 / 7) + Math.log(1 / 7) + Math.log(1 / 6) + Math.log(1 / 5)) / 4)
    expect(bleu('the the the the the the the', ['the cat is on the mat'])).toBeCloseTo(clipped)
    expect(bleu('the cat is on', ['the cat is on the mat'])).toBeCloseTo(Math.exp(1 - 6 / 4))
    expect(bleu('', ['x'])).toBe(0)
  })

  it('lie in [0, 1], and are 1 for the same words', () => {
    const words = fc.array(fc.constantFrom('red', 'green', 'blue', 'sky'), { minLength: 1, maxLength: 9 }).map((list) => list.join(' '))
    fc.assert(
      fc.property(words, words, fc.integer({ min: 1, max: 3 }), (a, b, n) => {
        for (const share of [rougeN(a, b, n), bleu(a, [b]), tokenF1(a, b)]) expect(share >= 0 && share <= 1).toBe(true)
        expect([rougeN(a, a, n), bleu(a, [a]), tokenF1(a, a)].map((share) => Math.round(share * 1e9))).toEqual([1e9, 1e9, 1e9])
        expect(rougeN(a, b, 1)).toBeCloseTo(rougeN(b, a, 1))
      }),
    )
  })

  it('pass at their thresholds', async () => {
    expect(await grade({ type: 'rouge-n', value: 'police killed the gunman' }, 'police kill the gunman')).toMatchObject({
      score: 0.75,
      passed: true,
    })
    expect(await grade({ type: 'rouge-n', value: 'police killed the gunman', config: { n: 2 } }, 'police kill the gunman')).toMatchObject({
      passed: false,
    })
    expect(await grade({ type: 'not-f1', value: ['x', 'a cat'], threshold: 0.9 }, 'The cat sat.')).toMatchObject({ passed: true })
  })
})

describe('sets, weights and thresholds', () => {
  const yes: DeclaredCheck = { type: 'contains', value: 'a' }
  const no: DeclaredCheck = { type: 'contains', value: 'zz' }
  const item = async (declared: readonly DeclaredCheck[], threshold?: number) => ({
    id: 'i',
    checks: await Promise.all(declared.map((one) => createCheck(one, ''))),
    threshold,
  })

  it('make weighted means', async () => {
    const { score, passed, grades, reason } = await gradeItem(await item([{ ...yes, weight: 3 }, no]), 'a', context)
    expect({ score, passed, kinds: grades.map(({ kind }) => kind) }).toEqual({
      score: 0.75,
      passed: false,
      kinds: ['contains', 'contains'],
    })
    expect(reason).toContain('zz')
    expect((await gradeItem(await item([{ ...yes, weight: 3 }, no], 0.75), 'a', context)).passed).toBe(true)
    expect(await gradeItem(await item([yes, { ...no, weight: 0 }]), 'a', context)).toMatchObject({ score: 1, passed: true })
    await expect(gradeItem(await item([]), 'a', context)).rejects.toThrow('has no checks')
  })

  it('nest', async () => {
    const half = { type: 'assert-set', threshold: 0.5, checks: [yes, no] }
    expect(await grade(half, 'a')).toMatchObject({ score: 0.5, passed: true })
    expect(await grade({ type: 'assert-set', checks: [yes, no] }, 'a')).toMatchObject({ score: 0.5, passed: false })
    expect(await grade({ type: 'not-assert-set', threshold: 0.5, checks: [yes, half] }, 'b')).toMatchObject({ score: 1, passed: true })
  })

  it('have fingerprints that change with whatever changes a grade, and with nothing else', async () => {
    const of = async (declared: DeclaredCheck) => (await createCheck(declared, 'anywhere')).fingerprint
    const all = await Promise.all(
      [
        yes,
        no,
        { ...yes, type: 'not-contains' },
        { type: 'judge', value: 'x', model: 'm' },
        { type: 'judge', value: 'x', model: 'n' },
        { type: 'assert-set', checks: [yes] },
        { type: 'assert-set', checks: [yes], threshold: 0.5 },
      ].map(of),
    )
    expect(new Set(all).size).toBe(all.length)
    expect(await of({ ...yes, weight: 7 })).toBe(await of(yes))
    expect(await of({ type: 'judge', value: 'x', model: 'm' })).toBe(await of({ type: 'llm-rubric', value: 'x', model: 'm' }))
  })
})

describe('what is declared wrongly is refused with its place', () => {
  it.each<[DeclaredCheck, string, string]>([
    [{ type: 'contians', value: 'x' }, 'a.type', 'There is no check "contians". There are equals, contains'],
    [{ type: 'contains' }, 'a.value', 'needs `value`'],
    [{ type: 'contains', value: '' }, 'a.value', 'hold for every answer'],
    [{ type: 'contains-any', value: ['x', {}] }, 'a.value[1]', 'not a mapping'],
    [{ type: 'regex', value: '(' }, 'a.value', 'can’t be used'],
    [{ type: 'numeric', value: 'many' }, 'a.value', 'holds no number'],
    [{ type: 'numeric', value: 1, config: { tolerence: 1 } }, 'a.config', 'tolerence'],
    [{ type: 'choice', value: 'Bern', config: { choices: ['Rome', 'Paris'] } }, 'a.value', 'letter'],
    [{ type: 'llm-rubric', value: 'x' }, 'a.provider', 'needs a model that judges'],
    [{ type: 'similar', value: 'x' }, 'a.provider', 'embedding model'],
    [{ type: 'cost' }, 'a.threshold', 'most dollars'],
    [{ type: 'rouge-n', value: 'x', threshold: 75 }, 'a.threshold', 'in [0, 1]'],
    [{ type: 'contains', value: 'x', weight: -1 }, 'a.weight', 'from 0'],
    [{ type: 'is-json', value: { type: 'text' } }, 'a.value', 'schema can’t be used'],
    [{ type: 'sql', value: 'SELECT 1' }, 'a.config', 'either'],
    [{ type: 'code', value: [{ input: 'x' }] }, 'a.value[0].output', 'tests of code'],
    [{ type: 'assert-set', checks: [{ type: 'nope' }] }, 'a.assert[0].type', 'no check "nope"'],
  ])('%j', async (declared, path, words) => {
    await expect(createCheck(declared, 'a')).rejects.toMatchObject({ path, message: expect.stringContaining(words) as unknown })
  })
})

it('no check without a model fails for anything that an answer may hold', async () => {
  const declared: DeclaredCheck[] = [
    { type: 'equals', value: 'x' },
    { type: 'equals', value: { a: 1 } },
    { type: 'contains', value: 'x' },
    { type: 'icontains-all', value: ['x'] },
    { type: 'starts-with', value: 'x' },
    { type: 'is-json' },
    { type: 'contains-json' },
    { type: 'numeric', value: 1 },
    { type: 'choice', value: 'A' },
    { type: 'answer', value: 'x' },
    { type: 'levenshtein', value: 'x' },
    { type: 'rouge-n', value: 'x' },
    { type: 'bleu', value: 'x' },
    { type: 'f1', value: 'x' },
    { type: 'word-count', value: 1 },
    { type: 'cost', threshold: 1 },
    { type: 'latency', threshold: 1 },
  ]
  const checks = await Promise.all(declared.map((one) => createCheck(one, '')))
  const huge = 10 * 1024 * 1024
  const answers = [
    '',
    ' \n',
    '\u0000\uFFFD\uD800 half',
    '['.repeat(100_000),
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    '{"a":'.repeat(5_000),
    '```'.repeat(5_000),
    '\\boxed{'.repeat(5_000),
    '1,'.repeat(50_000),
    'answer is '.repeat(5_000),
    'a'.repeat(huge),
  ]
  for (const check of checks)
    for (const answer of answers) {
      const { score, reason } = await check.grade(answer, context)
      expect(score >= 0 && score <= 1 && reason.length > 0, `${check.kind} of ${answer.slice(0, 20)}`).toBe(true)
    }
  // Every kind is either here or tested with a process, a thread or a model of its own.
  const apart = [
    'contains-any',
    'contains-all',
    'icontains',
    'icontains-any',
    'regex',
    'similar',
    'code',
    'sql',
    'javascript',
    'llm-rubric',
    'factuality',
    'pairwise',
  ]
  expect(checkKinds.map(({ kind }) => kind).filter((kind) => !apart.includes(kind) && !declared.some(({ type }) => type === kind))).toEqual(
    [],
  )
})

it('answers whose price isn’t known fail a limit of cost', async () => {
  expect(await grade({ type: 'cost', threshold: 1 }, 'x', { taken: { ...context.taken, cost: { ...noCost, usd: null } } })).toMatchObject({
    passed: false,
    score: 0,
  })
})
