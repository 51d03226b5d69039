import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import type { Observation } from '../contracts.js'
import { openReader, createWriter } from './bytes.js'
import { formatCues } from './format-cues.js'
import { createTaskClassifier, type LabelledRow } from './task-classifier.js'
import { task } from './task.js'

const understanding = createUnderstanding({ cacheEntries: 0 })
const arms = [
  { id: 'searcher', card: {} },
  { id: 'reasoner', card: {} },
]
const nouns = ['river', 'song', 'king', 'city', 'novel', 'planet', 'engine', 'bird', 'coin', 'bridge']

/** The same words, put as a search box's question or as an exam's: only the form tells which arm is good at it. */
function question(kind: 'search' | 'exam', random: { next(): number }): string {
  const noun = () => nouns[Math.floor(random.next() * nouns.length)] ?? ''
  const words = `which ${noun()} belongs to the ${noun()} of the ${noun()}`
  return kind === 'search' ? words : `${words[0]?.toUpperCase()}${words.slice(1)}?`
}

function observations(requests: number, seed: number): Observation[] {
  const random = seededRandom(seed)
  return Array.from({ length: requests }, (_, at) => (at % 2 === 0 ? 'search' : 'exam')).flatMap((kind) => {
    const features = {
      ...understanding.ofText(question(kind === 'search' ? 'search' : 'exam', random)),
      category: { name: kind, probability: 1 },
    }
    return [
      { features, arm: 'searcher', quality: kind === 'search' ? 1 : 0 },
      { features, arm: 'reasoner', quality: kind === 'search' ? 0 : 1 },
    ]
  })
}

describe('task', () => {
  it('knows a task by how a request is put, where the words are the same', () => {
    const predictor = task.train(observations(200, 1), arms, {}, 1)
    const random = seededRandom(2)
    let right = 0
    for (let at = 0; at < 40; at++) {
      const kind = at % 2 === 0 ? 'search' : 'exam'
      const { category: _, ...features } = understanding.ofText(question(kind, random))
      const [searcher, reasoner] = predictor.predict(features, ['searcher', 'reasoner'])
      if ((searcher?.quality?.mean ?? 0) > (reasoner?.quality?.mean ?? 0) === (kind === 'search')) right += 1
    }
    expect(right).toBeGreaterThan(36)
  })

  it('expects the arm’s mean where no row names a task', () => {
    const untold = observations(60, 1).map(({ features: { category: _, ...features }, ...rest }) => ({ ...rest, features }))
    const [searcher] = task.train(untold, arms, {}, 1).predict(understanding.ofText('which river?'), ['searcher'])
    expect(searcher?.quality?.mean).toBeCloseTo(0.5, 5)
  })
})

describe('format cues', () => {
  it('tell case, ending and choices apart, and bear any text', () => {
    expect(formatCues('who sings it')).toContain('begins lower')
    expect(formatCues('Who sings it?')).toContain('begins upper, ends ?')
    expect(formatCues('Which?\nA) one\nB) two')).toContain('choices 2')
    for (const text of ['', ' ', '\u0000', '𝒳'.repeat(5000), '((((('.repeat(5000)])
      expect(formatCues(text).length).toBe(formatCues('a').length)
  })
})

describe('task classifier', () => {
  const row = (column: number): LabelledRow['row'] => ({ columns: Uint32Array.of(column, 9), values: Float32Array.of(1, 1) })

  it('gives probabilities that sum to one, and no more than it may be sure of', () => {
    const random = seededRandom(3)
    // A fifth of the labels are drawn at random: 0.9 is the most that can be known.
    const rows = Array.from({ length: 600 }, (): LabelledRow => {
      const column = random.next() < 0.5 ? 1 : 2
      const label = random.next() < 0.2 ? (random.next() < 0.5 ? 'one' : 'two') : column === 1 ? 'one' : 'two'
      return { row: row(column), label }
    })
    const classifier = createTaskClassifier(10, 8)
    classifier.fit(rows, 1)
    const said = classifier.probabilities(row(1))
    expect([...said].reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9)
    const one = said[classifier.labels.indexOf('one')] ?? 0
    expect(one).toBeGreaterThan(0.8)
    expect(one).toBeLessThan(0.96)
  })

  it('learns a label that comes later, up to the most there may be, and is the same once loaded', () => {
    const classifier = createTaskClassifier(10, 3)
    classifier.fit(
      Array.from({ length: 40 }, (_, at) => ({ row: row(at % 2), label: at % 2 === 0 ? 'even' : 'odd' })),
      1,
    )
    for (let round = 0; round < 20; round++) classifier.learn({ row: row(5), label: 'late' })
    classifier.learn({ row: row(6), label: 'too many' })
    expect(classifier.labels).toEqual(['even', 'odd', 'late'])
    expect(classifier.probabilities(row(5))[2]).toBeGreaterThan(0.6)
    const writer = createWriter('test', 1)
    classifier.write(writer)
    const loaded = createTaskClassifier(10, 3, openReader(writer.finish(), 'test', 1))
    expect(loaded.probabilities(row(5))).toEqual(classifier.probabilities(row(5)))
  })
})
