import { describe, expect, it } from 'vitest'
import type { Message, Part, Request } from '../../protocol/index.js'
import { createUnderstanding } from '../understanding.js'
import { longestText } from '../lexical/characters.js'
import { asked, askedOf, cut } from './asked-text.js'
import { createCueMatcher } from './cues.js'

const understanding = createUnderstanding()
const traits = (text: string) => understanding.ofText(text).traits

function requestOf(messages: readonly Message[], more: Partial<Request> = {}): Request {
  return { model: 'm', messages, stream: false, paths: {}, extra: [], ...more }
}
const say = (role: Message['role'], ...parts: readonly (string | Part)[]): Message => ({
  role,
  parts: parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)),
})

describe('personal data, on the safe side', () => {
  it.each([
    'Write to jane.doe+x@mail.example.org please',
    'Ruf an: +49 (0)30 901820-12',
    'call 555.123.4567 now',
    'card 4111-1111-1111-1111',
    'card 4111111111111111',
    'SSN 078-05-1120',
    'DE89 3704 0044 0532 0130 00 is the IBAN',
    'server 192.168.10.24 is down',
    'What is my account balance?',
    'Wo ist meine Bestellung?',
    'Me llamo Ana',
    'mon compte est bloqué',
    '我叫李明',
    'номер ４１１１ １１１１ １１１１ １１１１',
  ])('flags %j', (text) => expect(traits(text).personalData).toBe(true))

  it('flags what is too long to be looked at', () => expect(traits('x'.repeat(20_000)).personalData).toBe(true))

  it.each([
    '',
    'What is the capital of France?',
    'The population is 1,234,567,890 people',
    'pi is 3.14159265358979',
    'On 2024-01-15 it rained',
    'a @ b, @home',
    'Is 12345 prime?',
    'def f(x): return x @ y',
  ])('leaves %j alone', (text) => expect(traits(text).personalData).toBe(false))

  it('looks at what was cut out of the middle', () => {
    const filler = 'plain words without numbers. '.repeat(200)
    expect(traits(`${filler}${filler}`).personalData).toBe(false)
    expect(traits(`${filler} bob@example.com ${filler}`).personalData).toBe(true)
  })

  it('is done with text made to be slow', () => {
    for (const text of [
      '@'.repeat(16_000),
      'a@a.'.repeat(4_000),
      '1 '.repeat(8_000),
      'AB12 '.repeat(3_000),
      '1.1.1.'.repeat(2_600),
      `${'SELECT '.repeat(2_000)}`,
      'a'.repeat(16_000),
      '\n'.repeat(16_000),
      ' ('.repeat(8_000),
    ]) {
      // Quadratic work on these takes longer than a test may.
      expect(traits(text).characters).toBeLessThanOrEqual(longestText)
    }
  })
})

describe('dates and freshness', () => {
  it.each([
    'due 2024-01-15',
    '15/01/24',
    '15.1.2024',
    'In 1999 it',
    'January 5',
    'le 3 août',
    '5. März',
    '2024年1月5日',
    'next Monday',
    'am Dienstag',
  ])('%j holds a date', (text) => expect(traits(text).dates).toBe(true))
  it.each(['', 'version 3.10', 'add 12 and 30', '1,999 apples at $2,024.50', 'a marching band'])('%j holds none', (text) =>
    expect(traits(text).dates).toBe(false),
  )
  it.each([
    'What is the latest news?',
    'Who is the current president?',
    'Wie ist das Wetter?',
    'météo à Lyon',
    '今天的天气怎么样',
    'Tell me the price now',
    "aujourd'hui",
  ])('%j asks for something fresh', (text) => expect(traits(text).fresh).toBe(true))
  it.each(['What is 2 + 2?', 'Who wrote Faust?', ''])('%j does not', (text) => expect(traits(text).fresh).toBe(false))
})

