import { describe, expect, it } from 'vitest'
import { recordedEnvironment } from '../../environment/index.js'
import type { Delta } from '../../protocol/index.js'
import { picoUsd } from '../../quantities/index.js'
import { textOf } from '../calls.js'
import { ran } from '../fixtures/ran.js'
import { cutThinking, type CutEvent } from './cut-thinking.js'
import { outcomeEfficiency, processEfficiency, validThinkingRate } from './efficiency.js'
import { question, scriptedEnvironment } from './fixtures/scripted-environment.js'
import { splitRounds } from './rounds.js'
import { statedAnswers } from './stated-answers.js'
import { ThinkingWatch, type WatchSettings } from './thinking-watch.js'

const solved = 'Three times four is twelve. So the answer is 12.\n'
const check = 'Wait, let me check that again. Four and four and four make twelve. So the answer is 12.\n'
const contradiction = 'Hold on. It was three times five. So the answer is 15.\n'
const later = 'And this is how the rest of it goes on for a while. '.repeat(20)

/** What the watch says, and after how many characters, whatever the pieces' size. */
function watched(text: string, kind: 'reasoning' | 'text' = 'text', settings?: WatchSettings) {
  const results = [1, 5, 1000].map((size) => {
    const watch = new ThinkingWatch(kind, settings)
    for (let at = 0; at < text.length; at += size) {
      const reason = watch.push(text.slice(at, at + size))
      if (reason !== undefined) return { reason, answer: watch.answer }
    }
    return { reason: undefined, answer: watch.answer }
  })
  for (const result of results) expect(result).toEqual(results[0])
  return results[0]
}

describe('thinking watch', () => {
  it('allows one check, and no second one', () => {
    expect(watched(`${solved}${check}Done.`)?.reason).toBeUndefined()
    expect(watched(solved + check + check + later)).toEqual({ reason: 'checked', answer: 'n:12' })
    expect(watched(`${solved}${check}Answer: 12\nAnd so on.`)).toEqual({ reason: 'restated', answer: 'n:12' })
    expect(watched(`${solved}Wait, was it? Let me verify. ${later}`)?.reason).toBe('checked')
  })

  it('goes on when a check changes the answer', () => {
    expect(watched(`${solved}${contradiction}${contradiction.replace('Hold on. ', '')}Fine. `)).toEqual({
      reason: undefined,
      answer: 'n:15',
    })
  })

  it('knows parts of an answer from statements of it', () => {
    expect(watched('(a) The answer is 4. (b) The answer is 4. (c) The answer is 5. (d) The answer is 6. Done.')?.reason).toBeUndefined()
  })

  it('ends reasoning that goes on without anything new, not a text that explains', () => {
    expect(watched(solved + later, 'reasoning')?.reason).toBe('idle')
    expect(watched(solved + later, 'text', { novelty: 0 })?.reason).toBeUndefined()
  })

  it('ends loops, with or without an answer, but no lists', () => {
    expect(watched('We add one and then we add two to it again. '.repeat(60))).toEqual({ reason: 'loop', answer: null })
    expect(
      watched(Array.from({ length: 200 }, (_, index) => `Step ${index}: ${index * 7} plus ${index} is ${index * 8}. `).join(''))?.reason,
    ).toBeUndefined()
  })

  it('never ends code or JSON', () => {
    const again = solved + check + check + check + later
    expect(watched(`\`\`\`python\nprint(1)\n\`\`\`\n${again}`)?.reason).toBeUndefined()
    expect(watched(`{"answer": "${again}"}`)?.reason).toBeUndefined()
    expect(watched(`\`\`\`\n${again}`, 'reasoning')?.reason).toBeUndefined()
  })

  it.each([{ checks: -1 }, { after: NaN }, { novelty: -0.1 }])('refuses %j', (settings) =>
    expect(() => new ThinkingWatch('text', settings)).toThrow(RangeError),
  )
})

describe('stated answers', () => {
  it.each([
    ['So the answer is (B).', ['c:B']],
    ['Therefore \\boxed{\\frac{1}{2}}. The final answer is 0.5, I think.', 2],
    ['#### 42', ['n:42']],
    ['The answer is 3.5. Next.', ['n:3.5']],
    ['She answers the phone.', []],
    ['', []],
  ])('of %j', (text, expected) => {
    const keys = statedAnswers(text).map(({ key }) => key)
    if (typeof expected === 'number') expect(keys).toHaveLength(expected)
    else expect(keys).toEqual(expected)
  })
})

describe('rounds and efficiency', () => {
  const text = solved + check + contradiction
  const rounds = splitRounds(text)

  it('cover the text without gaps', () => {
    expect(rounds.map(({ answer }) => answer)).toEqual(['n:12', 'n:12', 'n:15'])
    expect(rounds.map(({ start, end }) => text.slice(start, end)).join('')).toBe(text)
    expect(splitRounds('')).toEqual([])
  })

  it('are as defined', () => {
    const whole = text.length
    expect(outcomeEfficiency([{ rounds, right: true, target: 'n:12' }])).toBeCloseTo(solved.length / whole)
    expect(
      outcomeEfficiency([
        { rounds, right: true, target: 'n:15' },
        { rounds, right: false, target: 'n:9' },
      ]),
    ).toBeCloseTo(0.5)
    expect(processEfficiency([rounds], ({ answer }) => answer ?? '')).toBeCloseTo((solved.length + contradiction.length) / whole)
    expect(validThinkingRate(rounds, 'n:12')).toBeCloseTo(solved.length / whole)
    expect([outcomeEfficiency([]), processEfficiency([[]], () => ''), validThinkingRate(rounds, 'n:1')]).toEqual([null, null, null])
  })
})

