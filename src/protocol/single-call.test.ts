import { describe, expect, it } from 'vitest'
import { deltasOf } from './deltas-of.js'
import type { Part } from './conversation.js'
import type { Choice, Reply } from './reply.js'
import { ReplyCollector } from './reply-collector.js'
import { createOneCallFilter, withOneCall } from './single-call.js'

const call = (id: string): Part => ({ type: 'tool_call', id, name: 'f', arguments: `{"id":"${id}"}` })
const choice = (...parts: Part[]): Choice => ({ parts, finish: parts.some((part) => part.type === 'tool_call') ? 'tool_calls' : 'stop' })
const reply = (...choices: Choice[]): Reply => ({ id: 'r', model: 'm', created: 1, choices, reported: undefined })
const text: Part = { type: 'text', text: 'Let me see.' }

describe('one tool call an answer', () => {
  const answers = [
    [reply(choice(text)), reply(choice(text))],
    [reply(choice(text, call('a'))), reply(choice(text, call('a')))],
    [reply(choice(text, call('a'), call('b'), text)), reply(choice(text, call('a'), text))],
    [
      reply(choice(call('a'), call('b')), choice(text), choice(call('c'), call('d'))),
      reply(choice(call('a')), choice(text), choice(call('c'))),
    ],
  ] as const

  it.each(answers)('keeps the first of each choice: %j', (whole, expected) => expect(withOneCall(whole)).toEqual(expected))

  it.each(answers)('keeps the same of a stream: %j', (whole, expected) => {
    const collector = new ReplyCollector()
    const kept = createOneCallFilter()
    for (const delta of deltasOf(whole)) if (kept(delta)) collector.push(delta)
    expect(collector.reply()).toEqual(expected)
  })

  it('keeps all arguments of the first where calls interleave', () => {
    const kept = createOneCallFilter()
    const at = { choice: 0 } as const
    const deltas = [
      { type: 'tool_call', ...at, part: 0, id: 'a', name: 'f' },
      { type: 'tool_call', ...at, part: 1, id: 'b', name: 'f' },
      { type: 'tool_arguments', ...at, part: 1, json: '{"b":1}' },
      { type: 'tool_arguments', ...at, part: 0, json: '{"a":1}' },
    ] as const
    expect(deltas.map(kept)).toEqual([true, false, false, true])
  })
})