describe('other facts of a text', () => {
  it('counts choices, in order only', () => {
    expect(traits('Q\nA. 0\nB. 4\nC. 2\nD. 6\nAnswer:').choices).toBe(4)
    expect(traits('Pick: (a) one (b) two (c) three').choices).toBe(3)
    expect(traits('A: hello').choices).toBe(0)
    expect(traits('C. first B. second').choices).toBe(0)
    expect(traits('').choices).toBe(0)
  })

  it('tells code, JSON, steps and the share of numbers', () => {
    expect(traits('```js\nx\n```').code).toBe(true)
    expect(traits('def add(a, b):\n  return a + b').code).toBe(true)
    expect(traits('SELECT a FROM b').code).toBe(true)
    expect(traits('Tell me of the sea').code).toBe(false)
    expect(traits('Answer as JSON.').structured).toBe(true)
    expect(traits('First do this, then that. Prove it step by step.').stepCues).toBe(4)
    expect(traits('12+3').numeric).toBe(1)
    expect(traits('').numeric).toBe(0)
    expect(traits('日本語で計算して').stepCues).toBe(1)
  })
})

describe('what a request asks about', () => {
  it('is the last user message, with earlier ones only when it is very short', () => {
    const history = [say('system', 'Be kind'), say('user', 'Write a long poem about the sea'), say('assistant', 'Waves …')]
    expect(askedOf(requestOf([...history, say('user', 'and in French?')])).text).toBe('Write a long poem about the sea\nand in French?')
    expect(askedOf(requestOf([...history, say('user', 'Now explain how tides come about')])).text).toBe('Now explain how tides come about')
    expect(askedOf(requestOf([say('user', 'one', 'two')])).text).toBe('one\ntwo')
    expect(askedOf(requestOf([say('system', 'All is said here')])).text).toBe('All is said here')
    expect(askedOf(requestOf([])).text).toBe('')
    expect(askedOf(requestOf([say('user', '   ')])).text).toBe('')
  })

  it('passes over results of tools', () => {
    const result: Part = { type: 'tool_result', callId: 'c', content: [{ type: 'text', text: '17 degrees' }] }
    const messages = [
      say('user', 'What is the weather in Rome today?'),
      say('assistant', { type: 'tool_call', id: 'c', name: 'weather', arguments: '{}' }),
      say('user', result),
    ]
    const features = understanding.of(requestOf(messages, { tools: [{ type: 'function', name: 'weather' }] }))
    if (features instanceof Promise) throw new Error('there is no encoder to wait for')
    expect(features.text).toBe('What is the weather in Rome today?')
    expect(features.traits).toMatchObject({ toolLoop: true, tools: true, turns: 1, images: false, structured: false })
  })

  it('cuts the middle out of a long text, never through a character', () => {
    for (let shift = 0; shift < 4; shift++) {
      const text = 'x'.repeat(shift) + '😀'.repeat(5000)
      const short = cut(text)
      expect(short.length).toBeLessThanOrEqual(longestText)
      expect(Buffer.from(short).toString()).toBe(short)
    }
    const { text, whole } = asked(`begin ${'m'.repeat(10_000)} end`)
    expect(text.startsWith('begin')).toBe(true)
    expect(text.endsWith('end')).toBe(true)
    expect(whole).toHaveLength(10_010)
  })

  it('sees images, output formats and turns', () => {
    const image: Part = { type: 'image', source: { kind: 'url', url: 'https://example.org/a.png' } }
    const features = understanding.of(
      requestOf([say('user', 'What is in it?', image), say('assistant', 'A cat'), say('user', 'Which colour has it?')], {
        responseFormat: { type: 'json_object' },
      }),
    )
    if (features instanceof Promise) throw new Error('there is no encoder to wait for')
    expect(features.traits).toMatchObject({ images: true, structured: true, turns: 2, toolLoop: false, tools: false })
    expect(features.traits.inputTokens).toBeGreaterThan(1000)
  })
})

describe('cues', () => {
  it('are found whatever the case, apostrophes and spacing, each phrase once a place', () => {
    const matcher = createCueMatcher({ a: ["don't stop", 'stop:2'], b: ['今天'] })
    expect(matcher.match(['dont', 'stop', 'stop'])).toEqual(new Map([['a', 5]]))
    expect(matcher.match(['今', '天'])).toEqual(new Map([['b', 1]]))
    expect(matcher.match([])).toEqual(new Map())
  })
})
