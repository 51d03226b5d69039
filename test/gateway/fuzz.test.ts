import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { KEY, type Bench } from './harness.js'
import { openConnection } from './raw.js'
import { startTargets, timeParameters, weatherParameters } from './targets.js'

/**
 * Every run of these tests asks the same; another seed by hand finds other things: `FUZZ_SEED=7 npx vitest run
 * test/gateway/fuzz.test.ts`.
 */
const seed = Number(process.env['FUZZ_SEED'] ?? 20_260)
const runs = (count: number): fc.Parameters<unknown> => ({
  seed,
  numRuns: count * Number(process.env['FUZZ_FACTOR'] ?? 1),
  endOnFailure: true,
})
/** No answer may take longer. */
const HANG_MS = 8_000

let bench: Bench
beforeAll(async () => {
  bench = await startTargets((config) => void (config['limits'] = { body_bytes: '256 KiB', header_bytes: '8 KiB' }))
})
afterAll(() => bench.close())
afterEach(async () => {
  await expect.poll(() => bench.gateway.inFlight).toBe(0)
  const answer = await bench.post('/v1/chat/completions', { model: 'via-chat', messages: [{ role: 'user', content: 'Still there?' }] })
  expect(answer.status).toBe(200)
  await answer.arrayBuffer()
  expect(bench.log.filter((line) => line.includes('fault of Bursar') || line.includes('internal_error'))).toEqual([])
  bench.upstream.reset()
})

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const models = [
  'via-chat',
  'via-responses',
  'via-anthropic',
  'via-gemini',
  'box/small',
  'embed',
  'box/embed',
  'chat/other-model',
  'nowhere/none',
  'small',
]

/** Bodies that use about everything an endpoint takes: what is changed in them comes near to every reader. */
const wholeBodies: Readonly<Record<string, Json>> = {
  '/v1/chat/completions': {
    model: 'via-chat',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: [{ type: 'text', text: 'Briefer.' }] },
      {
        role: 'user',
        name: 'ann',
        content: [
          { type: 'text', text: 'Look.', cache_control: { type: 'ephemeral' } },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_time', arguments: '{"zone":"CET"}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'nine' },
      { role: 'assistant', content: 'It is nine.', reasoning_content: 'Hm.', refusal: null },
      { role: 'user', content: 'And now?' },
    ],
    tools: [
      { type: 'function', function: { name: 'get_weather', description: 'Weather', parameters: weatherParameters, strict: true } },
      { type: 'function', function: { name: 'get_time', parameters: timeParameters } },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    response_format: { type: 'json_schema', json_schema: { name: 'river', schema: weatherParameters, strict: true } },
    max_completion_tokens: 50,
    temperature: 0.5,
    top_p: 0.9,
    stop: ['\n\n', 'END'],
    seed: 7,
    n: 1,
    frequency_penalty: 0.1,
    presence_penalty: 0.1,
    logit_bias: { '50256': -100 },
    logprobs: true,
    top_logprobs: 2,
    stream: true,
    stream_options: { include_usage: true },
    reasoning_effort: 'low',
    user: 'u1',
    metadata: { trace: 't1' },
    store: false,
    service_tier: 'auto',
  },
  '/v1/messages': {
    model: 'via-anthropic',
    max_tokens: 100,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'c2lnbmVk' },
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_use', id: 'toolu_1', name: 'get_time', input: { zone: 'CET' } },
        ],
      },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'nine' }], is_error: false }],
      },
    ],
    tools: [{ name: 'get_time', description: 'Time', input_schema: timeParameters, cache_control: { type: 'ephemeral' } }],
    tool_choice: { type: 'auto', disable_parallel_tool_use: true },
    thinking: { type: 'enabled', budget_tokens: 1024 },
    stop_sequences: ['END'],
    temperature: 1,
    top_p: 0.9,
    top_k: 5,
    stream: true,
    metadata: { user_id: 'u1' },
    service_tier: 'auto',
  },
  '/v1/responses': {
    model: 'via-responses',
    instructions: 'Be brief.',
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'Look.' },
          { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'c2VhbA==' },
      { type: 'function_call', call_id: 'call_1', name: 'get_time', arguments: '{"zone":"CET"}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'nine' },
      {
        type: 'message',
        role: 'assistant',
        id: 'msg_1',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Nine.', annotations: [] }],
      },
    ],
    tools: [{ type: 'function', name: 'get_time', parameters: timeParameters, strict: true }],
    tool_choice: 'auto',
    parallel_tool_calls: false,
    text: { format: { type: 'json_schema', name: 'river', schema: weatherParameters, strict: true }, verbosity: 'low' },
    reasoning: { effort: 'low', summary: 'auto' },
    max_output_tokens: 50,
    temperature: 0.5,
    top_p: 0.9,
    stream: true,
    store: false,
    metadata: { trace: 't1' },
    include: ['reasoning.encrypted_content'],
    user: 'u1',
    truncation: 'disabled',
  },
  '/v1/embeddings': { model: 'embed', input: ['one', 'two'], dimensions: 8, encoding_format: 'float', user: 'u1' },
  '/v1/messages/count_tokens': {
    model: 'via-chat',
    system: 'Be brief.',
    messages: [{ role: 'user', content: 'Count.' }],
    tools: [{ name: 'get_time', input_schema: timeParameters }],
  },
}
const endpoints = Object.keys(wholeBodies)

