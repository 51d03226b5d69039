import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OutcomeRecord } from '../../ledger/index.js'
import {
  deltasOf,
  inboundCodec,
  stringifyExact,
  type FinishReason,
  type InboundCodec,
  type Part,
  type Reply,
  type Request,
  type WireFormat,
} from '../../protocol/index.js'
import { noUsage, picoUsd } from '../../quantities/index.js'
import { BoundedChecks } from '../../strategies/index.js'
import { createAnswerVerifiers, type AnswerVerifiers, type VerifierLimits } from './index.js'

const open: AnswerVerifiers[] = []
let outcomes: OutcomeRecord[] = []
let faults: unknown[] = []
const parts = {
  ledger: { recordOutcome: (record: OutcomeRecord) => (outcomes.push(record), Promise.resolve()) },
  now: () => 5,
  onFault: (fault: unknown) => void faults.push(fault),
}
// A thread from sources takes a moment to start, so most tests share one. And where others work too, a second may be too short.
const patient = { timeoutSeconds: 20 }
const shared = createAnswerVerifiers({ ...parts, limits: patient })

beforeEach(() => {
  outcomes = []
  faults = []
})
afterEach(async () => {
  await shared.idle()
  for (const verifiers of open.splice(0)) await verifiers.close()
})
afterAll(() => shared.close())

function verifiers(limits?: VerifierLimits) {
  const made = limits ? createAnswerVerifiers({ ...parts, limits: { ...patient, ...limits } }) : shared
  if (limits) open.push(made)
  const scores = async () => {
    await made.idle()
    expect(faults).toEqual([])
    return Object.fromEntries(outcomes.map(({ decisionId, source, score }) => [`${decisionId} ${source}`, score]))
  }
  return { made, scores }
}

function codecOf(format: WireFormat): InboundCodec {
  const codec = inboundCodec(format)
  if (!codec) throw new Error(`no codec for ${format}`)
  return codec
}

const personSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
  required: ['name', 'age'],
  additionalProperties: false,
}
const weather = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }

/** How each format asks for a schema and offers tools, and how it tells what a tool gave. */
const formats = {
  'openai-chat': {
    schema: (schema: unknown) => ({ response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } }),
    tools: [{ type: 'function', function: { name: 'weather', parameters: weather } }],
    asking: (text: string) => ({ messages: [{ role: 'user', content: text }] }),
    results: (ids: readonly string[]) => ({
      messages: [
        { role: 'user', content: 'go' },
        { role: 'assistant', tool_calls: ids.map((id) => ({ id, type: 'function', function: { name: 'weather', arguments: '{}' } })) },
        ...ids.map((id) => ({ role: 'tool', tool_call_id: id, content: 'Error: no such city' })),
      ],
    }),
  },
  'openai-responses': {
    schema: (schema: unknown) => ({ text: { format: { type: 'json_schema', name: 'answer', schema } } }),
    tools: [{ type: 'function', name: 'weather', parameters: weather }],
    asking: (text: string) => ({ input: text }),
    results: (ids: readonly string[]) => ({
      input: [
        ...ids.map((id) => ({ type: 'function_call', call_id: id, name: 'weather', arguments: '{}' })),
        ...ids.map((id) => ({ type: 'function_call_output', call_id: id, output: 'Error: no such city' })),
      ],
    }),
  },
  'anthropic-messages': {
    schema: (schema: unknown) => ({ output_config: { format: { type: 'json_schema', schema } } }),
    tools: [{ name: 'weather', input_schema: weather }],
    asking: (text: string) => ({ max_tokens: 100, messages: [{ role: 'user', content: text }] }),
    results: (ids: readonly string[], failed: readonly string[] = []) => ({
      max_tokens: 100,
      messages: [
        { role: 'user', content: 'go' },
        { role: 'assistant', content: ids.map((id) => ({ type: 'tool_use', id, name: 'weather', input: {} })) },
        {
          role: 'user',
          content: ids.map((id) => ({
            type: 'tool_result',
            tool_use_id: id,
            content: 'said',
            ...(failed.includes(id) && { is_error: true }),
          })),
        },
      ],
    }),
  },
} as const
type Format = keyof typeof formats
const names = Object.keys(formats) as Format[]

