import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { jsonSchema, loadBfcl } from '../../bench/data/bfcl.js'
import { schemaOf, type RecordedConversation } from '../../bench/data/conversation.js'
import { loadLocomo, loadLocomoNamed } from '../../bench/data/locomo.js'
import { parsePythonCall } from '../../bench/data/python-call.js'
import { DataProblem } from '../../bench/data/source.js'
import { loadTauBench } from '../../bench/data/tau-bench.js'
import { checkAnswer, pieces } from '../../bench/translation/answers.js'
import { checkRequest, formats, valueAt, written } from '../../bench/translation/requests.js'
import { difference, saidIn, type Format } from '../../bench/translation/said.js'
import { startGatewayBench } from '../../bench/translation/through-gateway.js'
import { openaiChat } from '../../src/protocol/index.js'
import { seededRandom } from '../../src/statistics/index.js'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bursar-translation-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))
function lines(name: string, rows: readonly unknown[]): void {
  writeFileSync(join(folder, name), rows.map((row) => JSON.stringify(row)).join('\n'))
}

describe('the loaders', () => {
  it('parse calls as Python writes them', () => {
    expect(parsePythonCall(`mv(source='a\\'b.txt', "n", flags=[1, -2.5, True, None], at=(1,), by={'k': "v"})`)).toEqual({
      name: 'mv',
      arguments: { source: "a'b.txt", arg1: 'n', flags: [1, -2.5, true, null], at: [1], by: { k: 'v' } },
    })
    expect(parsePythonCall('ls()')).toEqual({ name: 'ls', arguments: {} })
    for (const wrong of ['', 'ls', 'ls(', 'ls(a=)', 'ls(x)', 'ls() + 1', "f('a' 'b')"])
      expect(parsePythonCall(wrong), wrong).toBeUndefined()
  })

  it('write types of Python as types of JSON Schema, at every depth', () => {
    expect(
      jsonSchema({
        type: 'dict',
        properties: { type: { type: 'float' }, list: { type: 'tuple', items: { type: 'dict', properties: {} } }, any: { type: 'any' } },
      }),
    ).toEqual({
      type: 'object',
      properties: { type: { type: 'number' }, list: { type: 'array', items: { type: 'object', properties: {} } }, any: {} },
    })
  })

  it('make a schema from samples', () => {
    expect(
      schemaOf([
        { a: 1, b: ['x'] },
        { a: 2, c: { d: true } },
      ]),
    ).toEqual({
      type: 'object',
      properties: {
        a: { type: 'number' },
        b: { type: 'array', items: { type: 'string' } },
        c: { type: 'object', properties: { d: { type: 'boolean' } }, required: ['d'] },
      },
      required: ['a'],
    })
  })

  it('read function-calling questions of one turn and of several', () => {
    lines('simple_x.jsonl', [
      {
        id: 's',
        question: [[{ role: 'user', content: 'q' }]],
        function: [{ name: 'a.b', description: 'd', parameters: { type: 'dict', properties: {} } }],
        ground_truth: [{ 'a.b': { x: [1, 2], y: [''] } }],
      },
    ])
    lines('multi_turn_x.jsonl', [
      {
        id: 'm',
        question: [[{ role: 'user', content: 'one' }], [{ role: 'user', content: 'two' }]],
        path: ['C.f'],
        ground_truth: [["f(a='1')", 'g()'], ['f()']],
      },
    ])
    const { conversations } = loadBfcl(folder)
    expect(conversations.find(({ id }) => id === 's')).toMatchObject({
      body: { tools: [{ function: { name: 'a_b' } }] },
      answers: [{ calls: [{ name: 'a_b', arguments: '{"x":1}' }] }],
    })
    const several = conversations.find(({ id }) => id === 'm')
    expect(valueAt(several?.body, 'messages[1].tool_calls[1].function.name')).toBe('g')
    expect(valueAt(several?.body, 'messages[3].tool_call_id')).toBe('call_1')
    expect(valueAt(several?.body, 'messages[5].content')).toBe('two')
  })

  it('read trajectories of agents, and tell what is wrong with a row', () => {
    writeFileSync(join(folder, 'system_policy.txt'), 'Rules.')
    const call = { id: 'c1', function: { name: 'look', arguments: '{"id":"x"}' } }
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', name: 'look', content: 'r' },
      { role: 'assistant', content: 'b' },
    ]
    lines('trajectories.jsonl', [{ task_id: 1, trial: 0, messages }])
    const [conversation] = loadTauBench(folder).conversations
    expect(conversation?.answers).toEqual([{ calls: [{ id: 'c1', name: 'look', arguments: '{"id":"x"}' }] }, { text: 'b', calls: [] }])
    expect(valueAt(conversation?.body, 'messages[3].content')).toBe('r')
    lines('trajectories.jsonl', [{ task_id: 1, trial: 0, messages: [{ role: 'robot' }] }])
    expect(() => loadTauBench(folder)).toThrow(DataProblem)
  })

  it('read chats of two people as a conversation and as a group chat', () => {
    const turns = [
      { speaker: 'A', text: 'Look', img_url: ['https://x/y.png'] },
      { speaker: 'B', text: 'Nice', blip_caption: 'a cat' },
    ]
    writeFileSync(
      join(folder, 'locomo_1.json'),
      JSON.stringify([
        {
          sample_id: 'c',
          conversation: { speaker_a: 'A', speaker_b: 'B', session_1: turns, session_1_date_time: 'May' },
          qa: [{ question: 'q', answer: 7 }],
        },
      ]),
    )
    expect(valueAt(loadLocomo(folder).conversations[0]?.body, 'messages[2].content[1].image_url.url')).toBe('https://x/y.png')
    expect(valueAt(loadLocomo(folder).conversations[0]?.body, 'messages[3].content')).toBe('Nice [a cat]')
    expect(valueAt(loadLocomoNamed(folder).conversations[0]?.body, 'messages[1].name')).toBe('B')
  })
})