const oddText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    '\ud800',
    '__proto__',
    'constructor',
    'toString',
    '../../etc/passwd',
    'data:image/png;base64,',
    'https://',
    'null',
    '0',
    '\r\nx: y',
    '{}',
    'A'.repeat(5000),
  ),
)
const oddNumber = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, -1, 1e308, -1e308, 5e-324, 2 ** 53, 2 ** 63, 1.5, 129, 1e9))
const oddScalar: fc.Arbitrary<Json> = fc.oneof(oddText, oddNumber, fc.boolean(), fc.constant(null))
const oddValue = fc.oneof(
  { weight: 3, arbitrary: oddScalar },
  { weight: 1, arbitrary: fc.array(oddScalar, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.dictionary(oddText, oddScalar, { maxKeys: 4 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json> },
)

interface Mutation {
  /** Which of the body's places, by number; taken modulo how many there are. */
  readonly place: number
  readonly how: 'replace' | 'delete' | 'double' | 'wrap' | 'add' | 'from'
  readonly value: Json
  readonly name: string
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(10_000),
  how: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'double', 'wrap', 'add', 'from'),
  value: oddValue,
  name: oddText,
})

/** All places of a value, as paths; the whole itself is the first. */
function placesOf(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const inside = Array.isArray(value)
    ? value.flatMap((item, index) => placesOf(item, [...path, index]))
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, item]) => placesOf(item, [...path, name]))
      : []
  return [path, ...inside]
}

function valueAt(value: Json, path: readonly (string | number)[]): Json {
  let at = value
  for (const step of path) {
    const next = Array.isArray(at)
      ? at[Number(step)]
      : typeof at === 'object' && at !== null
        ? Object.entries(at).find(([name]) => name === step)?.[1]
        : undefined
    at = next ?? null
  }
  return at
}

/** The value with something else at a place; `undefined` takes it away. */
function withAt(value: Json, path: readonly (string | number)[], make: (old: Json) => Json[] | undefined): Json {
  const [step, ...rest] = path
  if (step === undefined) return make(value)?.[0] ?? null
  const last = rest.length === 0
  if (Array.isArray(value))
    return value.flatMap((item, index) => (index !== step ? [item] : last ? (make(item) ?? []) : [withAt(item, rest, make)]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]): [string, Json][] => {
      if (name !== step) return [[name, item]]
      if (!last) return [[name, withAt(item, rest, make)]]
      const made = make(item)
      return made?.[0] === undefined ? [] : [[name, made[0]]]
    }),
  )
}