function decoded(format: Format, body: object): Request {
  return codecOf(format).decodeRequest({ model: 'm', ...body })
}

function replyOf(parts: readonly Part[], finish: FinishReason = 'stop'): Reply {
  return { id: 'reply-1', model: 'm', created: 1, choices: [{ parts, finish }], reported: { usage: noUsage } }
}
const saying = (text: string, finish: FinishReason = 'stop') => replyOf([{ type: 'text', text }], finish)
const calling = (...calls: readonly { id: string; name?: string; arguments: string }[]) =>
  replyOf(
    calls.map((call) => ({ type: 'tool_call', name: 'weather', ...call })),
    'tool_calls',
  )

const cost = { usd: picoUsd(1), details: {} }

/** Ways in which an answer may reach the caller. */
const ways = {
  canonical: (made: AnswerVerifiers, format: Format, request: Request, reply: Reply, decisionId: string, key: string) =>
    made.watch({ request, format, key, decisionId })?.completed({ kind: 'reply', reply }),
  bytes: (made: AnswerVerifiers, format: Format, request: Request, reply: Reply, decisionId: string, key: string) => {
    const body = stringifyExact(codecOf(format).encodeReply(reply, { request, usage: noUsage, cost, id: 'id-1' }))
    made.watch({ request, format, key, decisionId })?.completed({ kind: 'wire', bytes: Buffer.from(body) })
  },
  stream: (made: AnswerVerifiers, format: Format, request: Request, reply: Reply, decisionId: string, key: string) => {
    const encoder = codecOf(format).createStreamEncoder(request, 'id-1')
    let text = ''
    for (const delta of deltasOf(reply)) text += encoder.push(delta)
    const bytes = Buffer.from(text + encoder.end({ usage: noUsage, cost }))
    const watch = made.watch({ request, format, key, decisionId })
    // The pieces may end anywhere and lie in a buffer that is used again.
    const shared = Buffer.alloc(7)
    for (let at = 0; at < bytes.length; at += 7) {
      const length = bytes.copy(shared, 0, at)
      watch?.streamed(shared.subarray(0, length))
    }
    watch?.completed({ kind: 'streamed' })
  },
} as const
const cases = names.flatMap((format) => (Object.keys(ways) as (keyof typeof ways)[]).map((way) => [format, way] as const))

describe.each(cases)('%s, %s', (format, way) => {
  const tell = (made: AnswerVerifiers, body: object, reply: Reply, decisionId: string, key = 'key-a') =>
    ways[way](made, format, decoded(format, body), reply, decisionId, key)
  const asking = { ...formats[format].asking('who?'), ...formats[format].schema(personSchema) }
  const offering = { ...formats[format].asking('weather?'), tools: formats[format].tools }

  it('tells whether an answer holds the schema that was asked for', async () => {
    const { made, scores } = verifiers()
    tell(made, asking, saying('{"name":"Ada","age":36}'), 'held')
    tell(made, asking, saying('{"name":"Ada"}'), 'missing')
    tell(made, asking, saying('Ada is 36.'), 'prose')
    tell(made, asking, saying('{"name":"Ad', 'length'), 'cut')
    tell(made, formats[format].asking('hi'), saying('hello'), 'nothing asked')
    expect(await scores()).toEqual({ 'held verifier:json_schema': 1, 'missing verifier:json_schema': 0, 'prose verifier:json_schema': 0 })
  })

  it('tells whether the arguments of tool calls hold the tools’ schemas', async () => {
    const { made, scores } = verifiers()
    tell(made, offering, calling({ id: 'c1', arguments: '{"city":"Oslo"}' }), 'held')
    tell(made, offering, calling({ id: 'c2', arguments: '{"city":7}' }), 'broken')
    tell(made, offering, calling({ id: 'c3', arguments: '{"city":"Oslo"}' }, { id: 'c4', arguments: '{"town":"Oslo"}' }), 'half')
    tell(made, offering, calling({ id: 'c5', name: 'other', arguments: '{}' }), 'unknown tool')
    tell(made, offering, saying('No need.'), 'no call')
    expect(await scores()).toEqual({
      'held verifier:tool_arguments': 1,
      'broken verifier:tool_arguments': 0,
      'half verifier:tool_arguments': 0.5,
    })
  })
})

