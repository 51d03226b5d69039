import { describe, expect, it } from 'vitest'
import { fitIdf } from '../lexical/idf.js'
import { lexicalVector } from '../lexical/vector.js'
import { seededRandom } from '../../statistics/index.js'
import { createUnderstanding } from '../understanding.js'
import { loadCategories, trainCategories, type LabelledText } from './category-model.js'
import { sureCategory } from './sure-category.js'

const subjects: Readonly<Record<string, readonly string[]>> = {
  cooking: ['bake', 'bread', 'oven', 'soup', 'salt', 'recipe', 'flour', 'butter'],
  sport: ['match', 'goal', 'player', 'league', 'score', 'coach', 'stadium', 'referee'],
  travel: ['flight', 'hotel', 'visa', 'passport', 'beach', 'train', 'luggage', 'border'],
}

function rows(seed: number, count: number): LabelledText[] {
  const random = seededRandom(seed)
  const names = Object.keys(subjects)
  return Array.from({ length: count }, (_, at) => {
    const label = names[at % names.length] ?? ''
    const words = subjects[label] ?? []
    return { label, text: Array.from({ length: 4 }, () => words[Math.floor(random.next() * words.length)]).join(' about the ') }
  })
}

describe('cue categories', () => {
  const understanding = createUnderstanding()
  it.each([
    ['Write a Python function that reverses a list', 'code'],
    ['SELECT name FROM users WHERE id = 3', 'sql'],
    ['Solve the equation x^2 - 5x + 6 = 0', 'math'],
    ['Extract all names of persons from the following text', 'extraction'],
    ['Classify the sentiment of this review', 'classification'],
    ['Summarize this article in three key points', 'summary'],
    ['Translate this letter into French', 'translation'],
    ['Übersetze diesen Satz', 'translation'],
    ['总结这篇文章', 'summary'],
    ['Write a poem about autumn', 'writing'],
    ['What is the capital of Peru?', 'knowledge'],
    ['Hello, how are you?', 'chat'],
  ])('%j is %s', (text, name) => expect(understanding.ofText(text).category?.name).toBe(name))

  it('say nothing of a text without any', () => expect(understanding.ofText('zzz yyy xxx').category).toBeUndefined())
})

describe('a trained category model', () => {
  const train = rows(1, 120)
  const idf = fitIdf(
    train.map(({ text }) => text),
    { salt: 5 },
  )
  const model = trainCategories(train, { idf })
  const vector = (text: string) => lexicalVector(text, idf, 5)

  it('knows texts that it wasn’t trained on, with probabilities that sum to one', () => {
    const test = rows(2, 60)
    const right = test.filter(({ text, label }) => model.categorise(vector(text))?.name === label)
    expect(right.length).toBeGreaterThan(57)
    for (const { text } of test) expect(model.probabilities(vector(text)).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9)
  })

  it('says "other" to a text of several subjects, or of nothing', () => {
    expect(model.categorise(vector(''))).toBeUndefined()
    expect(model.categorise(vector('soup goal'))?.probability ?? 0).toBeLessThan(0.9)
  })

  it('is the same for the same seed, and after it was saved and loaded, also in learning on', () => {
    const same = trainCategories(train, { idf })
    const loaded = loadCategories(model.serialize())
    for (const other of [same, loaded]) {
      expect(other.labels).toEqual(model.labels)
      expect(other.salt).toBe(5)
      for (const { text } of rows(3, 12)) expect(other.probabilities(vector(text))).toEqual(model.probabilities(vector(text)))
    }
    const before = loaded.probabilities(vector('stadium bread'))[loaded.labels.indexOf('cooking')] ?? 0
    for (const one of [same, loaded]) for (let step = 0; step < 5; step++) one.learn(vector('stadium bread'), 'cooking')
    expect(loaded.probabilities(vector('stadium bread'))[loaded.labels.indexOf('cooking')]).toBeGreaterThan(before)
    expect(loaded.probabilities(vector('stadium bread'))).toEqual(same.probabilities(vector('stadium bread')))
    expect(() => loaded.learn(vector('a'), 'politics')).toThrow(/no label "politics"/)
  })

  it('takes the cue words’ place in understanding', () => {
    expect(createUnderstanding({ idf, categories: model }).ofText('bake the bread in the oven').category?.name).toBe('cooking')
  })

  it('refuses what it can’t be made of', () => {
    expect(() => trainCategories([])).toThrow(/two labels/)
    expect(() => trainCategories([{ text: 'a', label: 'x' }])).toThrow(/two labels/)
    expect(() => trainCategories(train, { idf, salt: 6 })).toThrow(/salt/)
    const bytes = model.serialize()
    const broken = bytes.slice()
    new DataView(broken.buffer).setFloat32(broken.length - 4, NaN, true)
    for (const wrong of [new Uint8Array(), bytes.slice(0, 7), bytes.slice(0, -4), broken, bytes.map((byte) => byte ^ 255)])
      expect(() => loadCategories(wrong)).toThrow(/category model/)
  })
})

describe('sureCategory', () => {
  it('needs a probability of 0.6 and a gap of 0.15', () => {
    expect(sureCategory(['a', 'b'], [0.6, 0.4])).toEqual({ name: 'a', probability: 0.6 })
    expect(sureCategory(['a', 'b', 'c'], [0.55, 0.25, 0.2])).toBeUndefined()
    expect(sureCategory(['a', 'b'], [0.62, 0.5])).toBeUndefined()
    expect(sureCategory(['a', 'b'], [NaN, NaN])).toBeUndefined()
    expect(sureCategory([], [])).toBeUndefined()
    expect(sureCategory(['a'], [1])).toEqual({ name: 'a', probability: 1 })
  })
})
