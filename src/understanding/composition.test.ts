import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message, Request, Tool } from '../protocol/index.js'
import { createRunMemory, likelyTokens, type RunInput } from './index.js'

const request = (messages: readonly Message[], fields: Partial<Request> = {}): Request => ({
  model: 'm',
  messages,
  stream: false,
  paths: {},
  extra: [],
  ...fields,
})
const says = (role: Message['role'], text: string): Message => ({ role, parts: [{ type: 'text', text }] })
const result = (text: string, callId = 'c1'): Message => ({
  role: 'tool',
  parts: [{ type: 'tool_result', callId, content: [{ type: 'text', text }] }],
})
const tool: Tool = {
  type: 'function',
  name: 'search',
  description: 'Finds pages.',
  parameters: { type: 'object', properties: { q: { type: 'string' } } },
}
const run = { key: 'ci', run: 'r1' }

const sum = ({ systemTokens, toolSchemaTokens, observationTokens, assistantTokens, userTokens }: RunInput) =>
  systemTokens + toolSchemaTokens + observationTokens + assistantTokens + userTokens

describe('createRunMemory', () => {
  it('says where tokens come from', () => {
    const system = 'You are an agent. '.repeat(30)
    const answer = 'I will look that up now. '.repeat(10)
    const page = 'A long page of text. '.repeat(100)
    const input = createRunMemory().compose(
      run,
      request([says('system', system), says('user', 'Why?'), says('assistant', answer), result(page)], { tools: [tool] }),
    )
    expect(input).toEqual({
      systemTokens: 3 + 4 + system.length / 3,
      toolSchemaTokens: expect.any(Number) as number,
      userTokens: expect.closeTo(4 + 4 / 3, -0.4) as number,
      assistantTokens: expect.closeTo(4 + answer.length / 3, -0.4) as number,
      observationTokens: expect.closeTo(4 + (page.length + 2) / 3, -0.4) as number,
      repeatedTokens: 0,
    })
    expect(input?.toolSchemaTokens).toBeGreaterThan(200)
  })

  it('counts a tool result that a user message carries (Anthropic) as an observation', () => {
    const carried: Message = {
      role: 'user',
      parts: [
        { type: 'tool_result', callId: 'c1', content: [{ type: 'text', text: 'x'.repeat(300) }] },
        { type: 'text', text: 'Go on.' },
      ],
    }
    expect(createRunMemory().compose(run, request([carried]))).toMatchObject({ observationTokens: 101, userTokens: 6 })
  })

  it('says nothing of a call outside of a run', () => {
    expect(createRunMemory().compose({ key: 'ci' }, request([says('user', 'Hi')]))).toBeUndefined()
  })

  it('finds what the call before sent already, as far as the beginning is the same', () => {
    const memory = createRunMemory()
    const first = [says('system', 'Be brief.'), says('user', 'Why?')]
    const second = [...first, says('assistant', 'Because.'), says('user', 'Why that?')]
    expect(memory.compose(run, request(first))?.repeatedTokens).toBe(0)
    expect(memory.compose(run, request(second))?.repeatedTokens).toBe(likelyTokens(request(first)))
    // History that was cut repeats only what stands before the cut.
    const compacted = [says('system', 'Be brief.'), says('user', 'Summary: why, because.'), says('user', 'Why that?')]
    expect(memory.compose(run, request(compacted))?.repeatedTokens).toBe(likelyTokens(request(compacted.slice(0, 1))))
  })

  it('sees one digit that changes in the middle of a long system prompt', () => {
    const memory = createRunMemory()
    const prompt = (clock: string) => `${'Rules. '.repeat(900)}It is ${clock}.${' More rules.'.repeat(900)}`
    memory.compose(run, request([says('system', prompt('10:45:12')), says('user', 'Hi')]))
    expect(memory.compose(run, request([says('system', prompt('10:45:13')), says('user', 'Hi')]))?.repeatedTokens).toBe(0)
  })

  it('takes a changed tool as a new beginning', () => {
    const memory = createRunMemory()
    const messages = [says('system', 'Be brief.')]
    memory.compose(run, request(messages, { tools: [tool] }))
    expect(memory.compose(run, request(messages, { tools: [{ ...tool, name: 'find' }] }))?.repeatedTokens).toBe(0)
  })

  it('keeps runs and keys apart, and finds conversations of one run that go on side by side', () => {
    const memory = createRunMemory()
    const planner = [says('system', 'You plan.'), says('user', 'Do it.')]
    const worker = [says('system', 'You work.'), says('user', 'Step 1.')]
    memory.compose(run, request(planner))
    memory.compose(run, request(worker))
    expect(memory.compose({ key: 'ci', run: 'r2' }, request(planner))?.repeatedTokens).toBe(0)
    expect(memory.compose({ key: 'other', run: 'r1' }, request(planner))?.repeatedTokens).toBe(0)
    expect(memory.compose(run, request([...planner, says('assistant', 'Done.')]))?.repeatedTokens).toBe(likelyTokens(request(planner)))
    expect(memory.compose(run, request([...worker, says('assistant', 'Done.')]))?.repeatedTokens).toBe(likelyTokens(request(worker)))
  })

  it('does not take the retry of a request for a repetition', () => {
    const memory = createRunMemory()
    const once = request([says('user', 'Hi')])
    const first = memory.compose(run, once)
    expect(memory.compose(run, once)).toBe(first)
    expect(first?.repeatedTokens).toBe(0)
  })

  it('forgets the runs that were used least lately, by number and by size', () => {
    const memory = createRunMemory({ runs: 2 })
    const said = () => request([says('user', 'Hi')])
    for (const id of ['a', 'b', 'a', 'c']) memory.compose({ key: 'ci', run: id }, said())
    expect(memory.compose({ key: 'ci', run: 'a' }, said())?.repeatedTokens).toBeGreaterThan(0)
    expect(memory.compose({ key: 'ci', run: 'b' }, said())?.repeatedTokens).toBe(0)
    const small = createRunMemory({ messages: 10 })
    small.compose({ key: 'ci', run: 'a' }, request(Array.from({ length: 6 }, () => says('user', 'Hi'))))
    small.compose({ key: 'ci', run: 'b' }, request(Array.from({ length: 6 }, () => says('user', 'Hi'))))
    expect(small.compose({ key: 'ci', run: 'a' }, said())?.repeatedTokens).toBe(0)
  })

  it('has parts that add up to the estimate, and repeats no more than there is', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 })
    const part = fc.oneof(
      text.map((value): Message['parts'][number] => ({ type: 'text', text: value })),
      text.map((value): Message['parts'][number] => ({ type: 'reasoning', text: value })),
      text.map((value): Message['parts'][number] => ({ type: 'tool_call', id: 'c', name: 'n', arguments: value })),
      text.map((value): Message['parts'][number] => ({ type: 'tool_result', callId: 'c', content: [{ type: 'text', text: value }] })),
      fc.constant<Message['parts'][number]>({ type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } }),
    )
    const message = fc.record({
      role: fc.constantFrom<Message['role']>('system', 'developer', 'user', 'assistant', 'tool'),
      parts: fc.array(part, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 6 }),
        fc.array(message, { maxLength: 6 }),
        fc.boolean(),
        (before, more, withTools) => {
          const memory = createRunMemory()
          const fields = withTools ? { tools: [tool] } : {}
          const first = request(before, fields)
          const second = request([...before, ...more], fields)
          const one = memory.compose(run, first)
          const two = memory.compose(run, second)
          expect(one && sum(one)).toBe(likelyTokens(first))
          expect(two && sum(two)).toBe(likelyTokens(second))
          expect(two?.repeatedTokens).toBe(likelyTokens(first))
        },
      ),
    )
  })
})