const counted = (deltas: readonly Delta[], type: Delta['type']) => deltas.filter((delta) => delta.type === type).length

describe('cutThinking', () => {
  it('ends a text that only checks again; what went out is the answer, and the bill is that of the part', async () => {
    const text = solved + check + check + later
    const env = recordedEnvironment(
      {
        id: 'r',
        request: { messages: [{ role: 'user', content: '?' }] },
        outcomes: { m: { answer: text, inputTokens: 10, outputTokens: text.length } },
      },
      { price: (_, usage) => picoUsd(usage.outputTokens) },
    )
    const events: CutEvent[] = []
    const { deltas, answer } = await ran(
      cutThinking({ model: 'm', audits: 0, onCut: (event) => events.push(event) }).run(question('?'), env),
    )
    expect(textOf(answer.completion).startsWith(solved + check)).toBe(true)
    expect(answer.usage.outputTokens).toBeLessThan(text.length / 2)
    expect({ usage: answer.usage, cost: answer.cost }).toEqual({ usage: env.spent().usage, cost: env.spent().cost })
    expect([counted(deltas, 'start'), counted(deltas, 'finish')]).toEqual([1, 1])
    expect(answer.completion.usageEstimated).toBe(true)
    expect(events).toEqual([{ model: 'm', reason: 'checked', what: 'cut' }])
  })

  it('asks for the answer where thoughts were cut before it, behind them in the same stream', async () => {
    const env = scriptedEnvironment((model) =>
      model === 'm' ? { reasoning: solved + check + check + later, text: 'never' } : { text: 'It is 12.' },
    )
    const { deltas, answer } = await ran(
      cutThinking({ model: 'm', finisher: 'small', audits: 0, answerTokens: 20 }).run(question('?'), env),
    )
    expect(env.calls.map(({ model, ended }) => [model, ended])).toEqual([
      ['m', 'stopped'],
      ['small', 'complete'],
    ])
    expect(env.calls[1]?.request).toMatchObject({ maxOutputTokens: 20, reasoning: { effort: 'none' } })
    expect(JSON.stringify(env.calls[1]?.request.messages)).toContain('Four and four')
    expect(textOf(answer.completion)).toBe('It is 12.')
    expect(answer.completion.answer).toMatchObject({ reply: { choices: [{ parts: [{ type: 'reasoning' }, { type: 'text' }] }] } })
    expect(answer.steps?.map(({ name }) => name)).toEqual(['thinks', 'answers'])
    // This world does not say what a cut call took: dollars are unknown, not 0.
    expect(answer.cost.usd).toBeNull()
    expect([counted(deltas, 'start'), counted(deltas, 'finish')]).toEqual([1, 1])
    const parts = new Set(deltas.flatMap((delta) => (delta.type === 'text' ? [delta.part] : [])))
    expect([...parts]).toEqual([1])
  })

  it.each([
    ['JSON', { responseFormat: { type: 'json_object' as const } }],
    ['tools', { tools: [{ type: 'function' as const, name: 'f' }] }],
    ['several choices', { n: 2 }],
  ])('leaves %s alone', async (_name, changes) => {
    const text = solved + check + check + later
    const env = scriptedEnvironment(() => ({ text }))
    const { answer } = await ran(cutThinking({ model: 'm', audits: 0 }).run(question('?', changes), env))
    expect(textOf(answer.completion)).toBe(text)
  })

  it('lets an audited one run on, and says whether a cut would have changed the answer', async () => {
    const events: CutEvent[] = []
    for (const end of [check, contradiction]) {
      const env = scriptedEnvironment(() => ({ text: `${solved}${check}${check}${end}` }))
      await ran(cutThinking({ model: 'm', audits: 1, onCut: (event) => events.push(event) }).run(question('?'), env))
      expect(env.calls[0]?.ended).toBe('complete')
    }
    expect(events.map(({ what, sameAnswer }) => [what, sameAnswer])).toEqual([
      ['audit', true],
      ['audit', false],
    ])
  })

  it('gives whole answers to those who do not stream, cut all the same', async () => {
    const env = scriptedEnvironment(() => ({ text: solved + check + check + later }))
    const { deltas, answer } = await ran(cutThinking({ model: 'm', audits: 0 }).run(question('?', { stream: false }), env))
    expect(deltas).toEqual([])
    expect(env.calls[0]?.ended).toBe('stopped')
    expect(answer.completion.answer).toMatchObject({ kind: 'reply', reply: { choices: [{ finish: 'stop' }] } })
  })

  it('cancels the call of a reader that leaves, and passes failures on', async () => {
    const env = scriptedEnvironment(() => ({ text: later }))
    const running = cutThinking({ model: 'm' }).run(question('?'), env)
    await running.next()
    await running.return(undefined as never)
    expect(env.calls[0]?.ended).toBe('stopped')
    const broken = scriptedEnvironment(() => ({ fails: new Error('away') }))
    await expect(ran(cutThinking({ model: 'm' }).run(question('?'), broken))).rejects.toThrow('away')
    expect(() => cutThinking({ model: 'm', audits: 2 })).toThrow(RangeError)
    expect(() => cutThinking({ model: 'm', answerTokens: 0 })).toThrow(RangeError)
  })
})
