import { describe, expect, it } from 'vitest'
import { answerKey, completionKey } from './index.js'

describe('answerKey', () => {
  const same: readonly (readonly [string, readonly string[]])[] = [
    [
      'n:18',
      [
        '18',
        '18.0',
        'The answer is 18.',
        '#### 18',
        'So she makes 9 × 2 = $18 every day.',
        '\\boxed{18}',
        '**Answer:** $18',
        'Answer: 18 dollars',
        'thus $\\boxed{\\$18}$.',
        'x = 18',
      ],
    ],
    ['n:0.5', ['1/2', '\\boxed{\\frac{1}{2}}', '\\boxed{\\dfrac12}'.replace('12', '{1}{2}'), '.5', '0.50']],
    ['n:1234567', ['1,234,567', 'The total is 1,234,567', '1234567']],
    ['n:-3', ['-3', '−3', 'the answer is -3.']],
    ['n:50', ['50%', '50 %', 'The final answer is: 50\\%']],
    ['n:1,2', ['1, 2', '2,1', '\\boxed{2, 1}', 'The answer is 1 and 2.']],
    ['c:B', ['B', '(B)', 'B.', 'The answer is (B).', 'Answer: B) twelve apples', '\\boxed{\\text{B}}', 'the correct answer is B']],
    [
      'd:2021-05-02',
      [
        '05/02/2021',
        '2021-05-02',
        'May 2, 2021',
        'Today is 05/01/2021. So, the answer is 05/02/2021.',
        '2nd of May 2021',
        'Sunday, May 2, 2021',
      ],
    ],
    ['t:paris', ['Paris', 'paris.', 'The answer is **Paris**.', '<think>Lyon? The answer is Lyon</think>\nParis']],
    ['t:yajo', ['yajo', 'Concatenating them is "yajo". The answer is yajo.']],
    ['j:{"a":1,"b":[1,2]}', ['{"b": [1, 2], "a": 1}', '```json\n{"a":1,"b":[1,2]}\n```']],
  ]
  it.each(same)('%s, whatever the style', (key, texts) => {
    for (const text of texts) expect([text, answerKey(text)]).toEqual([text, key])
  })

  it('takes the last one said', () => {
    expect(answerKey('The answer is 4. Wait, no. The answer is 5.')).toBe('n:5')
    expect(answerKey('\\boxed{1} and then \\boxed{2}')).toBe('n:2')
  })

  it('does not normalise free text, code and nothing', () => {
    expect(answerKey('')).toBeNull()
    expect(answerKey(`${'A long essay about rivers and their banks. '.repeat(9)}`)).toBeNull()
    expect(answerKey('Here:\n```python\nprint(3)\n```\nand that prints it.')).toBeNull()
    expect(answerKey('13/32/2020')).not.toMatch(/^d:/)
  })

  it('heeds hints', () => {
    expect(answerKey('Between (A) and (C), I would take (C) for its 3 legs.', { choices: 4 })).toBe('c:C')
    expect(answerKey('b', { choices: 3 })).toBe('c:B')
    expect(answerKey('03/04/2021', { dayFirst: true })).toBe('d:2021-04-03')
    expect(answerKey('not json', { kind: 'json' })).toBeNull()
    expect(answerKey('no idea', { kind: 'number' })).toBeNull()
    expect(
      answerKey('We meet at noon, as in 1999, in the old town by the river next to the bridge; bring water.', { kind: 'text' }),
    ).toBeNull()
  })

  it('keeps an ordered pair ordered, and a decimal whole', () => {
    expect(answerKey('\\boxed{(3, 4)}')).not.toBe(answerKey('\\boxed{(4, 3)}'))
    expect(answerKey('The answer is 3.75.')).toBe('n:3.75')
  })

  it('is bounded on hostile texts', () => {
    for (const hostile of [
      '\\boxed{'.repeat(5000),
      '{'.repeat(100_000),
      'answer '.repeat(20_000),
      '1,'.repeat(20_000),
      'answer to '.repeat(10_000),
      '['.repeat(70) + ']'.repeat(70),
      `the answer is a${' '.repeat(19_000)}b`,
      `\\boxed{${', '.repeat(9000)}}`,
    ]) {
      const key = answerKey(hostile)
      expect(key === null || key.length < 20_100).toBe(true)
    }
  })
})

describe('completionKey', () => {
  const reply = (parts: readonly object[], finish = 'stop') =>
    ({
      answer: { kind: 'reply', reply: { id: '', model: '', created: 0, choices: [{ parts, finish }], reported: undefined } },
    }) as Parameters<typeof completionKey>[0]
  it('compares tool calls by name and arguments', () => {
    const call = (args: string) => reply([{ type: 'tool_call', id: String(args.length), name: 'find', arguments: args }])
    expect(completionKey(call('{"a": 1, "b": 2}'))).toBe(completionKey(call('{"b":2,"a":1}')))
    expect(completionKey(call('{"a": 1}'))).not.toBe(completionKey(call('{"a": 2}')))
  })

  it('takes no half answer for one', () => {
    expect(completionKey(reply([{ type: 'text', text: 'First 3 plus 4' }], 'length'))).toBeNull()
    expect(completionKey(reply([{ type: 'text', text: 'It is \\boxed{7}, since' }], 'length'))).toBe('n:7')
    expect(completionKey({ answer: { kind: 'streamed' } })).toBeNull()
  })
})