describe('results of tools', () => {
  const callsFrom = (format: Format, made: AnswerVerifiers, decisionId: string, ids: readonly string[], key = 'key-a') =>
    ways.canonical(
      made,
      format,
      decoded(format, { ...formats[format].asking('go'), tools: formats[format].tools }),
      calling(...ids.map((id) => ({ id, name: 'other', arguments: '{}' }))),
      decisionId,
      key,
    )
  const told = (made: AnswerVerifiers, body: object, key = 'key-a', decisionId = 'later') =>
    made.watch({ request: decoded('anthropic-messages', body), format: 'anthropic-messages', key, decisionId })
  const results = formats['anthropic-messages'].results
  const only = (all: Record<string, number>) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => name.endsWith('verifier:tool_call')))

  it('are an outcome of the decision that made the calls, once', async () => {
    const { made, scores } = verifiers({})
    callsFrom('anthropic-messages', made, 'first', ['t1', 't2'])
    callsFrom('anthropic-messages', made, 'second', ['t3'])
    await made.idle()
    told(made, results(['t1', 't2'], ['t2']))
    told(made, results(['t3']))
    // The conversation comes again with the next request.
    told(made, results(['t3'], ['t3']))
    expect(only(await scores())).toEqual({ 'first verifier:tool_call': 0.5, 'second verifier:tool_call': 1 })
  })

  it('of another key, or of calls that nobody made, are nobody’s', async () => {
    const { made, scores } = verifiers({})
    callsFrom('anthropic-messages', made, 'first', ['t1'])
    await made.idle()
    told(made, results(['t1'], ['t1']), 'key-b')
    told(made, results(['t9'], ['t9']))
    expect(only(await scores())).toEqual({})
  })

  it('are not guessed where an id stands for two calls', async () => {
    const { made, scores } = verifiers({})
    callsFrom('anthropic-messages', made, 'first', ['call_0'])
    callsFrom('anthropic-messages', made, 'second', ['call_0'])
    await made.idle()
    told(made, results(['call_0'], ['call_0']))
    expect(only(await scores())).toEqual({})
  })

  it.each(['openai-chat', 'openai-responses'] as const)('are not guessed in %s, which has no field for a failure', async (format) => {
    const { made, scores } = verifiers({})
    callsFrom(format, made, 'first', ['t1'])
    await made.idle()
    made.watch({ request: decoded(format, formats[format].results(['t1'])), format, key: 'key-a', decisionId: 'later' })
    expect(only(await scores())).toEqual({})
  })

  it('are matched within a bounded memory: the oldest calls are forgotten', async () => {
    const { made, scores } = verifiers({ rememberedCalls: 2 })
    for (const id of ['t1', 't2', 't3']) callsFrom('anthropic-messages', made, `made ${id}`, [id])
    await made.idle()
    for (const id of ['t1', 't2', 't3']) told(made, results([id]))
    expect(only(await scores())).toEqual({ 'made t2 verifier:tool_call': 1, 'made t3 verifier:tool_call': 1 })
  })
})