function mutate(body: Json, { place, how, value, name }: Mutation): Json {
  const places = placesOf(body)
  const path = places[place % places.length] ?? []
  switch (how) {
    case 'replace':
      return withAt(body, path, () => [value])
    case 'delete':
      return path.length === 0 ? body : withAt(body, path, () => undefined)
    case 'double':
      return withAt(body, path, (old) =>
        path.length > 0 && typeof path.at(-1) === 'number' ? [old, old] : [Array.isArray(old) ? [...old, ...old] : old],
      )
    case 'wrap':
      return withAt(body, path, (old) => [[old]])
    case 'add':
      return withAt(body, path, (old) => [
        Array.isArray(old)
          ? [...old, value]
          : typeof old === 'object' && old !== null
            ? Object.fromEntries([...Object.entries(old), [name, value]])
            : old,
      ])
    case 'from':
      return withAt(body, path, () => [valueAt(body, places[(place * 7919) % places.length] ?? [])])
  }
}

const key = { authorization: `Bearer ${KEY}` }

async function send(path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = key): Promise<number> {
  const answer = await fetch(bench.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    signal: AbortSignal.timeout(HANG_MS),
  })
  check(path, answer.status, answer.headers.get('content-type') ?? '', await answer.text())
  return answer.status
}

/** A proper answer to the endpoint's kind of caller, or a 4xx in its form. */
function check(path: string, status: number, contentType: string, text: string): void {
  expect(status, text).toBeLessThan(500)
  if (status === 200 && contentType.startsWith('text/event-stream')) return checkStream(path, text)
  expect(contentType).toContain('json')
  const body = JSON.parse(text) as Json
  if (status === 200) return expect(body).toBeTypeOf('object')
  expect(status).toBeGreaterThanOrEqual(400)
  const error = {
    message: expect.stringMatching(/\S{2}/) as string,
    type: expect.any(String) as string,
    code: expect.stringMatching(/^[a-z][a-z0-9_]+$/) as string,
  }
  expect(body).toMatchObject(
    path.startsWith('/v1/messages') ? { type: 'error', error, request_id: expect.any(String) as string } : { error },
  )
  expect(text.length).toBeLessThan(20_000)
}

/** A stream that the upstream answered well must come to its proper end. */
function checkStream(path: string, text: string): void {
  expect(text).not.toContain('"truncated":true')
  const end = {
    '/v1/chat/completions': /data: \[DONE\]\n\n$/,
    '/v1/messages': /event: message_stop\n[^\n]+\n\n$/,
    '/v1/responses': /event: response\.(completed|incomplete)\n[^\n]+\n\n$/,
  }[path]
  expect(end).toBeDefined()
  expect(text).toMatch(end ?? /^$/)
}

describe.each(endpoints)('%s', (path) => {
  const whole = wholeBodies[path] ?? {}

  it('its whole body is taken as it is', async () => {
    await send(path, JSON.stringify(whole))
    expect(bench.upstream.requests.length).toBe(path.endsWith('count_tokens') ? 0 : 1)
  })

  it('answers bodies with changes in kind', async () => {
    let answered = 0
    let refused = 0
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...models),
        fc.boolean(),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        async (model, stream, mutations) => {
          const start = withAt(
            withAt(whole, ['model'], () => [model]),
            ['stream'],
            () => [stream],
          )
          if ((await send(path, JSON.stringify(mutations.reduce(mutate, start)))) === 200) answered++
          else refused++
        },
      ),
      runs(220),
    )
    // Otherwise the changes would be too small, or too large, to come anywhere.
    expect(Math.min(answered, refused)).toBeGreaterThan((answered + refused) / 20)
  })

  it('answers any JSON in kind', async () => {
    await fc.assert(
      fc.asyncProperty(oddValue, fc.constantFrom(...models), async (value, model) => {
        const body = typeof value === 'object' && value !== null && !Array.isArray(value) ? { model, ...value } : value
        await send(path, JSON.stringify(body))
      }),
      runs(40),
    )
  })

  it('answers any bytes in kind', async () => {
    const text = Buffer.from(JSON.stringify(whole))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // A good body with a hole, a strange byte, or without its end.
      fc
        .tuple(fc.nat(text.length - 1), fc.nat(255), fc.constantFrom('set', 'cut', 'insert'))
        .map(([at, byte, how]) =>
          how === 'cut'
            ? text.subarray(0, at)
            : Buffer.concat([text.subarray(0, at), Buffer.from([byte]), text.subarray(how === 'set' ? at + 1 : at)]),
        ),
      fc.integer({ min: 60, max: 400 }).map((depth) => Buffer.from(`{"model":"via-chat","x":${'['.repeat(depth)}${']'.repeat(depth)}}`)),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (body) => {
        await send(path, Uint8Array.from(body))
      }),
      runs(60),
    )
  })
})