const conversation: RecordedConversation = {
  id: 'x',
  body: {
    messages: [
      { role: 'system', content: 'Rules.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look:' },
          { type: 'image_url', image_url: { url: 'https://x/y.png' } },
        ],
      },
      {
        role: 'assistant',
        content: 'I look.',
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":{"x":[1,null,"é"]}}' } },
          { id: 'c2', type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'a\tcat\n' },
      { role: 'tool', tool_call_id: 'c2', content: 'noon' },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'look',
          description: 'Looks.',
          parameters: { type: 'object', properties: { at: { type: 'object', additionalProperties: true } }, required: ['at'] },
        },
      },
    ],
    tool_choice: 'auto',
    temperature: 0.5,
    max_tokens: 77,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'x', schema: { type: 'object', properties: {}, additionalProperties: false } },
    },
  },
  answers: [{ text: 'A cat 🐈 at\nnoon.', calls: [{ id: 'c3', name: 'look', arguments: '{"at": {"x": 2}}' }] }],
}

describe('the checks', () => {
  it.each(formats)('find nothing lost in %s', (format) => {
    expect(checkRequest(conversation, format)).toEqual({ kind: 'same' })
    for (const answer of conversation.answers) expect(checkAnswer(answer, format, seededRandom(3))).toEqual({ kind: 'same' })
  })

  it('tell a refusal whose path is in the body from one whose path leads nowhere', () => {
    expect(checkRequest({ ...conversation, body: { ...conversation.body, seed: 7 } }, 'anthropic-messages')).toMatchObject({
      kind: 'refused',
    })
    expect(valueAt({ a: [{ b: 1 }] }, 'a[0].b')).toBe(1)
    expect(valueAt({ a: [{ b: 1 }] }, 'a[1].b')).toBeUndefined()
    expect(valueAt({ a: [] }, 'a.length2')).toBeUndefined()
  })

  // Each fault is made in the text that goes out; the reader of that format must see it.
  const faults: readonly (readonly [string, (text: string) => string])[] = [
    ['a text', (text) => text.replace('I look.', 'I looked.')],
    ['instructions', (text) => text.replace('Rules.', '')],
    ['an argument', (text) => text.replace(/null/, '0').replace('\\"é', '\\"e')],
    ['the id of a call', (text) => text.replace('c1', 'c9')],
    ['a result', (text) => text.replace('a\\tcat', 'a cat')],
    ['a picture', (text) => text.replace('y.png', 'z.png')],
    ['a name of a tool', (text) => text.replace(/"name":"look"/g, '"name":"peek"')],
    ['a schema', (text) => text.replace('"required":["at"]', '"required":[]')],
    ['the temperature', (text) => text.replace('0.5', '0.6')],
    ['the maximum', (text) => text.replace('77', '78')],
  ]
  it.each(faults.flatMap(([name, fault]) => formats.map((format) => ({ name, fault, format }))))(
    'see $name changed in $format',
    ({ fault, format }: { fault: (text: string) => string; format: Format }) => {
      const body = { model: 'm', ...conversation.body }
      const there = written(openaiChat.decodeRequest(body), format)
      const expected = saidIn('openai-chat', body)
      expect(difference(expected, saidIn(format, there))).toBeUndefined()
      const spoilt: unknown = JSON.parse(fault(JSON.stringify(there)))
      expect(difference(expected, saidIn(format, typeof spoilt === 'object' && spoilt !== null ? { ...spoilt } : {}))).toBeDefined()
    },
  )

  it('cut streams without breaking a character', () => {
    const text = 'a🐈'.repeat(50)
    const cut = pieces(text, seededRandom(5))
    expect(cut.join('')).toBe(text)
    for (const piece of cut) expect(Buffer.from(piece).toString()).toBe(piece)
  })

  it('go through a running gateway by the official clients', async () => {
    const bench = await startGatewayBench()
    try {
      const [answer] = conversation.answers
      for (const caller of ['openai-chat', 'openai-responses', 'anthropic-messages'] as const)
        for (const target of formats)
          for (const stream of [false, true])
            if (answer)
              expect(await bench.check(conversation, answer, caller, target, stream, seededRandom(1)), `${caller} to ${target}`).toEqual({
                kind: 'same',
              })
    } finally {
      await bench.close()
    }
  })
})