describe('schemas', () => {
  const judge = async (schema: unknown, text: string, limits?: VerifierLimits) => {
    const { made, scores } = verifiers(limits)
    ways.canonical(
      made,
      'openai-chat',
      decoded('openai-chat', { ...formats['openai-chat'].asking('?'), ...formats['openai-chat'].schema(schema) }),
      saying(text),
      'd',
      'key-a',
    )
    return (await scores())['d verifier:json_schema']
  }

  it.each([
    [
      'draft-07, lists by place',
      { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false },
      '["a"]',
      1,
    ],
    [
      'draft-07, a list too long',
      { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false },
      '["a",2]',
      0,
    ],
    [
      '2020-12, lists by place',
      { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ type: 'string' }], items: false },
      '["a",2]',
      0,
    ],
    ['no dialect, the newest', { prefixItems: [{ type: 'string' }], items: false }, '["a",2]', 0],
    ['no dialect, the form of draft-07', { items: [{ type: 'string' }], additionalItems: false }, '["a",2]', 0],
    [
      'references and recursion',
      { $ref: '#/$defs/n', $defs: { n: { type: 'object', properties: { next: { $ref: '#/$defs/n' } }, required: ['v'] } } },
      '{"v":1,"next":{}}',
      0,
    ],
    ['formats are not judged', { type: 'string', format: 'email' }, '"nobody"', 1],
    ['a whole answer after white space', { type: 'integer' }, ' 7\n', 1],
  ])('%s', async (_name, schema, text, score) => {
    expect(await judge(schema, text)).toBe(score)
  })

  it.each([
    ['of a dialect that is not known', { $schema: 'http://json-schema.org/draft-04/schema#', type: 'string' }],
    ['that refer to the network', { $ref: 'https://example.com/schema.json' }],
    ['that are nonsense', { type: 'text' }],
    ['with a pattern that is none', { type: 'string', pattern: '(' }],
    ['that would answer later', { $async: true, type: 'string' }],
  ])('%s are not judged', async (_name, schema) => {
    expect(await judge(schema, '"text"')).toBeUndefined()
  })

  it('or answers that are too large are not judged', async () => {
    expect(await judge({ type: 'string', description: 'd'.repeat(1000) }, '7', { maxSchemaLength: 1000 })).toBeUndefined()
    expect(await judge({ type: 'string' }, `"${'a'.repeat(1000)}"`, { maxAnswerLength: 1000 })).toBeUndefined()
  })

  it('of two callers may have the same id and never meet', async () => {
    const { made, scores } = verifiers()
    for (const [key, type] of [
      ['key-a', 'string'],
      ['key-b', 'integer'],
    ] as const) {
      const schema = { $id: 'https://example.com/s', $ref: '#/$defs/x', $defs: { x: { $id: 'https://example.com/x', type } } }
      ways.canonical(
        made,
        'openai-chat',
        decoded('openai-chat', { ...formats['openai-chat'].asking('?'), ...formats['openai-chat'].schema(schema) }),
        saying('7'),
        key,
        key,
      )
    }
    expect(await scores()).toEqual({ 'key-a verifier:json_schema': 0, 'key-b verifier:json_schema': 1 })
  })

  it('whose pattern takes for ever cost their own key its checks, and nobody else’s', async () => {
    const { made, scores } = verifiers({ timeoutSeconds: 0.5 })
    const tell = (schema: unknown, text: string, decisionId: string, key: string) =>
      ways.canonical(
        made,
        'openai-chat',
        decoded('openai-chat', { ...formats['openai-chat'].asking('?'), ...formats['openai-chat'].schema(schema) }),
        saying(text),
        decisionId,
        key,
      )
    const evil = { type: 'string', pattern: '^(a+)+$' }
    tell(evil, `"${'a'.repeat(60)}!"`, 'evil', 'key-a')
    tell({ type: 'string' }, '"a"', 'same key', 'key-a')
    await made.idle()
    // A machine under load may need more than half a second for a harmless one too: then nothing is said, which is allowed; so asked
    // until it is said.
    for (let attempt = 0; attempt < 5 && (await scores())['other 0 verifier:json_schema'] === undefined; attempt++)
      tell({ type: 'string' }, '"b"', 'other 0', `key-b${attempt}`)
    expect(await scores()).toEqual({ 'other 0 verifier:json_schema': 1 })
  })

  it('are checked in a thread that is there only while it is needed', async () => {
    const checks = new BoundedChecks({ ...patient, idleSeconds: 0.05 }, (fault) => void faults.push(fault))
    expect(checks.started).toBe(false)
    expect(
      await checks.check('k', [
        { schema: '{"type":"string"}', text: '"a"' },
        { schema: '{"type":"string"}', text: '1' },
      ]),
    ).toEqual(['held', 'broken'])
    await expect.poll(() => checks.started).toBe(false)
    expect(await checks.check('k', [{ schema: 'true', text: '1' }])).toEqual(['held'])
    await checks.close()
    expect(await checks.check('k', [{ schema: 'true', text: '1' }])).toEqual(['not_checked'])
    expect(faults).toEqual([])
  })

  it('wait in a queue with an end', async () => {
    const checks = new BoundedChecks({ ...patient, maxWaiting: 2, maxWaitingLength: 100 }, (fault) => void faults.push(fault))
    const small = [{ schema: 'true', text: '1' }]
    const all = [
      checks.check('k', small),
      checks.check('k', small),
      checks.check('k', [{ schema: 'true', text: `"${'a'.repeat(100)}"` }]),
      checks.check('k', small),
      checks.check('k', small),
    ]
    // The first is under way, two wait.
    expect(await Promise.all(all)).toEqual([['held'], ['held'], ['not_checked'], ['held'], ['not_checked']])
    await checks.close()
  })

  it('that need too much memory end the thread, not the process', async () => {
    const checks = new BoundedChecks(patient, (fault) => void faults.push(fault))
    expect(await checks.check('k', [{ schema: 'true', text: `[${'{},'.repeat(5_000_000)}{}]` }])).toEqual(['not_checked'])
    expect(faults).toMatchObject([{ code: 'ERR_WORKER_OUT_OF_MEMORY' }])
    // Its owner is left alone for a while.
    expect(await checks.check('k', [{ schema: 'true', text: '1' }])).toEqual(['not_checked'])
    expect(await checks.check('other', [{ schema: 'true', text: '1' }])).toEqual(['held'])
    await checks.close()
  })
})