describe('requests of any shape', () => {
  const headerName = fc.oneof(
    fc.constantFrom(
      'authorization',
      'x-api-key',
      'content-type',
      'accept',
      'accept-encoding',
      'anthropic-version',
      'anthropic-beta',
      'openai-beta',
      'traceparent',
      'tracestate',
      'origin',
      'cookie',
      'range',
      'if-none-match',
      'x-forwarded-for',
      'x-http-method-override',
      'sec-fetch-mode',
      'user-agent',
      'content-encoding',
      'te',
      'trailer',
      'host',
    ),
    fc
      .stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/)
      .filter((name) => !/^(content-length|transfer-encoding|connection|expect|upgrade)$/i.test(name)),
  )
  const headerValue = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.constantFrom(
      '',
      'application/json',
      'text/plain',
      'gzip',
      `Bearer ${KEY}`,
      'Bearer',
      '*',
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'x'.repeat(9000),
    ),
  )
  const body = JSON.stringify({ model: 'via-chat', messages: [{ role: 'user', content: 'x' }] })

  it('with any headers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...endpoints),
        fc.array(fc.tuple(headerName, headerValue), { maxLength: 6 }),
        fc.boolean(),
        async (path, headers, withKey) => {
          const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
          const connection = openConnection(bench)
          const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${withKey ? `authorization: Bearer ${KEY}\r\ncontent-type: application/json\r\n` : ''}${lines}`
          connection.send(Buffer.from(`${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`, 'latin1'))
          const { text } = await connection.rest(HANG_MS)
          const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1])
          expect(status, `${head}\n${text}`).toBeGreaterThanOrEqual(200)
          expect(status, `${head}\n${text}`).toBeLessThan(500)
          if (status >= 400) expect(text).toContain('"code":"')
        },
      ),
      runs(150),
    )
  })

  it('to any path, by any method', async () => {
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD')
    const path = fc.oneof(
      fc.webPath(),
      fc
        .tuple(
          fc.constantFrom('/v1/models/', '/v1/decisions/', '/v1/', '/v1/v1/', '/v1/chat/completions/', '/health/', '/metrics'),
          fc.string({ maxLength: 30 }),
        )
        .map(([start, rest]) => start + encodeURIComponent(rest)),
      fc.constantFrom(
        '/v1/models/%',
        '/v1/models/%ff',
        '/v1/models?limit=-1',
        '//',
        '/v1/../v1/models',
        '/v1/models/box%2Fsmall',
        '/v1/responses/resp_1',
        '/v1/files',
      ),
    )
    await fc.assert(
      fc.asyncProperty(method, path, fc.webQueryParameters(), async (verb, where, query) => {
        const connection = openConnection(bench)
        connection.send(
          `${verb} ${where === '' ? '/' : where}?${query} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${KEY}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
        )
        const { text } = await connection.rest(HANG_MS)
        const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1])
        expect(status, `${verb} ${where}\n${text}`).toBeGreaterThanOrEqual(200)
        expect(status, `${verb} ${where}\n${text}`).toBeLessThan(500)
        if (status >= 400 && verb !== 'HEAD') expect(text, `${verb} ${where}`).toContain('"code":"')
      }),
      runs(150),
    )
  })

  it('broken off anywhere', async () => {
    const whole = Buffer.from(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.boolean(), async (length, politely) => {
        const connection = openConnection(bench)
        connection.send(whole.subarray(0, length))
        await new Promise((resolve) => setImmediate(resolve))
        if (politely) connection.socket.end()
        else connection.socket.destroy()
        const { text } = await connection.rest(HANG_MS)
        expect(text).not.toMatch(/^HTTP\/1\.1 5/)
      }),
      runs(60),
    )
  })
})