describe('a request that no check wants', () => {
  it('is not watched at all', () => {
    const { made } = verifiers()
    for (const format of names)
      expect(made.watch({ request: decoded(format, formats[format].asking('hi')), format, key: 'k', decisionId: 'd' })).toBeUndefined()
  })
})

describe('what goes wrong', () => {
  const asking = { ...formats['openai-chat'].asking('?'), ...formats['openai-chat'].schema(personSchema) }

  it('an answer that is no answer, or a stream without its end, is not judged', async () => {
    const { made, scores } = verifiers()
    const watch = (decisionId: string) =>
      made.watch({ request: decoded('openai-chat', asking), format: 'openai-chat', key: 'k', decisionId })
    watch('html')?.completed({ kind: 'wire', bytes: Buffer.from('<html>') })
    watch('nothing')?.completed({ kind: 'streamed' })
    const cut = watch('cut')
    cut?.streamed(Buffer.from('data: {"id":"1","choices":[{"index":0,"delta":{"content":"{}"}}]}\n\n'))
    cut?.completed({ kind: 'streamed' })
    expect(await scores()).toEqual({})
  })

  it('a ledger that can’t take an outcome is told of, and nothing else happens', async () => {
    const made = createAnswerVerifiers({
      ...parts,
      ledger: { recordOutcome: () => Promise.reject(new Error('disk full')) },
      limits: patient,
    })
    open.push(made)
    ways.canonical(made, 'openai-chat', decoded('openai-chat', asking), saying('{}'), 'd', 'k')
    await made.idle()
    expect(faults).toEqual([new Error('disk full')])
  })

  it('closing gives up what waits', async () => {
    const { made } = verifiers({})
    for (let index = 0; index < 10; index++)
      ways.canonical(made, 'openai-chat', decoded('openai-chat', asking), saying('{}'), `d${index}`, 'k')
    await made.close()
    const recorded = outcomes.length
    ways.canonical(made, 'openai-chat', decoded('openai-chat', asking), saying('{}'), 'after', 'k')
    await made.idle()
    expect(outcomes.length).toBe(recorded)
  })
})
